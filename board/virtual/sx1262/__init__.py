"""The SX1262 and the boards it sits on. `attach` puts one onto a virtual board."""

from .chip import Sx1262
from .options import OPTIONS, Options
from .wiring import BOARDS, attach, is_hat

__all__ = ["BOARDS", "OPTIONS", "Options", "Sx1262", "attach", "is_hat"]
