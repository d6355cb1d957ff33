"""The deframer: finds the frame in the chips that a radio delivers (link sheet 3, 3.1, 3.3, 5)."""

from ..errors import MisuseError, PhyError, SymbolError
from . import modes
from .framing import frame_bytes

# Per family: how many frame bytes fill how many chip bytes exactly.
# A wrong symbol is noticed when the chips of its group are there.
_GROUPS = {"T": (2, 3), "S": (1, 2)}

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
        self._decode = None
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

    def _find_decoder(self):
        """The family S is never mixed with T: one decoder is enough. Only the code that is used gets loaded."""
        if self.family == "S":
            from .manchester import decode
        else:
            from .three_of_six import decode
        self._decode = decode
        return decode

    def _advance_coded(self):
        have = len(self._chips)
        if have < 2:
            return (12 if self.listens_to != "S" else 16) - 8 * have
        decode = self._decode or self._find_decoder()
        group, group_chips = _GROUPS[self.family]
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


def of(mode, direction, tiv=None):
    """A deframer for what is received in this mode (a name of `modes`, or "T+C").

    tiv: timing input value of a meter that listens for bursts: without it noise would cost a small device more time, and
    33 KiB more heap, than it has.
    """
    if mode == modes.T_AND_C:
        return Deframer(mode)
    family = modes.find(mode, direction).family
    if family == "B":
        from .burst.deframer import BurstDeframer

        return BurstDeframer(direction, () if tiv is None else (tiv,))
    return Deframer(family)
