"""The two status words that go with a meter's values (BSI detail specification for TR-03109-1 ch. 15, EN 13757-3 E.1;
sheet en13757-3-application 4.2, 10.5, 11.1): what they hold bit by bit, and how bad that is."""

from ..transport import ci

# Bits of the gateway's word that we set.
FIXED = 0x000005
NOT_VALIDATED = 0x000002
FATAL = 0x000100
TIME_INVALID = 0x000200
WARNING = 0x001000
NO_VALUE = 0x002000
TAMPER = 0x004000
METER_ERROR = 0x008000
THRESHOLD = 0x010000
WIRELESS = 0x020000

_GATEWAY_NAMES = (
    (1, "not validated"),
    (8, "gateway error"),
    (9, "gateway time invalid"),
    (12, "warning"),
    (13, "no value in window"),
    (14, "tamper"),
    (15, "meter error"),
    (16, "threshold"),
)

# EN 13757-3 E.1 (OMS MM3!), bit 0 of EF1 first.
_ERROR_FLAGS = (
    "mechanical tamper,battery low,external critical error,battery disconnected,hardware or software error,"
    "link to meter or valve broken,magnetic tamper,EF1 present,"
    "unauthorised access,credit limit,leakage,no flow,consumption out of range,meter out of range,clock sync error,"
    "EF2 present,"
    "was mechanical tamper,was magnetic tamper,was link interrupted,was external alarm,was leakage,was no flow,"
    "was out of range,EF3 present"
)
_STATUS_FLAGS = (
    "busy",
    "application error or abnormal condition",
    "power low",
    "permanent error",
    "temporary error",
    "manufacturer specific 1",
    "manufacturer specific 2",
    "manufacturer specific 3",
)
_TAMPER = 0x030041  # mechanical or magnetic, now (EF1) or in the past (EF3)

OK, WARN, TEMPORARY, CRITICAL, FATAL_ERROR = "ok", "warning", "temporary", "critical temporary", "fatal"


def reverse8(byte):
    """A byte with its bits in the other order."""
    out = 0
    for bit in range(8):
        out |= (byte >> bit & 1) << (7 - bit)
    return out


class Status:
    """gateway, meter: the two 32-bit words of a value.

    The gateway's word: bits 0 and 2 are 1, 1 not validated, 8 fatal error, 9 its time is invalid, 12 warning, 13 no value
    in window, 14 tamper, 15 meter error (abnormal condition or permanent error in the status byte), 16 sent for a
    threshold, 17 wireless OMS meter. The meter's word: EF1, EF2, EF3 and the status byte from bit 0 on, each with its
    bits in the other order.
    """

    def __init__(self, gateway, meter):
        self.gateway = gateway
        self.meter = meter

    def flags(self):
        """Names of what is set in both words, without the bits that only say what is present."""
        out = [name for bit, name in _GATEWAY_NAMES if self.gateway >> bit & 1]
        names = _ERROR_FLAGS.split(",")
        for bit in range(24):
            if bit & 7 != 7 and self.meter >> (bit & 0x18 | 7 - (bit & 7)) & 1:
                out.append(names[bit])
        for bit in range(8):
            if self.meter >> (31 - bit) & 1:
                out.append(_STATUS_FLAGS[bit])
        return out

    def severity(self):
        """The worst of "fatal", "critical temporary", "temporary", "warning" and "ok".

        The order and the gateway's bits are those of the TRuDI program (fatal error; invalid time or tamper; a value that
        is missing; warning); the meter's bits are sorted in by their names.
        """
        meter = self.meter
        if self.gateway & FATAL or meter >> 28 & 1:
            return FATAL_ERROR
        if self.gateway & (TIME_INVALID | TAMPER):
            return CRITICAL
        if self.gateway & (NO_VALUE | METER_ERROR) or meter >> 27 & 1:
            return TEMPORARY
        if self.gateway & WARNING or meter & ~0x07010101:
            return WARN
        return OK


def error_flags(telegram):
    """The standard error flags MM3! of a meter (VIF FD 97 1D) as a number, EF1 in its low byte; 0 if it sends none."""
    for record in telegram.records:
        if record.vib == b"\xfd\x97\x1d" and record.storage == 0 and 0 < len(record.data) <= 8:
            if record.dib[0] & 0x0F == 0x0D:
                continue  # of variable length: not MM3!
            return int.from_bytes(record.data, "little") & 0xFFFFFF
    return 0


def of(telegram, received_ms=None, more=0):
    """The Status of the values of a telegram. received_ms: None sets "time invalid". more: further bits of the gateway's
    word that only the caller knows (WARNING, NO_VALUE, FATAL, NOT_VALIDATED, THRESHOLD)."""
    flags = error_flags(telegram)
    status = 0
    if telegram.tpl is not None and telegram.tpl.direction == ci.UP and telegram.tpl.status is not None:
        status = telegram.tpl.status
    meter = (
        reverse8(flags & 0xFF)
        | reverse8(flags >> 8 & 0xFF) << 8
        | reverse8(flags >> 16) << 16
        | reverse8(status) << 24
    )
    gateway = FIXED | more
    if received_ms is None:
        gateway |= TIME_INVALID
    if flags & _TAMPER:
        gateway |= TAMPER
    if status & 3 == 3 or status & 8:
        gateway |= METER_ERROR
    if getattr(telegram.link, "primary_address", None) is None:
        gateway |= WIRELESS
    return Status(gateway, meter)
