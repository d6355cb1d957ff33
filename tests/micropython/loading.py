"""How a device's main.py loads the stack. Runs on either interpreter."""

import gc


def load(*names):
    """Import these modules of omsnode.firmware, from the bottom up, before anything is made. Each time, what loading
    leaves behind is swept away. Otherwise what stays ends up between it, and the heap is full of holes."""
    if hasattr(gc, "threshold"):
        gc.threshold(1024)
    for name in names:
        __import__("omsnode.firmware." + name)
        gc.collect()
