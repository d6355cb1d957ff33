"""Exceptions that a device which only sends never meets; errors.py hands them out, import them from there."""

from .errors import LinkError, MisuseError, OmsError, PhyError, RejectError, SecurityError, TransportError

# --- local ---


class ConfigError(MisuseError):
    """A configuration, a key file or a name on the command line says something that cannot be."""

    code = "config"


class StoreError(OmsError):
    """State could not be read or written; what depends on it (a transmission) is not done."""

    code = "store"


class ChannelError(OmsError):
    """There is no process at the other end of the channel between two of ours, or no longer."""

    code = "channel"


# --- phy ---


class HeaderError(PhyError):
    """The coded header is none that a burst has; `position` is its place in chips behind the sync."""

    code = "header"


class MidambleError(PhyError):
    """An uplink without midamble; `position`: chips behind the sync in which there is none."""

    code = "midamble"


# --- link ---


class ChecksumError(LinkError):
    """Of a wired frame; `position` is the offset of the checksum byte."""

    code = "checksum"


class FrameError(LinkError):
    """A wired frame without its start or stop byte; `position` is where it should be."""

    code = "frame"


class ReservedError(LinkError):
    """A value that the standard keeps for later, so that nobody knows what stands behind it; nothing of it is used."""

    code = "reserved"


class BodyError(LinkError):
    """A MAC body, or its MBlocks, that cannot be read (OMS LPWAN); the layers above it are not affected."""

    code = "mac_body"


class ForbiddenCiError(LinkError):
    """A CI code that shall not be used on this radio; `position` is its byte offset."""

    code = "forbidden_ci"


# --- security ---


class NoKeyError(SecurityError):
    """It is encrypted, and there is no key for its address."""

    code = "no_key"


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
