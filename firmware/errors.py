"""Every exception of the stack, one hierarchy in one file.

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


class ConfigError(MisuseError):
    """A configuration, a key file or a name on the command line says something that cannot be."""

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


class ChecksumError(LinkError):
    """Of a wired frame; `position` is the offset of the checksum byte."""

    code = "checksum"


class FrameError(LinkError):
    """A wired frame without its start or stop byte; `position` is where it should be."""

    code = "frame"


# --- security ---


class SecurityError(RejectError):
    """The telegram was not opened."""

    code = "security"


class NoKeyError(SecurityError):
    """It is encrypted, and there is no key for its address."""

    code = "no_key"


class WrongKeyError(SecurityError):
    """The check bytes behind the decryption are missing."""

    code = "wrong_key_or_altered"


class MacError(SecurityError):
    """The MAC or tag is wrong: another key, or somebody changed the message."""

    code = "mac_mismatch"


class ReplayError(SecurityError):
    """The message counter is not above the last one that was verified."""

    code = "replayed"


class DowngradeError(SecurityError):
    """Protected worse than this meter is known to protect."""

    code = "downgraded"


class UnsupportedSecurityError(SecurityError):
    """A security mode that is known by name only."""

    code = "unsupported"


# --- transport and application ---


class TransportError(RejectError):
    """A TPL or AFL that is cut off or contradicts itself; `position` is the byte offset."""

    code = "transport"


class UnsupportedCiError(TransportError):
    """Nothing that we could read stands behind this CI code; `position` is its byte offset."""

    code = "unsupported_ci"


class FragmentError(TransportError):
    """A fragment that does not fit to the others of its message."""

    code = "fragment"


class IncompleteError(TransportError):
    """One fragment of a message; the others are outstanding."""

    code = "incomplete"


class ApplicationError(RejectError):
    """A record that cannot be read: the message is the reason, `position` the offset of the byte that is wrong."""

    code = "application"


class UnknownFormatError(ApplicationError):
    """A compact frame whose format signature belongs to no format that is known for this meter."""

    code = "unknown_format"


class FormatMismatchError(ApplicationError):
    """A compact frame or format frame that contradicts its check words: wrong format, or damaged."""

    code = "format_mismatch"


# --- text lines ---


class LineError(RejectError):
    """A text line that holds no telegram; `position` is the column, counted from 0."""

    code = "line"


# --- radio ---


class RadioError(OmsError):
    """The chip or its wiring does not do what it must; `hint` names what to look at."""

    code = "radio"
