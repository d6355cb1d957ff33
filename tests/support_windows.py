"""A station that answers each frame it hears in a window behind it, as TwoWay does, and what of that was on the air."""

from omsnode.firmware.phy import framing, modes, radio
from support_radios import on_air, station
from support_stations import chips, frame

MODES = ("S2", "T2", "C2")
SPI_HZ = 4_000_000  # with 20 us per transfer what a turnaround is measured with


def back(direction):
    return modes.DOWN if direction == modes.UP else modes.UP


def data_end_ns(sent, mode, direction, data, frame_format="A"):
    """End of the last data chip of a Transmission: what a response delay counts from. Chips per byte: link sheet 1.1."""
    row = modes.find(mode, direction)
    per_byte = {"S": 16, "T": 12, "C": 8}[row.family]
    header = 2 * row.preamble_pairs + row.sync[frame_format][1]
    return sent.time_ns(header + per_byte * len(data))


class Answering:
    """A node for World.run. mode, direction: of its answers. window: function of the FRAME event that returns
    (at_us, until_us). clock: it lends its radio the clock."""

    def __init__(self, kind, world, mode, direction, window, clock=True, expect=True, driver=None, **board):
        self.made = station(kind, world, "station", driver, spi_hz=SPI_HZ, **board)
        self.world, self.board, self.radio = world, self.made.board, self.made.radio
        self.mode, self.direction = mode, direction
        self.stream = chips(mode, frame(40, seed=7), direction)
        self.window = window
        self.windows = []
        self.ready_us = []  # from `prepare` until nothing but the strobe was left
        self.exact_dues = []
        if clock:
            self.radio.clock = self.board.now_us
        if expect:
            self.radio.expect(mode, direction)
        self._armed_us = None
        self.sending = False
        self.listen()

    due_us = property(lambda self: self.radio.due_us)
    exact = property(lambda self: self.radio.exact)
    events = property(lambda self: self.made.events)

    def listen(self):
        self.made.listen(self.mode, back(self.direction))

    def step(self, edges, lost):
        for event in self.radio.service(self.board.now_us(), edges):
            self.made.events.append(event)
            if event.kind == radio.FRAME:
                self.answer(*self.window(event))
            elif event.kind in (radio.SENT, radio.TOO_LATE):
                self.sending = False
                self.listen()
        if self.sending and self.radio.due_us is None:  # given up, a fault was told
            self.sending = False
            self.listen()
        if self.radio.exact and self._armed_us is not None:
            self.ready_us.append(self.board.now_us() - self._armed_us)
            self.exact_dues.append(self.radio.due_us)
            self._armed_us = None

    def answer(self, at_us, until_us):
        self._armed_us = self.board.now_us()
        self.radio.configure(self.mode, self.direction)
        self.radio.prepare(self.stream, self._armed_us)
        self.radio.transmit(at_us, until_us)
        self.sending = True
        self.windows.append((at_us, until_us))

    def hear(self, data, in_us=5000, more_us=100000, delay_us=None):
        """A frame for it, from nowhere; runs until so long behind it. Returns the Transmission."""
        link = (self.mode, back(self.direction), "A")
        sent = on_air(self.world, link, data, self.world.now_ns + in_us * 1000)
        self.world.run([self], sent.time_ns(len(sent.chips)) / 1000 + more_us, delay_us=delay_us)
        return sent

    def on_the_air(self):
        """What it sent."""
        return [one for one in self.world.air.log if one.source == "station"]

    def outside(self):
        """Of that what did not begin in the window it was armed for, if each was sent."""
        wrong = []
        for sent in self.on_the_air():
            start_us = self.board.to_us(sent.start_ns)
            if not any(at_us <= start_us <= until_us for at_us, until_us in self.windows):
                wrong.append((start_us, self.windows))
        return wrong


def air_us(mode, direction, n_bytes):
    return n_bytes * 8 * 1000000 // modes.find(mode, direction).chip_rate_cps


def longest_stream(mode, direction):
    """Chips of the longest frame that every radio can send in this mode."""
    row = modes.find(mode, direction)
    for length in range(255, 8, -1):
        stream = framing.chips(row, frame(length), "A")
        if len(stream) <= 255:
            return stream
    raise AssertionError(mode)
