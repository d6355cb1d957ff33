"""Semtech SX1262: `Sx1262` is the radio driver; commands, registers and profiles are data."""

from .driver import Sx1262  # noqa: F401
