"""What happens to bursts by intention: nobody hears them, they are damaged, said at another time or twice. It is done to the
transmission itself; roles and drivers run as they are.
"""

import support_burst_judge_air as air
import support_burst_judge_mac as macs
from omsnode.board import virtual

# Chips that are made wrong, first and behind the last, from the first chip of the preamble: every second one.
HEADER = (64, 64 + 96)


class Fates:
    """What happens to transmissions. rules: [(who, kind, index, which, fate, argument)]: `which` counts the bursts of that side that
    are burst number `index` (1 where there is one) of a frame of this kind ("MSNR", "MCNR"..), from 1 on; None: all of them.

    lost: nobody hears it. corrupt: its header can be read, its data cannot. deaf: not even its header can. at: it leaves so many us from the
    middle of its window. double: as it was, and once more so many us behind its end.
    """

    def __init__(self, world):
        self.world = world
        self.rules = []
        self.counts = {}
        self.happened = []
        self.lost = set()  # ids of transmissions that nobody has heard, or understood
        self.ghosts = set()  # ids of those that nobody has sent, or not then
        self.clean = {}  # id: chips as they were to be
        self._payloads = {}  # source: of its last frame
        self._next = {}
        self._flips = {}
        self._echoes = {}
        self._keep = []
        one = world.air
        self._begin, self._extend, self._end = one.begin, one.extend, one.end
        one.begin, one.extend, one.end = self.begin, self.extend, self.end

    def meddle(self, side):
        """Watch what this Side hands to its radio."""
        radio = side.radio
        prepare, configure, transmit = radio.prepare, radio.configure, radio.transmit
        kept = {}

        def configured(mode, direction, *more, **named):
            kept["mode"] = (mode, direction)
            return configure(mode, direction, *more, **named)

        def prepared(chips, now_us):
            kept["chips"] = bytes(chips)
            return prepare(chips, now_us)

        def transmitted(at_us, until_us=None):
            transmit(at_us, until_us)
            self.armed(side, kept["mode"], kept["chips"], at_us, until_us)

        radio.configure, radio.prepare, radio.transmit = configured, prepared, transmitted

    def _what(self, side, name, bits):
        """(kind, index) of a burst that is about to be sent."""
        cps, _, _, deviation = air.SUB_MODES[name.split(".")[0]]
        n = int(name.split(".")[1]) if "." in name else 2
        row = virtual.Transmission(
            0, bits, float(cps), float(air.carrier_hz(name.split(".")[0], n)), deviation
        )
        burst = air.read(row)
        known = self._payloads.get(side.name)
        index = air.index_of(burst, known) if known is not None and burst.multi else None
        if index is None:
            known, index = air.payload(burst)
            if known != macs.MACK:
                self._payloads[side.name] = known
        return macs.Frame(known, burst.name if burst.up else None).kind, index

    def armed(self, side, mode, chips, at_us, until_us):
        self._next.pop(side.name, None)
        bits = virtual.unpack(chips)
        kind, index = self._what(side, mode[0], bits)
        count = self.counts[side.name, kind, index] = self.counts.get((side.name, kind, index), 0) + 1
        for who, wanted, number, which, fate, argument in self.rules:
            if (who, wanted) == (side.name, kind) and number in (None, index) and which in (None, count):
                self._next[side.name] = (fate, argument, bits, side)
                self.happened.append((side.name, kind, index, count, fate))
                if fate == "at":
                    middle_us = at_us if until_us is None else (at_us + until_us) // 2
                    self.world.at(
                        max(self.world.now_us + 1, side.board.to_ns(middle_us) // 1000 + argument),
                        lambda: self._ghost(side.name, mode, bits),
                    )

    def _ghost(self, source, mode, bits, power_dbm=10.0):
        name = mode[0].split(".")[0]
        n = int(mode[0].split(".")[1]) if "." in mode[0] else 2
        cps, _, _, deviation = air.SUB_MODES[name]
        made = virtual.Transmission(
            self.world.now_ns, bits, float(cps), float(air.carrier_hz(name, n)), float(deviation), "2-GFSK", power_dbm, source
        )  # fmt: skip
        self._keep.append(made)
        made = self.world.air.transmit(made)
        self._keep.append(made)
        self.ghosts.add(id(made))

    def begin(self, sent):
        if any(sent is one for one in self._keep):
            self._begin(sent)
            return
        fate, argument, bits, side = self._next.pop(sent.source, (None,) * 4)
        if fate in ("lost", "at"):
            sent.power_dbm = -400
            self.lost.add(id(sent))
            self._keep.append(sent)
        elif fate in ("corrupt", "deaf"):
            lead = 8 if side.kind == "sx1262" else 0
            up = sent.frequency_hz < 869000000
            if fate == "deaf":
                places = range(lead + 64, lead + len(bits), 2)
            elif up:  # the middle of both halves; coded length, midamble and header stay
                half = (len(bits) - 64 - 216) // 2
                places = [lead + 88 + i for i in range(0, half, 2)]
                places += [lead + 88 + half + 216 + i for i in range(0, half - 8, 2)]
            else:
                places = range(lead + 160, lead + len(bits), 2)
            self._flips[id(sent)] = set(places)
            self.lost.add(id(sent))
            self._keep.append(sent)
        elif fate == "double":
            self._echoes[id(sent)] = (sent, bits, argument)
        self._begin(sent)
        self._damage(sent, 0)

    def extend(self, sent, chips):
        at = len(sent.chips)
        places = self._flips.get(id(sent))
        if places:
            chips = bytearray(chips)
            self.clean.setdefault(id(sent), bytearray(sent.chips)).extend(chips)
            for place in range(at, at + len(chips)):
                if place in places:
                    chips[place - at] ^= 1
        self._extend(sent, chips)

    def _damage(self, sent, at):
        places = self._flips.get(id(sent))
        if places:
            self.clean[id(sent)] = bytearray(sent.chips)
            for place in range(at, len(sent.chips)):
                if place in places:
                    sent.chips[place] ^= 1

    def end(self, sent, at_ns=None):
        self._end(sent, at_ns)
        if id(sent) in self._echoes:
            _, bits, delay_us = self._echoes.pop(id(sent))
            name, n = air.sub_mode(sent.frequency_hz, sent.chip_rate_cps)
            mode = ("{}.{}".format(name, n),)
            self.world.at(self.world.now_us + delay_us, lambda: self._ghost(sent.source, mode, bits))
