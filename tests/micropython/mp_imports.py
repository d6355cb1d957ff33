"""Every portable module imports, on its own account and not because another one did."""

import os
import sys

import omsnode

PORTABLE = ("firmware", "drivers", "board/hats.py", "board/micropython.py")
HOST_ONLY = ("firmware/host",)

root = omsnode.__path__ if isinstance(omsnode.__path__, str) else omsnode.__path__[0]


def modules(path):
    if path in HOST_ONLY or path.rsplit("/", 1)[-1].startswith((".", "__pycache__")):
        return []
    for suffix in (".py", ".mpy"):
        if path.endswith(suffix):
            name = path[: -len(suffix)].replace("/", ".")
            return [name[: -len(".__init__")] if name.endswith(".__init__") else name]
    found = []
    try:
        entries = os.listdir(root + "/" + path)
    except OSError:
        return []  # not a folder
    for entry in sorted(entries):
        found += modules(path + "/" + entry)
    return found


count = 0
for start in PORTABLE:
    for name in modules(start):
        for loaded in list(sys.modules):
            if loaded.startswith("omsnode."):
                del sys.modules[loaded]
        __import__("omsnode." + name)
        count += 1
assert count > 30, count
print("ok", count, "modules")
