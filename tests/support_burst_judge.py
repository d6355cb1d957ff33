"""Judges a conversation of a gateway and its burst meters by nothing but what was on the air: instants, carriers and chips of every
transmission. Figures are those of LPWAN sheet 2, 11 and 13 to 17, typed in; bursts and frames are read by support_burst_judge_air
and support_burst_judge_mac.
"""

import support_burst_judge_air as air
import support_burst_judge_mac as macs

S = 1000000  # us
JITTER_US = 500
EARLY_PPM, LATE_PPM = 20, 30  # 11.3: t_RO of a gateway
METER_PPM = 250
REUSE_US = 300 * S  # 21: an access number of the gateway
UNASKED_US = 50 * S  # 11.2: t_RM, where nobody asks for one
NOMINAL_MOST_US = {"UL-B4": 900 * S}  # 11.4; else 120 min
SYNCHRONOUS = ("SND-NR", "ACC-NR", "ACC-DMD")
# Tables Q.21 to Q.30, seconds: (UL-B1 to B3, UL-B4)
T_BURST = ((9, 27, 48), (3, 9, 16))
T_JITTER = (3, 1)
T_RO_SINGLE = {"fast": (4.5, 1.5), "medium": (13.5, 4.5), "slow": (27, 9)}
T_RM_SINGLE = {"fast": (13.5, 4.5), "medium": (27, 9), "slow": (54, 18)}
HALVES = {"fast": 0.5, "medium": 1, "slow": 2}  # of t_A, uplink multi
OPTIONS = {
    1: ("fast", "fast"), 2: ("fast", "medium"), 3: ("fast", "slow"), 4: ("medium", "fast"),
    5: ("medium", "slow"), 6: ("slow", "fast"), 7: ("slow", "medium"), 8: ("slow", "slow"),
}  # fmt: skip
RTRM = {1: "fast", 2: "medium", 3: "slow"}
FITS = {
    "SND-UD": ("ACK", "NACK"),
    "SND-UD2": ("RSP-UD", "NACK", "ACK"),
    "REQ-UD1": ("ACK", "RSP-UD"),
    "REQ-UD2": ("RSP-UD", "NACK"),
}


class Uplink:
    """One uplink frame with its bursts, and what follows from it. Times in us of the air, T0 first."""

    def __init__(self, burst, frame):
        self.name, self.frame = burst.name, frame
        self.multi, self.type, self.tiv = burst.multi, burst.type, burst.tiv
        self.bursts = {1: burst}
        self.macks = []
        self.t0_us = burst.t0_ns / 1000
        self.echoes = []
        self.down = []  # Downlinks in its slots
        group = 1 if burst.name == "UL-B4" else 0
        jitter = T_JITTER[group] * (burst.tiv - 64) / 64
        t_burst = T_BURST[group][burst.type] if burst.multi else 0
        self.t_burst = t_burst * S
        self.t_a = (0.75 * t_burst + jitter) * S if burst.multi else 0
        self.t_b = (1.25 * t_burst + jitter) * S if burst.multi else 0
        self.offsets = (0, self.t_a, self.t_a + self.t_b)
        self.fast = T_RO_SINGLE["fast"][group] * S
        self.slots = {}
        if frame.up.access:
            ro, rm = OPTIONS[frame.up.timing]
            self.t_ro = HALVES[ro] * self.t_a if burst.multi else T_RO_SINGLE[ro][group] * S
            self.t_rm = {
                speed: HALVES[speed] * self.t_a if burst.multi else T_RM_SINGLE[speed][group] * S
                for speed in HALVES
            }
            self.least = rm
            self._slots(frame.up)

    def _slots(self, up):
        """{number: (offset, index)}, 11.2."""
        end = self.offsets[2]
        self.slots[0] = (end + self.t_ro, 1)
        if up.multi:
            self.slots[1] = (end + 2 * self.t_ro, 2)
            self.slots[2] = (end + 3 * self.t_ro, 3)
        if self.multi and up.additional:
            self.slots[3] = (self.t_ro, 1)
            if up.multi:
                self.slots[4] = (self.t_a + self.t_ro, 2)
                self.slots[5] = (self.t_a + 2 * self.t_ro, 3)

    @property
    def last_us(self):
        return self.slots[2 if self.frame.up.multi else 0][0]

    def after(self, rtrm):
        """(least, most) from T0 to that of the next uplink in the session."""
        if rtrm in RTRM:
            exact = self.last_us + self.t_rm[RTRM[rtrm]]
            return exact, exact
        least = self.t_rm[self.least]
        return self.last_us + least, self.last_us + max(least, UNASKED_US)

    def distance_us(self, sc):
        """t_FD, 11.5."""
        return (0, 3, 6, 9)[sc] * self.t_burst if self.multi else (0, 1, 3, 6)[sc] * self.fast


class Downlink:
    def __init__(self, burst, frame, slot):
        self.burst, self.frame, self.slot = burst, frame, slot
        self.at_us = burst.t0_ns / 1000


class _Meter:
    def __init__(self, nominal_us):
        self.nominal_us = nominal_us
        self.uplinks = []
        self.tiv = None
        self.slot = None  # (t0, number, nominal) of the last synchronous frame
        self.numbers = {}  # of the gateway: (frame bytes from the LLC on, last instant)
        self.bodies = {}  # (usage, MDerCounter, counter): bytes of the body
        self.der = 0
        self.last = {}  # usage: counter
        self.messages = {True: {}, False: {}}  # up: {counter: bytes}
        self.highest = {True: -1, False: -1}
        self.rtrm = 0
        self.cuts = []  # us


class Judge:
    """meters: {link address: dict(source=name, nominal_us=, key=bytes or None)}. lost: ids of transmissions that nobody heard. cuts:
    {source: [us]}. crystals: {source: ppm}. strict: sources that keep to every limit of Annex Q.

    wrong: what no rule allows. margins: {(who, what): [us]}. ladder: [(s, text)]. beyond: {source: what is outside the limits}.
    """

    def __init__(self, meters, lost=(), cuts=None, crystals=None, strict=(), ghosts=()):
        self.wrong = []
        self.margins = {}
        self.ladder = []
        self.beyond = {}
        self.frames = []
        self.meters = {}
        self.lost = set(lost)
        self.ghosts = set(ghosts)  # ids of transmissions that nobody of ours sent so
        self.crystals = crystals or {}
        self.strict = strict
        self._addresses = {}
        self._keys = {}
        for address, about in meters.items():
            one = self.meters[address] = _Meter(about["nominal_us"])
            one.cuts = sorted((cuts or {}).get(about["source"], ()))
            one.address = address
            self._addresses[about["source"]] = address
            self._keys[address] = about.get("key")
        self.blocks = []  # (us, kind, [(id, value)])

    def _wrong(self, sent, text):
        self.wrong.append("{:.6f} s {}: {}".format(sent.start_ns / 1e9, sent.source, text))

    def _margin(self, who, what, margin_us):
        self.margins.setdefault((who, what), []).append(margin_us)

    def _say(self, at_us, text):
        self.ladder.append((round(at_us / S, 3), text))

    def hear(self, sent, chips=None):
        """sent: a Transmission that has ended, in the order of their starts. chips: as they were to be, where an error was put in by
        intention."""
        try:
            burst = air.read(sent, chips)
        except air.Malformed as error:
            self._wrong(sent, "no burst: {}".format(error))
            return
        for what in air.beyond(burst):
            self.beyond.setdefault(sent.source, set()).add(burst.name + " " + what.split(" ")[0])
            if sent.source in self.strict:
                self._wrong(sent, "beyond the limits: " + what)
        try:
            if burst.up:
                self._up(burst)
            else:
                self._down(burst)
        except (air.Malformed, macs.Malformed) as error:
            self._wrong(sent, str(error))

    def echo(self, sent):
        """An uplink burst that nobody sent was on the air once more: a gateway may count from it."""
        burst = air.read(sent)
        meter = self.meters[self._addresses[sent.source]]
        meter.uplinks[-1].echoes.append(burst.t0_ns / 1000)

    # --- uplinks ---

    def _up(self, burst):
        sent = burst.sent
        meter = self.meters[self._addresses[sent.source]]
        if meter.tiv not in (None, burst.tiv):
            self._wrong(sent, "TIV {} and not {}".format(burst.tiv, meter.tiv))
        meter.tiv = burst.tiv
        before = meter.uplinks[-1] if meter.uplinks else None
        if before is not None and before.multi and self._further(before, burst):
            return
        payload, index = air.payload(burst)
        frame = macs.Frame(payload, burst.name)
        if index != 1:
            self._wrong(sent, "UL{} where a frame begins".format(index))
        if frame.kind == "MACK":
            self._wrong(sent, "a MACK where none belongs")
            return
        one = Uplink(burst, frame)
        self.frames.append(one)
        self._say(one.t0_us, "M " + frame.text)
        self._carrier(one, burst, 1)
        self._frame_up(meter, before, one)
        meter.uplinks.append(one)

    def _further(self, before, burst):
        """A second or third burst of a frame, or a MACK in its place."""
        sent = burst.sent
        offset = burst.t0_ns / 1000 - before.t0_us
        index = min((2, 3), key=lambda i: abs(before.offsets[i - 1] - offset))
        nominal = before.offsets[index - 1]
        room = JITTER_US * (index - 1) + nominal * METER_PPM / 1e6
        if abs(offset - nominal) > 20000:
            return False
        margin = room - abs(offset - nominal)
        mack = not burst.multi and air.systematic(burst) == macs.MACK
        what = "t_A" if index == 2 else "t_A + t_B"
        if margin < 0:
            self._wrong(sent, "{} is {:.0f} us off".format(what, offset - nominal))
        self._margin("meter", what, margin)
        early = [one for one in before.down if one.slot >= 3 and one.at_us < burst.start_ns / 1000]
        if mack:
            if not early:
                self._wrong(sent, "a MACK, and nobody has spoken")
            if burst.type != 2:
                self._wrong(sent, "a MACK of type {}".format(burst.type))
            before.macks.append(burst)
            self._say(burst.t0_ns / 1000, "M MACK")
        else:
            if air.index_of(burst, before.frame.raw) != index:
                self._wrong(sent, "is not UL{} of its frame".format(index))
            before.bursts[index] = burst
            if before.macks:
                self._wrong(sent, "UL{} behind a MACK".format(index))
        self._carrier(before, burst, index)
        return True

    def _carrier(self, one, burst, index):
        """UB says on which sub-carrier; without it nobody knows (sheet 25, trap 19)."""
        ub = one.frame.up.ub
        if burst.name != one.name:
            self._wrong(burst.sent, "changes its sub-mode inside a frame")
        if burst.name == "UL-B4":
            return
        if ub is None:
            self._wrong(burst.sent, "no UB")
        elif ub[index - 1] != burst.n:
            self._wrong(burst.sent, "n = {}, and UB says {}".format(burst.n, ub))
        if not one.multi and ub is not None and ub[1:] != (0, 0):
            self._wrong(burst.sent, "n1, n2 of a single burst")

    def _frame_up(self, meter, before, one):
        frame, sent = one.frame, one.bursts[1].sent
        cut = bool(meter.cuts and meter.cuts[0] < one.t0_us)
        while meter.cuts and meter.cuts[0] < one.t0_us:
            meter.cuts.pop(0)
        if frame.address != meter.address:
            self._wrong(sent, "TXA is not its own")
        if frame.kind == "MERR" and frame.body is not None:
            self._wrong(sent, "a MERR with a body")
        if before is not None and not cut:
            self._whole(before)
        if before is not None and before.frame.up.session and not cut:
            distance = before.distance_us(before.frame.up.session)
            off = abs(one.t0_us - before.t0_us - distance)
            room = JITTER_US + distance * METER_PPM / 1e6
            self._margin("meter", "t_FD", room - off)
            if off > room:
                self._wrong(sent, "t_FD is {:.0f} us off".format(off))
        if frame.up.downlink and frame.up.downlink[3] != "B":
            self._wrong(sent, "offers " + frame.up.downlink)
        if frame.flag:
            self._synchronous(meter, one, cut)
        elif frame.kind_of_link in SYNCHRONOUS and meter.slot and frame.number != meter.slot[1]:
            self._wrong(sent, "number {} is not that of the last slot".format(frame.number))
        answer = frame.kind in ("MRSP", "MERR") or frame.kind_of_link in ("RSP-UD", "ACK", "NACK")
        if answer:
            self._answer(meter, before, one, cut)
        self._secured(meter, sent, frame, True)
        self._message(meter, sent, frame, True)

    def _whole(self, before):
        """All bursts of a frame, unless the meter knew that it was heard."""
        if not before.multi:
            return
        missing = {2, 3} - set(before.bursts)
        if missing and not any(one.slot >= 3 for one in before.down):
            self._wrong(before.bursts[1].sent, "its bursts {} are missing".format(sorted(missing)))

    def _synchronous(self, meter, one, cut):
        frame, sent = one.frame, one.bursts[1].sent
        if frame.kind_of_link not in SYNCHRONOUS:
            self._wrong(sent, "is never synchronous")
        nominal_us = min(meter.nominal_us, NOMINAL_MOST_US.get(one.name, 7200 * S))
        before, meter.slot = meter.slot, (one.t0_us, frame.number, nominal_us)
        if before is None or cut:
            return
        at_us, number, nominal_us = before
        waited = 0
        while True:  # slots that stayed empty have spent their numbers
            at_us += nominal_us * (1 + (abs(number - 128) - 64) / 2048)
            waited += nominal_us
            number = (number + 1) & 0xFF
            room = waited * METER_PPM / 1e6 + 2000
            if at_us > one.t0_us - room or waited > 400 * nominal_us:
                break
        off = abs(one.t0_us - at_us)
        if off > room or number != frame.number:
            self._wrong(
                sent, "slot of number {} is {:.0f} us off, its number {}".format(frame.number, off, number)
            )
        else:
            self._margin("meter", "t_ACC", room - off)

    def _answer(self, meter, before, one, cut):
        frame, sent = one.frame, one.bursts[1].sent
        if cut or before is None:
            return
        if not frame.up.session and frame.up.access is None and not frame.flag:
            self._wrong(sent, "an answer that offers no access")
        if before.frame.kind == frame.kind == "MSNR" and before.frame.up.session:
            return
        if not before.down:
            self._wrong(sent, "answers nobody")
            return
        asked = before.down[-1].frame
        if frame.kind == "MRSP":
            if asked.kind != "MCMD":
                self._wrong(sent, "a MRSP to a " + asked.kind)
            elif frame.body is None or frame.body.counter != asked.body.counter:
                self._wrong(sent, "a MRSP with another counter than its command")
        if frame.kind == "MERR" and asked.kind != "MCMD":
            self._wrong(sent, "a MERR to a " + asked.kind)
        if frame.kind_of_link in ("RSP-UD", "ACK", "NACK"):
            if frame.kind_of_link not in FITS.get(asked.kind_of_link, ()):
                self._wrong(sent, "answers {}".format(asked.kind_of_link))
            if frame.number != asked.number:
                self._wrong(sent, "number {} is not {}".format(frame.number, asked.number))
        rtrm = asked.da.rtrm or meter.rtrm
        least, most = before.after(rtrm)
        tolerance = JITTER_US + (one.t0_us - before.t0_us) * METER_PPM / 1e6
        behind = one.t0_us - before.t0_us
        margin = min(behind - least, most - behind) + tolerance
        self._margin("meter", "t_RM", margin)
        if margin < 0:
            self._wrong(
                sent,
                "t_RM: {:.6f} s behind T0, allowed {:.6f} to {:.6f}".format(behind / S, least / S, most / S),
            )

    # --- downlinks ---

    def _down(self, burst):
        sent = burst.sent
        meter, uplink = self._target(burst)
        if meter is None:
            self._wrong(sent, "no meter with TIV {} has spoken".format(burst.tiv))
            return
        ghost = id(sent) in self.ghosts
        at_us = burst.t0_ns / 1000
        if not uplink.slots:
            self._wrong(sent, "no access was offered (DL-AC {})".format(uplink.frame.up.code))
            return
        number, index, margin = self._slot(uplink, at_us)
        up = uplink.frame.up
        known = [one for one in uplink.down if len(one.frame.raw) == burst.length]
        if burst.multi and known and air.index_of(burst, known[-1].frame.raw):
            part = air.index_of(burst, known[-1].frame.raw)
            frame = known[-1].frame
        else:
            payload, part = air.payload(burst)
            frame = macs.Frame(payload, None)
            self._say(at_us, "G {} RX{}".format(frame.text, number))
            if not ghost:
                self._frame_down(meter, uplink, frame, sent)
        if ghost:
            return
        if margin < 0:
            self._wrong(sent, "misses RX{} by {:.0f} us".format(number, -margin))
        self._margin("gateway", "RX{}".format(number), margin)
        if part != index:
            self._wrong(sent, "DL{} in RX{}".format(part, number))
        if burst.multi and not up.multi:
            self._wrong(sent, "a multi burst to a meter that takes none")
        n = up.uc[index - 1] if up.uc else 2
        if (burst.name, burst.n) != (up.downlink, n):
            self._wrong(sent, "{} n {}, and not {} n {}".format(burst.name, burst.n, up.downlink, n))
        air_us = (burst.end_ns - burst.start_ns) / 1000
        if up.rxm_ms is not None:
            self._margin("gateway", "DL-RXM", up.rxm_ms * 1000 - air_us)
            if air_us > up.rxm_ms * 1000 * (1 + 1120 / 1e6):
                self._wrong(sent, "{:.1f} ms are more than {} ms".format(air_us / 1000, up.rxm_ms))
        if any(one.t0_ns < burst.start_ns and id(one.sent) not in self.lost for one in uplink.macks):
            self._wrong(sent, "RX{} behind a MACK".format(number))
        if any(one.slot == number for one in uplink.down):
            self._wrong(sent, "RX{} twice".format(number))
        source = meter_source(self, meter)
        if source in self.crystals:
            own_hz = air.carrier_hz(burst.name, burst.n) * (1 + self.crystals[source] / 1e6)
            self.margins.setdefault(
                ("gateway", "carrier, Hz of " + str(air.DOWNLINK_HZ[burst.name])), []
            ).append(air.DOWNLINK_HZ[burst.name] - abs(burst.carrier_hz - own_hz))
        uplink.down.append(Downlink(burst, frame, number))

    def _target(self, burst):
        """The meter whose uplink this answers: the last with its TIV."""
        found = None
        for meter in self.meters.values():
            last = meter.uplinks[-1] if meter.uplinks and meter.tiv == burst.tiv else None
            if last is not None and (found is None or last.t0_us > found[1].t0_us):
                found = meter, last
        return found or (None, None)

    def _slot(self, uplink, at_us):
        """(number, index, margin in us) of the slot that is meant; it counts from a burst that was heard."""
        best = None
        bursts = list(uplink.bursts.items())
        heard = [(i, one) for i, one in bursts if id(one.sent) not in self.lost] or bursts
        heard = [(i, one.t0_ns / 1000) for i, one in heard] + [(1, t0_us) for t0_us in uplink.echoes]
        for i, t0_us in heard:
            for number, (offset, index) in uplink.slots.items():
                behind = offset - uplink.offsets[i - 1]
                away = at_us - t0_us
                if behind <= 0 or away <= 0:
                    continue
                least = behind * (1 - EARLY_PPM / 1e6) - JITTER_US
                most = behind * (1 + LATE_PPM / 1e6) + JITTER_US
                margin = min(away - least, most - away)
                if best is None or margin > best[2]:
                    best = (number, index, margin)
        return best

    def _frame_down(self, meter, uplink, frame, sent):
        if frame.kind_of_link is not None and frame.receiver != meter.address:
            self._wrong(sent, "RXA is not the meter")
        if frame.kind == "MCMD" and frame.body is None:
            self._wrong(sent, "a MCMD without body")
        if frame.body is not None and frame.body.counter is None:
            self._wrong(sent, "a command that is not secured")
        if frame.da.rtrm > 3:
            self._wrong(sent, "RTRM {}".format(frame.da.rtrm))
        elif frame.da.rtrm:
            if HALVES[RTRM[frame.da.rtrm]] < HALVES[uplink.least]:
                self._wrong(sent, "asks for a t_RM that the meter does not announce")
            meter.rtrm = frame.da.rtrm
        if frame.da.sc:
            meter.rtrm = 0
        if frame.number is not None and frame.kind_of_link not in ("ACK", "CNF-IR"):
            at_us = sent.start_ns / 1000
            known = meter.numbers.get(frame.number)
            same = known is not None and known[0] == (frame.c & 0xDF, frame.upper)
            if known is not None and not same and at_us - known[1] < REUSE_US:
                self._wrong(
                    sent, "number {} again after {:.0f} s".format(frame.number, (at_us - known[1]) / S)
                )
            meter.numbers[frame.number] = ((frame.c & 0xDF, frame.upper), at_us)
        self._secured(meter, sent, frame, False)
        self._message(meter, sent, frame, False)

    # --- counters ---

    def _secured(self, meter, sent, frame, up):
        body = frame.body
        if body is None:
            return
        if body.counter is None:
            held = [number for number, _ in macs.blocks(body.secret)]
            if frame.kind != "MSNR" or body.der is not None or any(one in macs.SECURE for one in held):
                self._wrong(sent, "a body that must be secured: {}".format(held))
            return
        key = self._keys[meter.address]
        if key is None:
            self._wrong(sent, "a secured body, and nobody has a key")
            return
        der = meter.der if body.der is None else body.der
        found = macs.opened(frame, key, meter.address, der)
        if found is None:
            self._wrong(sent, "MMAC")
            return
        self.blocks.append((sent.start_ns / 1000, frame.kind, found))
        self._say(
            sent.start_ns / 1000,
            "  {} {}".format("M" if up else "G", " ".join("{:02X}={}".format(i, v.hex()) for i, v in found)),
        )
        usage = macs.USAGE[frame.kind]
        if frame.kind == "MRSP" and der > meter.der:
            meter.der = der
            meter.last.pop(0, None)
        name = (usage, der, body.counter)
        before = meter.bodies.setdefault(name, body.raw)
        if before != body.raw:
            self._wrong(
                sent,
                "{} counter {} under MDerCounter {} for two bodies".format(frame.kind, body.counter, der),
            )
        last = meter.last.get((usage, der), -1)
        if body.counter < last:
            self._wrong(sent, "{} counter {} below {}".format(frame.kind, body.counter, last))
        meter.last[usage, der] = max(last, body.counter)

    def _message(self, meter, sent, frame, up):
        """SEC-17, 22: no counter for two messages; a new message has a higher one."""
        counter = frame.message_counter
        if counter is None:
            return
        known = meter.messages[up]
        if frame.fragment:
            meter.highest[up] = max(meter.highest[up], counter)
            return
        if known.setdefault(counter, frame.upper) != frame.upper:
            self._wrong(sent, "message counter {} for two messages".format(counter))
        elif counter < meter.highest[up] and len(known) and list(known)[-1] == counter:
            self._wrong(sent, "message counter {} below {}".format(counter, meter.highest[up]))
        meter.highest[up] = max(meter.highest[up], counter)

    # --- what is told ---

    def said(self, blocks=False):
        """["M MSNR SND-NR", "G MCNR SND-UD2 RX0", ...]"""
        return [text for _, text in self.ladder if blocks or not text.startswith("  ")]

    def fullest_hour(self, source, log):
        """Share of an hour's air that a source used at most, as a part of 1."""
        own = [(one.start_ns / 1e9, one.end_ns / 1e9) for one in log if one.source == source and one.end_ns]
        worst = 0.0
        for _, end in own:
            worst = max(worst, sum(max(0, b - max(a, end - 3600)) for a, b in own if b <= end) / 3600)
        return worst


def meter_source(judge, meter):
    for source, address in judge._addresses.items():
        if address == meter.address:
            return source
    return None
