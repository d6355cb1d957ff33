"""What was on the air: from chips to frames with their layers. It shares no table and no decoder with the code under test:
layouts are those of link sheet 3 to 7 and security sheet 4 and 7.
"""

from collections import namedtuple

import support_link

# Oms-requirements sheet 4.1
UP = {
    0x44: "SND-NR",
    0x46: "SND-IR",
    0x47: "ACC-NR",
    0x48: "ACC-DMD",
    0x00: "ACK",
    0x01: "NACK",
    0x08: "RSP-UD",
}
DOWN = {0x40: "SND-NKE", 0x43: "SND-UD2", 0x53: "SND-UD", 0x73: "SND-UD"}
DOWN.update({0x5A: "REQ-UD1", 0x7A: "REQ-UD1", 0x5B: "REQ-UD2", 0x7B: "REQ-UD2", 0x00: "ACK", 0x06: "CNF-IR"})

# CI codes with the long and with the short header (link sheet 6.1, oms-requirements sheet 2.1).
LONG = (0x53, 0x55, 0x5B, 0x5F, 0x60, 0x64, 0x6C, 0x6D, 0x80, 0x82, 0xC0, 0xC3)
LONG += (0x68, 0x6F, 0x72, 0x75, 0x7C, 0x7E, 0x87, 0x8B, 0x9F, 0xC2, 0xC5)
SHORT = (0x67, 0x6E, 0x74, 0x7A, 0x7D, 0x7F, 0x88, 0x8A, 0x9E, 0xC1, 0xC4)

_BY_WORD = {int(word, 2): value for value, word in enumerate(support_link.THREE_OF_SIX)}


def _crc_table():
    return [int.from_bytes(support_link.crc(bytes((0, value))), "big") ^ 0xFFFF for value in range(256)]


_CRC = _crc_table()


def _crc(data):
    rest = 0
    for byte in data:
        rest = rest << 8 & 0xFFFF ^ _CRC[rest >> 8 ^ byte]
    return rest ^ 0xFFFF


def strip(frame):
    """The bytes of a frame of format A without its CRCs, or None if one is wrong."""
    out = b""
    at, size = 0, 10
    total = frame[0] + 1
    while len(out) < total:
        size = min(size, total - len(out))
        block, crc = frame[at : at + size], frame[at + size : at + size + 2]
        if len(crc) < 2 or _crc(block) != int.from_bytes(crc, "big"):
            return None
        out += block
        at += size + 2
        size = 16
    return out


def _bytes(chips, coding):
    """Yields (byte, chips used until its end)."""
    at = 0
    if coding == "N":
        while at + 8 <= len(chips):
            yield int(chips[at : at + 8], 2), at + 8
            at += 8
    elif coding == "M":
        while at + 16 <= len(chips):
            pairs = [chips[i : i + 2] for i in range(at, at + 16, 2)]
            if any(pair not in ("01", "10") for pair in pairs):
                return
            yield int("".join("1" if pair == "01" else "0" for pair in pairs), 2), at + 16
            at += 16
    else:
        while at + 12 <= len(chips):
            high, low = int(chips[at : at + 6], 2), int(chips[at + 6 : at + 12], 2)
            if high not in _BY_WORD or low not in _BY_WORD:
                return
            yield _BY_WORD[high] << 4 | _BY_WORD[low], at + 12
            at += 12


# Sync word, coding, by carrier in kHz: (link sheet 1, 3.2)
_ON_AIR = {
    868300: (("0111011010010110", "M", "S"),),
    868950: ((format(0x543D54CD, "032b"), "N", "C"), ("0101010000111101", "3", "T")),
    869525: ((format(0x543D54CD, "032b"), "N", "C"),),
}


_DIGITS = bytes([48, 49]) + bytes(254)


def read(chips, frequency_hz):
    """(telegram without CRCs, family, index of the chip behind its last data chip) of what was on the air, or None."""
    carrier = min(_ON_AIR, key=lambda khz: abs(khz * 1000 - frequency_hz))
    text = bytes(chips).translate(_DIGITS).decode()
    for sync, coding, family in _ON_AIR[carrier]:
        at = text.find(sync)
        if at < 0:
            continue
        start = at + len(sync)
        frame, total = bytearray(), None
        for byte, end in _bytes(text[start:], coding):
            frame.append(byte)
            total = total or frame[0] + 1 + 2 * (1 + (frame[0] + 6) // 16)
            if len(frame) == total:
                telegram = strip(bytes(frame))
                return None if telegram is None else (telegram, family, start + end)
        if family == "C":
            continue
    return None


# One transmission. up: a meter sent it. data_ns: end of its last data chip; end_ns: of its last chip.
Sent = namedtuple("Sent", ("source", "up", "mode", "start_ns", "data_ns", "end_ns", "telegram"))


# number: of the fragment, 0: of none. more: behind it. control: MCL, 0 if there is none. mac: whether it has one. length: ML or None.
Afl = namedtuple("Afl", ("number", "more", "control", "mac", "length"))


class Frame:
    """Sent, with its layers."""

    def __init__(self, sent):
        self.sent = sent
        telegram = sent.telegram
        self.start_ns, self.data_ns, self.end_ns = sent.start_ns, sent.data_ns, sent.end_ns
        self.telegram = telegram
        self.c = telegram[1]
        self.kind = (UP if sent.up else DOWN).get(self.c & 0xCF if sent.up and self.c < 0x40 else self.c)
        self.address = telegram[2:10]
        self.named_key = None  # AFL.KI: key id and version
        self.cc = self.number = self.receiver = self.counter = self.ala = self.tpl_number = self.status = None
        self.ci = self.afl = None
        at = 10
        if at < len(telegram) and telegram[at] in (0x8C, 0x8E):
            self.cc, self.number = telegram[at + 1 : at + 3]
            if telegram[at] == 0x8E:
                self.receiver = telegram[at + 3 : at + 11]
            at += 3 if telegram[at] == 0x8C else 11
        if at < len(telegram) and telegram[at] == 0x90:
            self._afl(telegram[at + 2 : at + 2 + telegram[at + 1]])
            at += 2 + telegram[at + 1]
        self.message = telegram[at:]
        if at < len(telegram) and (self.afl is None or self.afl.number < 2):
            self._tpl(telegram, at)

    def _afl(self, afl):
        fcl = int.from_bytes(afl[:2], "little")
        control = afl[2] if fcl >> 13 & 1 else 0
        length = int.from_bytes(afl[-2:], "little") if fcl >> 12 & 1 else None
        self.afl = Afl(fcl & 0xFF, bool(fcl >> 14 & 1), control, bool(fcl >> 10 & 1), length)
        at = 2 + (fcl >> 13 & 1)
        if fcl >> 9 & 1:
            self.named_key = afl[at : at + 2]
            at += 2
        if fcl >> 11 & 1:
            self.counter = int.from_bytes(afl[at : at + 4], "little")

    def _tpl(self, telegram, at):
        self.ci = telegram[at]
        if self.ci in LONG:
            number, maker = telegram[at + 1 : at + 5], telegram[at + 5 : at + 7]
            self.ala = maker + number + telegram[at + 7 : at + 9]
            at += 8
        elif self.ci not in SHORT:
            return
        self.tpl_number, self.status = telegram[at + 1], telegram[at + 2]
        field = int.from_bytes(telegram[at + 3 : at + 5], "little")
        if self.cc is None:  # link bits of the configuration field (link sheet 7.2)
            self.cc = (field >> 15 & 1) << 7 | (field >> 14 & 1) << 2 | (field >> 13 & 1) << 5
            self.number = self.tpl_number
        if field >> 8 & 0x1F == 10:
            cfe = int.from_bytes(telegram[at + 5 : at + 7], "little")
            start = at + 7 + (cfe >> 6 & 1)
            self.counter = int.from_bytes(telegram[start : start + 4], "little")

    @property
    def synchronous(self):
        return bool(self.cc is not None and self.cc & 0x20)

    @property
    def text(self):
        return "{} {}".format("M" if self.sent.up else "G", self.kind)

    def same(self, other):
        """Whether it repeats the other: all the same but for S, B and A (a repetition is never synchronous, and may be the last
        that offers access)."""
        if other is None or len(self.telegram) != len(other.telegram):
            return False
        if self.telegram == other.telegram:
            return True
        return _bare(self.telegram) == _bare(other.telegram)


def _bare(telegram):
    if telegram[10] in (0x8C, 0x8E):
        return telegram[:11] + bytes((telegram[11] & 0x5B,)) + telegram[12:]
    return telegram[:10]


def air_frames(log, gateways, modes, skip=(), mended=(), echoes=()):
    """[(Sent, whether it is an echo)] of a virtual air's log. gateways: names of sources. modes: {source: "T2"} of the others. skip: transmissions that
    were only in the log. echoes: ids of those that nobody sent. mended: {id of a transmission: index of a chip that was made wrong}."""
    out = []
    skipped = {id(one) for one in skip}
    for one in log:
        if one.end_ns is None or id(one) in skipped:
            continue
        chips = one.chips
        if id(one) in mended:
            chips = bytearray(chips)
            chips[mended[id(one)]] ^= 1
        found = read(chips, one.frequency_hz)
        if found is None:
            continue  # cut off, or no frame
        telegram, _, index = found
        up = one.source not in gateways
        instants = (one.start_ns, one.time_ns(index), one.end_ns)
        out.append((Sent(one.source, up, modes.get(one.source), *instants, telegram), id(one) in echoes))
    return sorted(out, key=lambda pair: pair[0].start_ns)
