"""MAC body: MBCTL, counters, MMAC and the bytes of the MBlocks (OMS Vol. 2 Annex Q.3.2.3; LPWAN sheet section 12)."""

from collections import namedtuple

from ...errors import MisuseError

LENGTH_MOST = 63  # MBodyLength
_MORE = 0x80
_DER_COUNTER = 0x40
_SECURED = 0x20
_SECURITY_BYTES = 6  # MMsgCounter and MMAC

# associated: MBCTL[0] [MBCTL[1]] [MDerCounter], as it stands in the frame; the MMAC covers it. der_counter: MDerCounter, or
# None. counter: MMsgCounter, None in a body that is not secured. mmac: 4 bytes or None. data: the MBlocks, encrypted in a
# secured body. A number that both sides know is never a secret; nothing here is one.
Body = namedtuple("Body", ("associated", "der_counter", "counter", "mmac", "data"))


def size(body):
    """Bytes of a Body in the frame."""
    return len(body.associated) + (_SECURITY_BYTES if body.counter is not None else 0) + len(body.data)


def associated(length, der_counter=None, secured=False):
    """MBCTL and MDerCounter of a body with `length` bytes of MBlocks. MisuseError if it is too long."""
    if der_counter is not None and not 0 <= der_counter <= 255:
        raise MisuseError("an MDerCounter is a byte")
    total = length + (der_counter is not None) + (_SECURITY_BYTES if secured else 0)
    if total > LENGTH_MOST:
        raise MisuseError("a MAC body of {} bytes is too long".format(total))
    first = (_DER_COUNTER if der_counter is not None else 0) | (_SECURED if secured else 0) | total & 31
    out = bytes([first]) if total < 32 else bytes([first | _MORE, total >> 5])
    return out if der_counter is None else out + bytes([der_counter])


def plain(blocks):
    """A Body that is not secured. blocks: bytes of the MBlocks."""
    return Body(associated(len(blocks)), None, None, None, bytes(blocks))


def to_bytes(body):
    """The Body as it stands in a frame."""
    if body.counter is None:
        return body.associated + body.data
    return body.associated + bytes([body.counter & 0xFF, body.counter >> 8]) + body.mmac + body.data


def parse(data, at, end):
    """(Body or None, offset behind it, None or the BodyError that says why it cannot be read) of the body at data[at].

    What is announced inside may not fit MBodyLength: then the body is corrupt and what stands behind it is not. Where it
    ends cannot be told if the frame, up to `end`, is too short (LengthError) or MBCTL[1] leads on (ReservedError).
    """
    start = at
    if at >= end:
        raise _cut(at)
    first = data[at]
    length = first & 31
    at += 1
    if first & _MORE:
        if at >= end:
            raise _cut(at)
        if data[at] & _MORE:
            from ...errors import ReservedError

            raise ReservedError("MBCTL[2] is not defined", at)
        length |= (data[at] & 1) << 5
        at += 1
    stop = at + length
    if stop > end:
        raise _cut(end)
    der_counter = counter = mmac = None
    if first & _DER_COUNTER and at < stop:
        der_counter = data[at]
        at += 1
    head = bytes(data[start:at])
    if first & _DER_COUNTER and der_counter is None or first & _SECURED and at + _SECURITY_BYTES > stop:
        from ...errors import BodyError

        return None, stop, BodyError("the MAC body is shorter than what MBCTL announces", start)
    if first & _SECURED:
        counter = data[at] | data[at + 1] << 8
        mmac = bytes(data[at + 2 : at + 6])
        at += _SECURITY_BYTES
    return Body(head, der_counter, counter, mmac, bytes(data[at:stop])), stop, None


def _cut(position):
    from ...errors import LengthError

    return LengthError("the frame ends inside its MAC body", position)
