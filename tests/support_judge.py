"""Judges a conversation of a gateway and its meters by nothing but what was on the air: instants and bytes of every
transmission (support_on_air). It shares no figure and no table with the code under test: times are those of link sheet 8.2 to
8.8.
"""

from support_fragments import Fragments
from support_on_air import Frame

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
CLOSED_NS = (
    12 * 3600 * S
)  # from the first frame without access to the first with it, while the meter has power

# Oms-requirements sheet 4.1
SYNCHRONOUS = ("SND-NR", "ACC-NR", "ACC-DMD")
ANSWERS = ("ACK", "NACK", "RSP-UD")


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
        self.off_ns = 0  # how long it had none since its last frame
        self.closed_ns = None  # how long it has offered no access
        self.longest_ns = 0


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
            self.meters[address].fragments = Fragments(self._wrong)
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
        meter.fragments.hear(frame)
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
        """SEC-17, 22: no counter for two messages under one key. What names its key is not compared with what names another."""
        if frame.counter is None:
            return
        before = used.get(frame.counter, {})
        others = [one for one in before.values() if one != frame.message]
        if others and frame.sent.up and self.renewals:
            self.renewals -= 1
            meter.counters.clear()
            meter.sent_counters.clear()
            before = {}
        if before.get(frame.named_key, frame.message) != frame.message:
            self._wrong(frame, "message counter {} for two messages".format(frame.counter))
        used.setdefault(frame.counter, {})[frame.named_key] = frame.message

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
        self._closed(meter, frame)
        meter.frames.append(frame)
        meter.fragments.hear(frame)

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

    def _closed(self, meter, frame):
        """8.8, CRD-05: no longer than 12 h."""
        off_ns, meter.off_ns = meter.off_ns, 0
        if frame.cc is None:
            return
        if meter.closed_ns is not None:
            meter.closed_ns += frame.start_ns - meter.frames[-1].start_ns - off_ns
            meter.longest_ns = max(meter.longest_ns, meter.closed_ns)
            if meter.closed_ns > CLOSED_NS:
                self._wrong(frame, "no access for {:.1f} h".format(meter.closed_ns / S / 3600))
        if frame.cc & 0x84 != 0x04:
            meter.closed_ns = None
        elif meter.closed_ns is None:
            meter.closed_ns = 0

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
