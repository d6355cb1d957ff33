"""Every exception of the stack, one hierarchy in one file.

`code` is stable: it is the label of the statistics counter and the `error.code` of the JSON output. `hint` tells a
person what to do next. `position` says where (block number, byte offset, symbol or record index), or None.

Two families: `MisuseError` is our own caller's fault, `RejectError` is what the other end or the air did to us.
Messages never contain key material.
"""


class OmsError(Exception):
    code = "error"
    hint = ""

    def __init__(self, message="", position=None, hint=None):
        super().__init__(message)
        self.message = message
        self.position = position
        if hint is not None:
            self.hint = hint


class MisuseError(OmsError):
    """The caller asked for something that cannot be done; nothing was changed."""

    code = "misuse"


class ConfigError(MisuseError):
    code = "config"


class StoreError(OmsError):
    """State could not be read or written; what depends on it (a transmission) is not done."""

    code = "store"


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
    code = "phy"


class SymbolError(PhyError):
    """A chip group that no encoder sends; `position` is the index of the symbol behind the sync."""

    code = "symbol"
    hint = "interference or a weak signal: move the antenna"


class LengthError(PhyError):
    code = "length"
    hint = "the L-field does not fit the frame: noise, a truncated line, or CRCs removed twice"


# --- link ---


class LinkError(RejectError):
    code = "link"


class CrcError(LinkError):
    """`position` is the block number, counted from 1 as the standard does."""

    code = "crc"
    hint = "the frame was damaged on the air or cut"


# --- security ---


class SecurityError(RejectError):
    code = "security"


class NoKeyError(SecurityError):
    code = "no_key"
    hint = "the telegram is encrypted: configure the key of this meter"


class WrongKeyError(SecurityError):
    code = "wrong_key_or_altered"
    hint = "the check bytes 2F 2F are missing: another key, or altered before its link CRC was computed"


class UnsupportedSecurityError(SecurityError):
    code = "unsupported"
    hint = "this security mode is not supported yet; the telegram is kept as it came"


# --- transport and application ---


class TransportError(RejectError):
    code = "transport"


class UnsupportedCiError(TransportError):
    code = "unsupported_ci"
    hint = "only the manufacturer knows what stands behind this CI code; the bytes are kept as they came"


class IncompleteError(TransportError):
    """One fragment of a message; the others are outstanding."""

    code = "incomplete"
    hint = "the message is spread over several telegrams"


class ApplicationError(RejectError):
    code = "application"


# --- text lines ---


class LineError(RejectError):
    """A text line that holds no telegram; `position` is the column, counted from 0."""

    code = "line"
    hint = "expected: hex digits, an rtlwmbus line, a CUL line b... or bY..., or telegram=|...|"


# --- radio ---


class RadioError(OmsError):
    """The chip or its wiring does not do what it must; `hint` names what to look at."""

    code = "radio"
