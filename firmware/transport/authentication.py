"""Authentication and fragmentation layer (AFL, CI 90): its fields (security sheet section 7; OMS Vol.2 6).

protection.py checks the MAC, fragmentation.py joins fragments.
"""

from ..errors import TransportError
from ..portable import const

MAC_BYTES = {0: 0, 3: 2, 4: 4, 5: 8, 6: 12, 7: 16, 8: 12, 9: 16}  # by authentication type AT

# FCL, high byte: what stands in this fragment
_MORE = const(0x40)
_CONTROL = const(0x20)
_LENGTH = const(0x10)
_COUNTER = const(0x08)
_MAC = const(0x04)
_KEY = const(0x02)
# MCL: what belongs to the message, and so to what the MAC covers
MESSAGE_LENGTH = 0x40
MESSAGE_COUNTER = 0x20
KEY_INFORMATION = 0x10
CI = 0x90
CMAC_8 = 5  # AT, the one that OMS sends


class Afl:
    """The fields of an AFL.

    fragment_id: 0 for an unfragmented message. more: another fragment follows. control: MCL or None. counter: message
    counter or None. key_information: 2 bytes or None. mac: bytes. message_length or None. offset: of the CI code.
    payload_offset: of the first byte behind it.
    """

    def __init__(self, offset=0):
        self.offset = offset
        self.payload_offset = offset
        self.fragment_id = 0
        self.more = False
        self.control = None
        self.key_information = None
        self.counter = None
        self.mac = b""
        self.message_length = None

    def authentication_type(self):
        """AT; 0 where no MCL says one."""
        return 0 if self.control is None else self.control & 0x0F

    def covered(self):
        """The fields of this layer that the MAC covers, in order (6.2): those that the MCL announces."""
        out = bytes((self.control,))
        if self.control & KEY_INFORMATION and self.key_information:
            out += self.key_information
        if self.control & MESSAGE_COUNTER and self.counter is not None:
            out += self.counter.to_bytes(4, "little")
        if self.control & MESSAGE_LENGTH and self.message_length is not None:
            out += self.message_length.to_bytes(2, "little")
        return out

    def fragmented(self):
        """One of several fragments. A lone fragment with number 1 is a whole message."""
        return self.more or self.fragment_id > 1


def parse(data, offset):
    """Read the AFL whose CI code 90 is data[offset]. TransportError if it is cut off or contradicts itself."""
    at = offset + 4
    if at > len(data):
        raise TransportError("the AFL is cut off", position=len(data))
    end = offset + 2 + data[offset + 1]
    if end > len(data) or end < at:
        raise TransportError("the AFL has an impossible length", position=offset + 1)
    afl = Afl(offset)
    afl.fragment_id = data[offset + 2]
    flags = data[offset + 3]
    afl.more = bool(flags & _MORE)
    if flags & 0x81:
        raise TransportError("reserved bits of the AFL are set", position=offset + 3)
    has_mac = flags & _MAC

    def take(count):
        nonlocal at
        field = bytes(data[at : min(at + count, end)])
        at += count
        if at > end:
            raise TransportError("the AFL is shorter than its fields", position=end)
        return field

    if flags & _CONTROL:
        afl.control = take(1)[0]
        if afl.control & 0x80:
            raise TransportError("a reserved bit of the MCL is set", position=offset + 4)
    if flags & _KEY:
        afl.key_information = take(2)
    if flags & _COUNTER:
        afl.counter = int.from_bytes(take(4), "little")
    # A last fragment has the MAC alone: its length is then what is left, ML is in the first fragment.
    if has_mac and afl.control is None:
        afl.mac = take(end - at)
    elif has_mac:
        length = MAC_BYTES.get(afl.control & 0x0F)
        if length is None:
            message = "authentication type {} is reserved".format(afl.control & 0x0F)
            raise TransportError(message, position=offset + 4)
        afl.mac = take(length)
    if flags & _LENGTH:
        afl.message_length = int.from_bytes(take(2), "little")
    if at != end:
        raise TransportError("the AFL is longer than its fields", position=at)
    afl.payload_offset = end
    return afl


def parse_if_any(data, offset):
    """(Afl, offset of what is behind it), or (None, offset) where no AFL begins. TransportError as `parse`."""
    if data[offset : offset + 1] != b"\x90":
        return None, offset
    afl = parse(data, offset)
    return afl, afl.payload_offset


def build(afl):
    """The bytes of an Afl from its CI code 90 on. Fields that are None, and an empty MAC, are left out."""
    flags = _MORE if afl.more else 0
    out = b""
    if afl.control is not None:
        flags |= _CONTROL
        out += bytes((afl.control,))
    if afl.key_information is not None:
        flags |= _KEY
        out += afl.key_information
    if afl.counter is not None:
        flags |= _COUNTER
        out += afl.counter.to_bytes(4, "little")
    if afl.mac:
        flags |= _MAC
        out += afl.mac
    if afl.message_length is not None:
        flags |= _LENGTH
        out += afl.message_length.to_bytes(2, "little")
    return bytes((CI, 2 + len(out), afl.fragment_id, flags)) + out
