"""Authentication and fragmentation layer (AFL, CI 90): read, so that the layer behind it is found.

Security sheet section 7. Checking the MAC and joining fragments are not done here.
"""

from ..errors import TransportError

_MAC_LENGTH = {0: 0, 3: 2, 4: 4, 5: 8, 6: 12, 7: 16, 8: 12, 9: 16}  # by authentication type AT


class Afl:
    """An AFL as it was read.

    fragment_id: 0 for an unfragmented message. more: another fragment follows. control: MCL or None. counter: message
    counter or None. key_information: 2 bytes or None. mac: bytes. message_length or None. offset: of the CI code.
    payload_offset: of the first byte behind it.
    """

    def __init__(self, offset):
        self.offset = offset
        self.payload_offset = offset
        self.fragment_id = 0
        self.more = False
        self.control = None
        self.key_information = None
        self.counter = None
        self.mac = b""
        self.message_length = None

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
    afl.more = bool(flags & 0x40)
    has_mac = flags & 0x04

    def take(count):
        nonlocal at
        field = bytes(data[at : min(at + count, end)])
        at += count
        if at > end:
            raise TransportError("the AFL is shorter than its fields", position=end)
        return field

    if flags & 0x20:
        afl.control = take(1)[0]
    if flags & 0x02:
        afl.key_information = take(2)
    if flags & 0x08:
        afl.counter = int.from_bytes(take(4), "little")
    # A last fragment has the MAC alone: its length is then what is left, ML is in the first fragment.
    if has_mac and afl.control is None:
        afl.mac = take(end - at)
    elif has_mac:
        length = _MAC_LENGTH.get(afl.control & 0x0F)
        if length is None:
            message = "authentication type {} is reserved".format(afl.control & 0x0F)
            raise TransportError(message, position=offset + 4)
        afl.mac = take(length)
    if flags & 0x10:
        afl.message_length = int.from_bytes(take(2), "little")
    if at != end:
        raise TransportError("the AFL is longer than its fields", position=at)
    afl.payload_offset = end
    return afl
