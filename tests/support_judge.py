"""Judges a conversation of a gateway and its meters by nothing but what was on the air: instants and bytes of every
transmission. It shares no figure, no table and no decoder with the code under test: times are those of link sheet 8.2 to 8.8,
layouts those of link sheet 3 to 7 and security sheet 4 and 7.
"""

from collections import namedtuple

import support_link

MS = 1000000  # ns
S = 1000 * MS

# t_RO, least and most, in ns (link sheet 8.2).
WINDOW = {
    "S2": (3 * MS, 50 * MS),
    "T2": (2 * MS, 3 * MS),
    "C2 fast": (99500000, 100500000),
    "C2 slow": (999500000, 1000500000),
}
# Link sheet 8.3
PERIOD_TOLERANCE_NS = 500000
CYCLE_END_NS = 30 * S
REUSE_NS = 300 * S  # 8.4
NKE_NS = (5 * S, 25 * S)  # 8.7: SND-NKE behind a SND-IR
CLOCK_PPM = 250  # 8.5
# 8.8: what a meter receives, by C-field without FCB, and what it sends
COST_RECEIVED = {0x53: 2, 0x43: 2, 0x5A: 1, 0x5B: 1, 0x40: 1, 0x06: 1}
COST_SENT = {0x08: 5, 0x00: 1, 0x01: 1}
CREDITS, CREDIT_NS = 4000, 720 * S

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
SYNCHRONOUS = ("SND-NR", "ACC-NR", "ACC-DMD")
ANSWERS = ("ACK", "NACK", "RSP-UD")

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
        self.cc = self.number = self.receiver = self.counter = self.ala = self.tpl_number = self.status = None
        self.ci = None
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
        if at < len(telegram):
            self._tpl(telegram, at)

    def _afl(self, afl):
        fcl = int.from_bytes(afl[:2], "little")
        at = 2 + (fcl >> 13 & 1) + (2 if fcl >> 9 & 1 else 0)
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


class _Meter:
    def __init__(self, mode, period_s, nominal_us, credits):
        self.mode = mode
        self.period_ns = period_s * S
        self.nominal_ns = nominal_us * 1000
        self.frames = []  # Frames up
        self.down = []  # Frames to it
        self.slot = None  # last synchronous Frame
        self.repeated = None  # what its cycle repeats
        self.numbers = {}  # gateway's access number -> (telegram, last end)
        self.credits = credits
        self.credit_ns = 0
        self.counters = {}
        self.sent_counters = {}
        self.cuts = []  # ns: instants at which it lost its power


class Judge:
    """meters: {link address, 8 bytes: dict(mode="T2", period_s=2, nominal_us=...)}. credits: at the beginning.

    renewals: so often the master key is changed, and the counters begin again.

    Feed frames in the order of their start. wrong: what no rule allows, as text. margins: {(who, window): [(µs to the nearer
    edge under the reading without trailer, with it)]}. ladder: [(instant in us, text)].
    """

    def __init__(self, meters, credits=CREDITS, cuts=None, renewals=0):
        self.renewals = renewals
        self.meters = {}
        for address, about in meters.items():
            self.meters[address] = _Meter(credits=credits, **about)
        for address, instants in (cuts or {}).items():
            self.meters[address].cuts = [1000 * one for one in instants]
        self.wrong = []
        self.margins = {}
        self.frames = []
        self.strangers = 0
        self.hopped = []
        self.echoes = set()

    def _wrong(self, frame, text):
        self.wrong.append("{:.6f} s {}: {}".format(frame.start_ns / S, frame.text, text))

    def hear(self, sent, echo=False):
        """echo: nobody sent that, it was on the air once more; behind it a gateway may find a window."""
        frame = Frame(sent)
        self.frames.append(frame)
        if echo:
            target = self.meters[frame.address if sent.up else frame.receiver or frame.ala]
            (target.frames if sent.up else target.down).append(frame)
            self.echoes.add(frame)
            return
        if frame.kind is None:
            self._wrong(frame, "C-field {:02X}".format(frame.c))
        elif sent.up and frame.cc is not None and frame.cc & 0x10:
            self.hopped.append(frame)  # of a repeater: opens no window, is no slot
        elif sent.up:
            meter = self.meters.get(frame.address)
            if meter is None:
                self.strangers += 1
            else:
                self._up(meter, frame)
        else:
            target = frame.receiver or frame.ala
            for address in (frame.receiver, frame.ala):
                if address is not None and address not in self.meters:
                    self._wrong(frame, "to nobody: " + address.hex())
                    return
            if target is None:
                self._wrong(frame, "names no meter")
                return
            self._down(self.meters[target], frame)

    # --- windows ---

    def _window(self, meter, asked):
        """Name of the window behind a frame."""
        if meter.mode != "C2":
            return meter.mode
        return "C2 fast" if asked.cc is not None and asked.cc & 0x40 else "C2 slow"

    def _margin(self, meter, asked, start_ns):
        """(window, margin without trailer, with it) in us; the least of both has to be 0 or more."""
        name = self._window(meter, asked)
        least, most = WINDOW[name]
        margins = []
        for end_ns in (asked.data_ns, asked.end_ns):
            delay = start_ns - end_ns
            margins.append(min(delay - least, most - delay) / 1000)
        return name, margins[0], margins[1]

    def _inside(self, meter, asked, start_ns, who, book=True):
        name, *margins = self._margin(meter, asked, start_ns)
        if min(margins) < 0:
            return False
        if book:
            self.margins.setdefault((who, name), []).append(tuple(margins))
        return True

    # --- the gateway ---

    def _down(self, meter, frame):
        before = [one for one in meter.frames[-4:] if one.end_ns <= frame.start_ns]
        heard = before[-1] if before else None
        # What was on the air once more is as good as what it repeats.
        if heard in self.echoes and not self._inside(meter, heard, frame.start_ns, "", False) and before[1:]:
            heard = before[-2]
        if frame.cc is not None and frame.telegram[10] in (0x8C, 0x8E):
            if frame.cc & 0x7B:
                self._wrong(frame, "CC {:02X}: D, S, H, R and the reserved bits are 0".format(frame.cc))
            if not frame.cc & 0x80:
                self._wrong(frame, "bit B of the CC is not set")
        if heard is None:
            self._wrong(frame, "the meter was never heard")
            return
        access = (heard.cc or 0) & 0x84
        farewell = frame.kind == "SND-NKE" and any(
            one.kind == "SND-IR" and NKE_NS[0] <= frame.start_ns - one.end_ns <= NKE_NS[1]
            for one in meter.frames[-4:]
        )
        if access == 0x84:
            pass
        elif access != 0x80:
            if not farewell:
                self._wrong(frame, "no access was offered (B A = {:02X})".format(access))
        elif not self._inside(meter, heard, frame.start_ns, "gateway", not farewell) and not farewell:
            name, *margins = self._margin(meter, heard, frame.start_ns)
            self._wrong(frame, "outside of its window {} by {:.1f} us".format(name, min(margins)))
        if frame.kind in ("ACK", "CNF-IR"):
            if frame.number != heard.number:
                self._wrong(frame, "number {} is not the meter's {}".format(frame.number, heard.number))
            if heard.kind not in ("ACC-DMD", "SND-IR"):
                self._wrong(frame, "answers " + str(heard.kind))
        elif not farewell:
            self._number(meter, frame)
        meter.down.append(frame)
        self._counter(meter.sent_counters, frame, meter)

    def _number(self, meter, frame):
        """ACC-06: not for another datagram within 300 s."""
        known = meter.numbers.get(frame.number)
        if known is not None and known[0] != frame.telegram and frame.start_ns - known[1] < REUSE_NS:
            self._wrong(
                frame,
                "number {} is used again after {:.1f} s".format(
                    frame.number, (frame.start_ns - known[1]) / S
                ),
            )
        meter.numbers[frame.number] = (frame.telegram, frame.end_ns)

    def _counter(self, used, frame, meter):
        """SEC-17, 22: no counter for two messages."""
        if frame.counter is None:
            return
        before = used.get(frame.counter)
        if before not in (None, frame.message) and frame.sent.up and self.renewals:
            self.renewals -= 1
            meter.counters.clear()
            meter.sent_counters.clear()
            before = None
        if before is not None and before != frame.message:
            self._wrong(frame, "message counter {} for two messages".format(frame.counter))
        used[frame.counter] = frame.message

    # --- the meter ---

    def _up(self, meter, frame):
        cut = bool(meter.cuts and meter.cuts[0] < frame.start_ns)
        if cut:
            while meter.cuts and meter.cuts[0] < frame.start_ns:
                meter.cuts.pop(0)
            meter.slot = meter.repeated = None
        own = frame.kind in SYNCHRONOUS + ("SND-IR",)
        if frame.cc is not None and frame.cc & 0x1B:
            self._wrong(frame, "CC {:02X}".format(frame.cc))
        if frame.synchronous:
            self._slot(meter, frame)
        elif own:
            self._asynchronous(meter, frame)
        else:
            self._answer(meter, frame)
        self._counter(meter.counters, frame, meter)
        self._credits(meter, frame)
        meter.frames.append(frame)

    def _slot(self, meter, frame):
        if frame.kind not in SYNCHRONOUS:
            self._wrong(frame, "is never synchronous")
        before, meter.slot = meter.slot, frame
        if not self._in_cycle(meter, frame) or meter.repeated is None:
            meter.repeated = frame
        if before is None:
            return
        number, at_ns = before.number, before.start_ns
        while True:  # a slot that stayed empty has spent its number
            at_ns += meter.nominal_ns * (2048 + abs(number - 128) - 64) // 2048
            number = (number + 1) & 0xFF
            tolerance_ns = (at_ns - before.start_ns) * CLOCK_PPM // 1000000 + MS
            if at_ns + tolerance_ns >= frame.start_ns:
                break
        if abs(at_ns - frame.start_ns) > tolerance_ns:
            self._wrong(frame, "slot is off by {:.3f} ms".format((frame.start_ns - at_ns) / MS))
        if frame.number != number:
            self._wrong(frame, "number {} and not {}".format(frame.number, number))

    def _in_cycle(self, meter, frame):
        return bool(meter.down) and frame.start_ns - meter.down[-1].end_ns <= CYCLE_END_NS

    def _asynchronous(self, meter, frame):
        """A repetition in the cycle (its ACK came), or something new with the number of the last slot."""
        if meter.repeated is not None and frame.same(meter.repeated) and self._in_cycle(meter, frame):
            self._repetition(meter, frame, ())
            return
        if meter.slot is not None and frame.number != meter.slot.number:
            self._wrong(
                frame, "number {} is not that of the last slot, {}".format(frame.number, meter.slot.number)
            )
        meter.repeated = frame

    def _repetition(self, meter, frame, also):
        """At whole periods behind the transmission before; or behind an answer that was not sent."""
        for start_ns, room_ns in [(meter.repeated.start_ns, 0), *also]:
            periods = max(1, (frame.start_ns - start_ns + meter.period_ns // 2) // meter.period_ns)
            off_ns = frame.start_ns - start_ns - periods * meter.period_ns
            tolerance_ns = PERIOD_TOLERANCE_NS
            if -tolerance_ns <= off_ns <= room_ns + tolerance_ns:
                margin = tolerance_ns - abs(off_ns) if not room_ns else tolerance_ns
                self.margins.setdefault(("meter", "t_TxD"), []).append((margin / 1000,) * 2)
                meter.repeated = frame
                return True
        self._wrong(frame, "is no whole period behind {}".format(meter.repeated.text))
        meter.repeated = frame
        return False

    def _answer(self, meter, frame):
        asked = [
            one
            for one in meter.down[-8:]
            if one.end_ns <= frame.start_ns and one.kind not in ("ACK", "CNF-IR")
        ]
        if not asked:
            self._wrong(frame, "nobody has asked")
            return
        last = asked[-1]
        if frame.start_ns - max(one.end_ns for one in asked) > CYCLE_END_NS:
            self._wrong(frame, "behind the end of the cycle")
        for one in reversed(asked[-2:]):
            if frame.number == one.number and self._inside(meter, one, frame.start_ns, "meter"):
                meter.repeated = frame
                self._fits(frame, one)
                return
        if meter.repeated is not None and frame.same(meter.repeated):
            self._repetition(meter, frame, ())
            return
        # Its first time on the air is not the first that it was due: a slot was in the way.
        mine = [one for one in asked if one.number == frame.number]
        if not mine:
            self._wrong(frame, "number {} is nobody's".format(frame.number))
            return
        self._fits(frame, mine[-1])
        meter.repeated = frame
        for one in mine:
            least, most = WINDOW[self._window(meter, one)]
            start_ns = one.data_ns + least
            periods = (frame.start_ns - start_ns) // meter.period_ns
            off_ns = frame.start_ns - start_ns - periods * meter.period_ns
            room_ns = most - least + one.end_ns - one.data_ns + PERIOD_TOLERANCE_NS
            if periods >= 1 and (off_ns <= room_ns or off_ns >= meter.period_ns - PERIOD_TOLERANCE_NS):
                return
        name, *margins = self._margin(meter, last, frame.start_ns)
        self._wrong(frame, "outside of its window {} by {:.1f} us".format(name, min(margins)))

    def _fits(self, frame, asked):
        """Oms-requirements sheet 4.1: what answers what."""
        fits = {
            "SND-UD": ("ACK", "NACK"),
            "SND-UD2": ("RSP-UD", "NACK", "ACK"),
            "REQ-UD1": ("ACK", "RSP-UD"),
            "REQ-UD2": ("RSP-UD", "NACK"),
        }.get(asked.kind, ())
        if frame.kind not in fits:
            self._wrong(frame, "answers " + asked.kind)
        if (
            frame.tpl_number is not None
            and asked.tpl_number is not None
            and frame.tpl_number != asked.tpl_number
        ):
            self._wrong(frame, "TPL-ACC {} and not {}".format(frame.tpl_number, asked.tpl_number))

    def _credits(self, meter, frame):
        """What it certainly received is what it answers."""
        gained = (frame.start_ns - meter.credit_ns) // CREDIT_NS
        meter.credit_ns += gained * CREDIT_NS
        meter.credits = min(CREDITS, meter.credits + gained)
        cost = COST_SENT.get(frame.c & 0xCF, 0) if frame.kind in ANSWERS else 0
        if cost and (not meter.frames or not frame.same(meter.frames[-1])):
            cost += COST_RECEIVED.get(meter.down[-1].c & 0xDF, 0) if meter.down else 0
        meter.credits -= cost
        if meter.credits < 0:
            self._wrong(frame, "credits below 0")

    # --- what is told ---

    def ladder(self, address=None, repeats=False):
        """["M SND-NR", "G SND-UD", ...]; without repeats: what follows its like is left out."""
        out = []
        before = {}
        for frame in self.frames:
            meter = frame.address if frame.sent.up else frame.receiver or frame.ala
            if address is not None and meter != address:
                continue
            last = before.get((meter, frame.sent.up))
            if not repeats and last is not None and frame.same(last):
                continue
            before[meter, frame.sent.up] = frame
            out.append(frame.text)
        return out

    def summary(self):
        """{(who, window): (how many, least margin, median) in us}, of the narrower reading."""
        out = {}
        for name, pairs in self.margins.items():
            margins = sorted(min(pair) for pair in pairs)
            out[name] = (len(margins), margins[0], margins[len(margins) // 2])
        return out


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
