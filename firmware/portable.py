"""What one of the two interpreters lacks."""

try:
    from micropython import const
except ImportError:

    def const(value):
        """MicroPython's compiler puts the value of `_NAME = const(...)` where the name is used, and drops the name."""
        return value
