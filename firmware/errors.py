"""Every exception of the stack, one hierarchy to be imported from here.

Those that a device which only sends never meets are written down in rejections.py and loaded when one is named.

`code` is stable: it is the label of the statistics counter and the `error.code` of the JSON output. `hint` tells a
person what to do next: what the error was made with, or what hints.py says of its code. `position` says where (block
number, byte offset, symbol or record index), or None.

Two families: `MisuseError` is our own caller's fault, `RejectError` is what the other end or the air did to us.
Messages never contain key material.
"""


class OmsError(Exception):
    """message: what happened. position: where, or None. hint: what to do; None: what hints.py says of the code."""

    code = "error"

    def __init__(self, message="", position=None, hint=None):
        super().__init__(message)
        self.message = message
        self.position = position
        self._hint = hint

    @property
    def hint(self):
        if self._hint is None:
            from .hints import HINTS  # texts for a person: not in a device's memory before somebody asks

            return HINTS.get(self.code, "")
        return self._hint


class MisuseError(OmsError):
    """The caller asked for something that cannot be done; nothing was changed."""

    code = "misuse"


class DutyCycleError(MisuseError):
    """Sending now would exceed the sub-band's duty cycle. `allowed_at_us` says when it may be tried again."""

    code = "duty_cycle"

    def __init__(self, message="", allowed_at_us=None):
        super().__init__(message)
        self.allowed_at_us = allowed_at_us


class RejectError(OmsError):
    """A telegram was refused; the reason is counted under `code`."""

    code = "rejected"


# --- phy ---


class PhyError(RejectError):
    """Chips that are no frame."""

    code = "phy"


class SymbolError(PhyError):
    """A chip group that no encoder sends; `position` is the index of the symbol behind the sync."""

    code = "symbol"


class LengthError(PhyError):
    """The L-field fits no frame, or not the number of bytes; or the bytes end inside a field."""

    code = "length"


# --- link ---


class LinkError(RejectError):
    """What the link layers do not allow, or what of them is not public."""

    code = "link"


class CrcError(LinkError):
    """`position` is the block number, counted from 1 as the standard does."""

    code = "crc"


# --- security ---


class SecurityError(RejectError):
    """The telegram was not opened."""

    code = "security"


class WrongKeyError(SecurityError):
    """The check bytes behind the decryption are missing."""

    code = "wrong_key_or_altered"


# --- transport ---


class TransportError(RejectError):
    """A TPL or AFL that is cut off or contradicts itself; `position` is the byte offset."""

    code = "transport"


# --- radio ---


class RadioError(OmsError):
    """The chip or its wiring does not do what it must; `hint` names what to look at."""

    code = "radio"


def __getattr__(name):
    from . import rejections

    return getattr(rejections, name)
