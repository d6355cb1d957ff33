"""LLC of OMS LPWAN, frame format C (OMS Vol. 2 Annex Q.4, Primary 3.1.4; LPWAN sheet section 20).

LC[0] [LC[1]] [C] [M A] [M2 A2] [ACC] [RTD] [RAS] [CI ...], as LC says. No length and no CRC: the MAC frame has both.
"""

from collections import namedtuple

from ...errors import LengthError, MisuseError
from ..address import Address

# RTDP: what the two bytes of RTD count.
RTD_256TH_S = 1
RTD_2S = 2

_MORE = 0x80
_FLAG = 0x40  # S in an uplink, RRX in a downlink
_UPPER = 0x10
_ACCESS_NUMBER = 0x08
_RECEIVER = 0x04
_TRANSMITTER = 0x02
_C_FIELD = 0x01
_ZERO = 0x20
_RAS = 0x08  # of LC[1]
_HOP = 0x04
_RTD = 0x03

# c_field: byte or None. address: Address of the transmitter (M, A), receiver: of the receiver (M2, A2), or None.
# access_number: byte or None. flag: uplink 1 = synchronous (S), downlink 1 = the next uplink shall name its receiver (RRX).
# hops: 0 or 1. rtd: (RTD_256TH_S or RTD_2S, 16 bits) or None. ras: status byte of a radio adapter, or None. payload: bytes
# from the CI on, None where there is no upper layer.
Llc = namedtuple(
    "Llc",
    ("c_field", "address", "receiver", "access_number", "flag", "hops", "rtd", "ras", "payload"),
)

# CI codes of wires and of other radios: not here (Primary Table 1). Encryption of the ELL is another matter.
FORBIDDEN_CI = (0x50, 0x51, 0x52, 0x54, 0x70, 0x71, 0xB8, 0xBB, 0xBD, 0xBE, 0xBF, 0xCF)


def meter_up(c_field, address, access_number, synchronous=0, payload=None, receiver=None):
    """The Llc of an ordinary uplink: what a meter says of itself."""
    return Llc(c_field, address, receiver, access_number, synchronous, 0, None, None, payload)


def gateway_down(c_field, meter, access_number, payload=None, gateway=None, rrx=0):
    """The Llc of an ordinary downlink. gateway: its Address where it is not the allocated one, or sets RRX."""
    return Llc(c_field, gateway, meter, access_number, rrx, 0, None, None, payload)


def rtd_us(rtd):
    """Microseconds of an RTD, rounded down."""
    unit, value = rtd
    return value * 1000000 // 256 if unit == RTD_256TH_S else value * 2000000


def parse(data, up):
    """The Llc of a MAC payload; None if there is no LLC, as in a MACK.

    up: whether it came from a meter. LengthError if the data end inside a field or go on behind the last, ReservedError
    where LC has a bit whose meaning nobody knows, LinkError for a CI code that is not allowed.
    """
    if not data:
        return None
    n = len(data)
    control, more, at = data[0], 0, 1
    if control & _MORE:
        if n < 2:
            raise LengthError("the LLC is cut off", n)
        more, at = data[1], 2
    if control & _ZERO or more & 0xF0 or more & _RTD == 3 or (more & _RAS and not up):
        from ...errors import ReservedError

        raise ReservedError("LC {} has reserved bits".format(bytes(data[:at]).hex().upper()), 0)
    c_field = address = receiver = access_number = rtd = ras = payload = None
    need = at + (control & 1) + (more & _RAS) // 8 + (control & _ACCESS_NUMBER) // 8
    need += (control & _TRANSMITTER) * 4 + (control & _RECEIVER) * 2 + (2 if more & _RTD else 0)
    if n < need + (1 if control & _UPPER else 0):
        raise LengthError("the LLC is cut off", n)
    if control & _C_FIELD:
        c_field = data[at]
        at += 1
    if control & _TRANSMITTER:
        address = Address.from_link(data[at : at + 8])
        at += 8
    if control & _RECEIVER:
        receiver = Address.from_link(data[at : at + 8])
        at += 8
    if control & _ACCESS_NUMBER:
        access_number = data[at]
        at += 1
    if more & _RTD:
        rtd = (more & _RTD, data[at] | data[at + 1] << 8)
        at += 2
    if more & _RAS:
        ras = data[at]
        at += 1
    if control & _UPPER:
        check_ci(data, at)
        payload = bytes(data[at:])
    elif at < n:
        raise LengthError("{} bytes behind an LLC without upper layer".format(n - at), at)
    hops = 1 if more & _HOP else 0
    return Llc(c_field, address, receiver, access_number, control >> 6 & 1, hops, rtd, ras, payload)


def check_ci(data, at):
    """ForbiddenCiError if the CI at data[at], if there is one, is not of OMS LPWAN."""
    if at < len(data) and data[at] in FORBIDDEN_CI:
        from ...errors import ForbiddenCiError

        raise ForbiddenCiError("CI {:02X} is not allowed in OMS LPWAN".format(data[at]), at)


def build(llc, up):
    """Bytes of an Llc; b"" for None. MisuseError for what cannot be said in this direction."""
    if llc is None:
        return b""
    fields, control, more = [], 0, 0
    if llc.flag:
        control |= _FLAG
    if llc.c_field is not None:
        control |= _C_FIELD
        fields.append(_octet("C-field", llc.c_field))
    if llc.address is not None:
        control |= _TRANSMITTER
        fields.append(llc.address.link_bytes())
    if llc.receiver is not None:
        control |= _RECEIVER
        fields.append(llc.receiver.link_bytes())
    if llc.access_number is not None:
        control |= _ACCESS_NUMBER
        fields.append(_octet("access number", llc.access_number))
    if llc.rtd is not None:
        unit, value = llc.rtd
        if unit not in (RTD_256TH_S, RTD_2S) or not 0 <= value <= 0xFFFF:
            raise MisuseError("no such RTD: {} {}".format(unit, value))
        more |= unit
        fields.append(bytes([value & 0xFF, value >> 8]))
    if llc.ras is not None:
        if not up:
            raise MisuseError("only an uplink has a radio adapter status")
        more |= _RAS
        fields.append(_octet("RAS", llc.ras))
    if llc.hops:
        more |= _HOP
    if llc.payload is not None:
        if not llc.payload or llc.payload[0] in FORBIDDEN_CI:
            raise MisuseError("no upper layer of OMS LPWAN begins so")
        control |= _UPPER
        fields.append(llc.payload)
    head = bytes([control | _MORE, more]) if more else bytes([control])
    return head + b"".join([bytes(one) for one in fields])


def _octet(name, value):
    if not 0 <= value <= 255:
        raise MisuseError("{} {} is no byte".format(name, value))
    return bytes([value])
