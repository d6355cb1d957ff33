"""Frame to chips on the air, and the deframer that finds the frame again (link sheet 3, 3.1, 3.3, 5).

A frame is the bytes from the L-field to the last link CRC. Chips are packed, first chip in the most significant bit.
"""

from ..errors import LengthError, MisuseError, PhyError, SymbolError
from . import manchester, modes, three_of_six

_ENCODE = {
    modes.NRZ: bytes,
    modes.MANCHESTER: manchester.encode,
    modes.THREE_OF_SIX: three_of_six.encode,
}


def frame_bytes(length, frame_format):
    """Bytes of a whole frame, L-field and link CRCs included, whose L-field on the air is `length`.

    Legal in format A: 9..255. L does not count the CRCs; C, M and A are nine bytes, so 9 is a frame without CI.
    Legal in format B: 11..127 and 130..255. L counts the CRCs, so 11 is a frame without CI. Block 2 ends with L = 127
    at the latest, and a third block has at least one byte and its CRC, so 128 and 129 cannot occur.
    Anything else raises LengthError. (EN 13757-4 12.5.3; link sheet 5.1, 5.2)
    """
    if frame_format == "A":
        if 9 <= length <= 255:
            return 1 + length + 2 * (1 + (length + 6) // 16)
    elif 11 <= length <= 255 and length not in (128, 129):
        return 1 + length
    raise LengthError("L-field {} is not possible in frame format {}".format(length, frame_format), 0)


def chips(mode, frame, frame_format="A"):
    """Everything that is on the air for one frame: preamble, sync, coded data, trailer; bytes.

    mode: a row of `modes`. frame: bytes with link CRCs. The header is the shortest that the mode allows, the trailer is
    the longest that makes whole bytes of the stream. MisuseError if the mode does not have the frame format or the
    L-field does not fit the number of bytes.
    """
    if frame_format not in mode.sync:
        raise MisuseError("mode {} has no frame format {}".format(mode.name, frame_format))
    if not frame or frame_bytes(frame[0], frame_format) != len(frame):
        raise MisuseError("the L-field does not fit a frame of {} bytes".format(len(frame)))
    sync, sync_chips = mode.sync[frame_format]
    # Every header is whole bytes, and every sync word fits into the last four.
    out = bytearray(b"\x55" * ((2 * mode.preamble_pairs + sync_chips) // 8 - 4))
    out += ((0x55555555 << sync_chips | sync) & 0xFFFFFFFF).to_bytes(4, "big")
    out += _ENCODE[mode.coding](frame)
    most = mode.trailer_chips[1]
    if mode.coding == modes.THREE_OF_SIX:
        # The trailer begins with the inverse of the last data chip and alternates (link sheet 3.1).
        if len(frame) & 1:
            out[-1] |= 0x0A if out[-1] & 0x10 == 0 else 0x05
        else:
            out.append(0xAA if out[-1] & 1 == 0 else 0x55)
    elif most:
        out.append(0x55)  # Manchester ones
    return bytes(out)


# Per family: decoder, and how many frame bytes fill how many chip bytes exactly.
# A wrong symbol is noticed when the chips of its group are there.
_CODES = {
    "T": (three_of_six.decode, 2, 3),
    "S": (manchester.decode, 1, 2),
}

# Second half of the sync of mode C.
_FORMATS_C = {0xCD: "A", 0x3D: "B"}


class Deframer:
    """Finds the frame in the chips behind a sync word; tells early how many chips it will have.

    family: "T" or "C" (chips behind 543D), "T+C" (either, behind 543D) or "S" (behind 7696). In C the second half of
    the sync, 54CD or 543D, is the first two bytes handed in, and tells the frame format.

    After `feed` returned 0: `frame` (bytes), `family`, `frame_format`. After -1: `error`, a SymbolError or LengthError.
    `total_chips`: number of chips from the sync word to the end of the frame, None until it is known.

    A receiver of T+C that took the second half of a format B sync for the first is not repaired (link sheet 3.3 item
    4): what follows is raw bytes that only a link CRC could tell from noise, hundreds of chips later.
    """

    def __init__(self, family):
        if family not in ("T", "C", "S", modes.T_AND_C):
            raise MisuseError("no deframer for {}".format(family))
        self.listens_to = family
        self.reset()

    def reset(self):
        """Forget everything, ready for the chips behind the next sync word."""
        self.family = None if self.listens_to == modes.T_AND_C else self.listens_to
        self.frame_format = None if self.family in (None, "C") else "A"
        self.total_chips = None
        self.frame = None
        self.error = None
        self._chips = bytearray()
        self._out = bytearray()
        self._n_bytes = 0
        self._result = 1

    def feed(self, data):
        """Take packed chips (bytes, any number). > 0: that many chips are still missing, at least; exactly so once
        `total_chips` is known. 0: the frame is complete. -1: rejected. After 0 or -1 nothing changes until `reset`;
        chips behind the frame are ignored. What is bad in `data` never raises.
        """
        if self._result <= 0:
            return self._result
        self._chips += data
        try:
            self._result = self._advance_c() if self._is_c() else self._advance_coded()
        except PhyError as error:
            self.error = error
            self._result = -1
        return self._result

    def _is_c(self):
        # 54 = 010101 00: never the start of a 3-of-6 word, so this is exact (link sheet 3.3 item 2).
        if self.family is None and self._chips:
            self.family = "C" if self._chips[0] == 0x54 else "T"
            if self.family == "T":
                self.frame_format = "A"
        return self.family == "C"

    def _advance_c(self):
        have = len(self._chips)
        if self.total_chips is None:
            if have and self._chips[0] != 0x54:
                raise SymbolError("no second half of a C sync word", 0)
            if have >= 2:
                self.frame_format = _FORMATS_C.get(self._chips[1])
                if self.frame_format is None:
                    raise SymbolError("no second half of a C sync word", 8)
            if have < 3:
                return 24 - 8 * have
            self._n_bytes = frame_bytes(self._chips[2], self.frame_format)
            self.total_chips = 16 + 8 * self._n_bytes
        missing = self.total_chips - 8 * have
        if missing > 0:
            return missing
        self.frame = bytes(self._chips[2 : 2 + self._n_bytes])
        return 0

    def _advance_coded(self):
        have = len(self._chips)
        if have < 2:
            return (12 if self.listens_to != "S" else 16) - 8 * have
        decode, group, group_chips = _CODES[self.family]
        out = self._out
        if self.total_chips is None:
            self._n_bytes = frame_bytes(decode(self._chips, 1)[0], "A")
            self.total_chips = 8 * self._n_bytes * group_chips // group
        missing = self.total_chips - 8 * have
        n_bytes = self._n_bytes if missing <= 0 else have // group_chips * group
        if n_bytes > len(out):
            out += decode(self._chips, n_bytes, len(out))
        if missing > 0:
            return missing
        self.frame = bytes(out)
        return 0
