"""What a meter of profile B or D puts behind its link layers (security sheet sections 6 to 8)."""

from ..portable import const
from ..transport import authentication, sealing

# CI: M-Bus data from the meter
_DATA_SHORT = const(0x7A)
_DATA_LONG = const(0x72)


def message(profile, counter, access_number, secret, clear):
    """AFL, if there is one, and message: bytes. profile: roles.meter.Profile. secret, clear: its records."""
    long = profile.header == "long"
    afl, out = sealing.seal(
        sealing.Security(profile.security_mode, profile.key, counter),
        _DATA_LONG if long else _DATA_SHORT,
        profile.meter_address,
        access_number,
        profile.status,
        secret,
        clear,
        long,
    )
    return authentication.build(afl) + out if afl else out
