"""An argument parser whose complaints never quote what could be a key."""

import argparse
import re


def masked(text):
    """Text without what could be a key: runs of hex digits, with blanks or colons between them or not, and long words
    that are neither option nor path."""
    text = re.sub(r"(?:[0-9A-Fa-f]{2}[ :.-]?){6,}[0-9A-Fa-f]*", "…", text)
    return re.sub(r"(?<![^\s'\"=])(?!--)[^\s'\"=/]{24,}", "…", text)


class Parser(argparse.ArgumentParser):
    def error(self, message):
        super().error(masked(message))
