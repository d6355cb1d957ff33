"""What happens to transmissions by intention: they are made too weak, damaged, said at another time or twice. It is done to the
transmission itself; roles and drivers run as they are.
"""

from omsnode.board import virtual
from omsnode.firmware.link import frame_a
from omsnode.firmware.phy import framing, modes
from support_on_air import Frame, Sent, read


class Fates:
    """What happens to transmissions. rules: [(who, kind, which, fate, argument)]: `which` counts the transmissions of that side
    that are of this kind, from 1 on (None: all of them).

    lost: nobody hears it. corrupt: a chip of its end is wrong. at: it leaves so many us from the middle of its window, and not
    when it was to. hop: a repeater says it again, so many us later. double: as it was, and once more behind the next transmission of the other side, or so many us behind its
    own end.
    """

    def __init__(self, world):
        self.world = world
        self.rules = []
        self.counts = {}
        self.moved = []  # transmissions that nobody sent so
        self.ghosts = []  # transmissions of ours
        self.echoes = set()  # ids of what was heard twice
        self.mended = {}  # id(transmission): index of the chip that is wrong
        self.happened = []
        self._next = {}  # source: (fate, argument, shot)
        self._echoes = []  # (source that has to speak first, chips, modem, delay)
        self._flips = {}
        air = world.air
        self._begin, self._extend, self._end = air.begin, air.extend, air.end
        air.begin, air.extend, air.end = self.begin, self.extend, self.end

    def meddle(self, side):
        radio = side.radio
        prepare, configure, transmit = radio.prepare, radio.configure, radio.transmit
        kept = {}

        def configured(mode, direction, *more, **named):
            kept["row"] = None if mode == modes.T_AND_C else modes.find(mode, direction)
            return configure(mode, direction, *more, **named)

        def prepared(chips, now_us):
            kept["chips"] = bytes(chips)
            return prepare(chips, now_us)

        def transmitted(at_us, until_us=None):
            transmit(at_us, until_us)
            self.armed(side, kept["row"], kept["chips"], at_us, until_us)

        radio.prepare, radio.configure, radio.transmit = prepared, configured, transmitted

    def armed(self, side, row, chips, at_us, until_us):
        self._next.pop(side.name, None)
        if not self.rules:
            return
        bits = virtual.unpack(chips)
        telegram = read(bits, row.frequency_hz)[0]
        up = row.direction == modes.UP
        frame = Frame(Sent(side.name, up, None, 0, 0, 0, telegram))
        key = (side.name, frame.kind)
        count = self.counts[key] = self.counts.get(key, 0) + 1
        for who, kind, which, fate, argument in self.rules:
            if (who, kind) == key and which in (None, count):
                middle_us = at_us if until_us is None else (at_us + until_us) // 2
                self._next[side.name] = (fate, argument, row, bits, side.board.to_ns(middle_us))
                self.happened.append((*key, count, fate))
                if fate == "at":
                    self.ghost(side.name, row, bits, side.board.to_ns(middle_us) + 1000 * argument)

    def begin(self, sent):
        if any(sent is one for one in self.ghosts):
            self._begin(sent)
            return
        fate, argument, row, bits, middle_ns = self._next.pop(sent.source, (None,) * 5)
        if fate in ("lost", "at"):
            sent.power_dbm = -400
        if fate == "at":
            self.moved.append(sent)
        if fate == "corrupt":
            self._flips[id(sent)] = len(bits) - 40
            self.mended[id(sent)] = len(bits) - 40
        if fate == "hop":
            telegram = bytearray(read(bits, row.frequency_hz)[0])
            telegram[11] |= 0x10
            chips = virtual.unpack(framing.chips(row, frame_a.build(bytes(telegram))))
            self.ghost(sent.source, row, chips, middle_ns + 1000 * argument)
        if fate == "double":
            self._echoes.append((sent, row, bits, argument))
        self._begin(sent)
        self.extend_flips(sent)

    def ghost(self, source, row, bits, start_ns, echo=False):
        ghost = virtual.Transmission(
            int(start_ns),
            bits,
            float(row.chip_rate_cps),
            float(row.frequency_hz),
            float(row.deviation_hz),
            row.modulation,
            source=source,
        )
        ghost = self.world.air.transmit(ghost)
        self.ghosts.append(ghost)
        if echo:
            self.echoes.add(id(ghost))

    def extend(self, sent, chips):
        index = self._flips.get(id(sent))
        if index is not None and len(sent.chips) <= index < len(sent.chips) + len(chips):
            chips = bytearray(chips)
            chips[index - len(sent.chips)] ^= 1
            del self._flips[id(sent)]
        self._extend(sent, chips)

    def extend_flips(self, sent):
        index = self._flips.get(id(sent))
        if index is not None and index < len(sent.chips):
            sent.chips[index] ^= 1
            del self._flips[id(sent)]

    def end(self, sent, at_ns=None):
        self._end(sent, at_ns)
        for echo in list(self._echoes):
            original, row, bits, delay_us = echo
            own = delay_us is not None
            if (own and sent is original) or (not own and sent.source != original.source):
                self._echoes.remove(echo)
                delay = delay_us if own else self.delays[original.source]
                self.ghost(original.source, row, bits, self.world.now_ns + 1000 * delay, True)

    delays = {}


# What a gateway waits behind a meter's frame in the middle of the window, in us (link sheet 8.2).
TYPICAL = {"S2": 10000, "T2": 2500, "C2": 1000000, "C2 fast": 100000}
