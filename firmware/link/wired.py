"""Frames of the wired M-Bus, parsed only (EN 13757-2, EN 60870-5-1 FT 1.2; sheet wired-mbus section 2).

Single character E5; short 10 C A CS 16; control and long 68 L L 68 C A CI ... CS 16, where L counts C to the last
data byte and CS is the sum of those bytes modulo 256.
"""

from ..errors import ChecksumError, FrameError, LengthError

ACK = 0xE5
_SHORT = 0x10
_START = 0x68
_STOP = 0x16


class Wired:
    """A wired frame, with the fields that a wireless link.telegram.Link has: c_field: byte, 0 (ACK) for the single
    character E5. primary_address: byte, None for the single character. address: None, a wired link names nobody
    worldwide. ell: None. hops: 0. offset: index of the CI field, `end` if there is none. end: index behind the last byte
    of data, where the checksum is.
    """

    address = None
    ell = None
    hops = 0

    def __init__(self, c_field, primary_address, offset, end):
        self.c_field = c_field
        self.primary_address = primary_address
        self.offset = offset
        self.end = end


def is_wired(data):
    """Whether bytes are a wired frame, and not a wireless telegram without link CRCs.

    A telegram of L = 68h, C = 63h that a device of manufacturer 6863h ("ZCC") sent begins like a long frame of 105 bytes:
    only if stop byte and checksum are right too, it is one.
    """
    size = len(data)
    if size < 9 or data[0] != _START:
        return size == 5 and data[0] == _SHORT and data[4] == _STOP or size == 1 and data[0] == ACK
    if data[3] != _START or data[1] != data[2] and data[-1] != _STOP:
        return False
    if data[0] != size - 1:
        return True  # no wireless telegram; parse says what is wrong with it, if anything
    return data[1] == data[2] == size - 6 and data[-1] == _STOP and _sum(data, 4, size - 2) == data[-2]


def parse(frame):
    """Wired of a whole frame (bytes). FrameError if start or stop byte is wrong, LengthError if the two L-fields differ or
    do not fit the number of bytes, ChecksumError (position: of the checksum byte, as for the others).
    """
    size = len(frame)
    if size == 1 and frame[0] == ACK:
        return Wired(0, None, 1, 1)
    if not size or frame[0] not in (_SHORT, _START):
        raise FrameError("no start byte 10 or 68", position=0)
    if frame[0] == _SHORT:
        first = 1
        if size != 5:
            raise LengthError("a short frame has 5 bytes, not {}".format(size), position=min(size, 5))
    else:
        first = 4
        if size < 4:
            raise LengthError("the frame ends inside its header", position=size)
        if frame[3] != _START:
            raise FrameError("no second start byte 68", position=3)
        length = frame[1]
        if length != frame[2]:
            raise LengthError("the L-fields {} and {} differ".format(length, frame[2]), position=2)
        if length < 3:
            raise LengthError("L = {} is less than C, A and CI".format(length), position=1)
        if size != length + 6:
            message = "L = {} announces {} bytes, but there are {}".format(length, length + 6, size)
            raise LengthError(message, position=min(size, length + 6))
    end = size - 2
    if frame[-1] != _STOP:
        raise FrameError("no stop byte 16", position=size - 1)
    if _sum(frame, first, end) != frame[end]:
        raise ChecksumError("the checksum is wrong", position=end)
    return Wired(frame[first], frame[first + 1], first + 2, end)


def _sum(data, start, end):
    return sum(data[start:end]) & 0xFF
