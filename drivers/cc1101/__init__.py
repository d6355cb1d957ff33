"""TI CC1101: `Cc1101` is the radio driver; registers and profiles are data."""

from .driver import Cc1101  # noqa: F401
