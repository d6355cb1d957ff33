"""The board of a microcontroller: machine.SPI and Pin.irq, the same contract as `board.linux`.

`machine` and `time` are handed in by `open_board`, so that the wrap-around of the ticks and the edges can be tested
anywhere. Sources: boards sheet 7, host-seams sheet 4.
"""

from omsnode.firmware.errors import MisuseError, RadioError

from .hats import EDGES, LEVELS, OUTPUTS

TICK_US = 2000  # idle sleeps up to one tick of the port; nearer to the instant we spin
RING = 32  # edges between two calls of wait; the soft interrupt queue of the port itself holds 4 to 8


def open_board(hat):
    """Open SPI and pins of a `board.hats` row made for a microcontroller: spi_bus is the SPI block, with sck, mosi,
    miso, cs and its lines as pin numbers and spi_hz. Returns a MicroPythonBoard; RadioError if the port refuses."""
    import time

    import machine

    return MicroPythonBoard(hat, machine, time)


class MicroPythonBoard:
    """The board contract. `now_us` must be called at least every half wrap of `ticks_us` (8.9 minutes on a 32-bit
    port); `wait` does so while it sleeps. Edges are requested at the first `wait`, as on Linux."""

    backend = "machine"
    degraded = ""

    def __init__(self, hat, machine, time):
        self._machine = machine
        self._time = time
        self._ticks = time.ticks_us()
        self._now_us = 0
        self._armed = False
        pin = machine.Pin
        try:
            self.pins = {}
            for name, level in OUTPUTS:  # first: a chip that is held in reset does not answer
                number = getattr(hat, name)
                if number is not None:
                    self.pins[name] = _Output(pin(number, pin.OUT, value=level))
            for number in hat.en_high or ():
                pin(number, pin.OUT, value=1)
            self.spi = _Spi(hat, machine)
            for name in EDGES + LEVELS:
                number = getattr(hat, name)
                if number is not None:
                    self.pins[name] = _Pin(name, pin(number, pin.IN))
        except (OSError, ValueError) as error:
            raise RadioError(
                "pins: {}".format(error), hint="compare the pins of the HAT row with the SPI block's"
            )
        # Written by the interrupt handler: preallocated, and small integers only, so that it may even be a hard one.
        self._lines = [name for name in EDGES if name in self.pins]
        self._at = [0] * RING
        self._what = bytearray(RING)  # line index * 2 + level
        self._head = 0  # next to write, modulo 2 * RING
        self._tail = 0  # next to read
        self._dropped = 0
        self._dropped_seen = 0

    def now_us(self):
        """Microseconds since the board was opened, a growing integer that does not wrap."""
        ticks = self._time.ticks_us()
        self._now_us += self._time.ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        return self._now_us

    def arm(self):
        """Request edges, once. A line that is already high gives no edge, so it is reported as one at this instant."""
        if self._armed:
            return []
        self._armed = True
        edges = []
        for index, name in enumerate(self._lines):
            pin = self.pins[name].pin
            pin.irq(handler=self._handler(index * 2, pin.value), trigger=pin.IRQ_RISING | pin.IRQ_FALLING)
            if pin.value():
                edges.append((name, 1, self.now_us()))
        return edges

    def _handler(self, code, value):
        at, what, ticks_us = self._at, self._what, self._time.ticks_us

        def on_edge(_pin):
            head = self._head
            if (head - self._tail) % (2 * RING) == RING:
                self._dropped += 1
                return
            at[head % RING] = ticks_us()
            what[head % RING] = code | value()
            self._head = (head + 1) % (2 * RING)

        return on_edge

    def wait(self, until_us, exact=False):
        """Idle until an edge or `until_us` (None: as long as it takes), whichever is first. The last tick before `until_us`
        is spent polling in any case, so that `exact` changes nothing.

        Returns (edges, lost): edges is a list of (line, level, at_us) in order of time; lost counts those that found no
        room here. What the port's own interrupt queue drops is not seen: the driver looks at levels and FIFO counts."""
        edges = self.arm()
        if edges:
            return edges, 0
        idle = self._machine.idle
        now_us = self.now_us()
        while self._head == self._tail and (until_us is None or now_us < until_us):
            if until_us is None or until_us - now_us > TICK_US:
                idle()
            now_us = self.now_us()
        while self._tail != self._head:
            place = self._tail % RING
            code = self._what[place]
            at_us = self._now_us + self._time.ticks_diff(self._at[place], self._ticks)
            edges.append((self._lines[code >> 1], code & 1, at_us))
            self._tail = (self._tail + 1) % (2 * RING)
        dropped = self._dropped
        lost = dropped - self._dropped_seen
        self._dropped_seen = dropped
        return edges, lost

    def close(self):
        for name in self._lines:
            self.pins[name].pin.irq(handler=None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _Spi:
    def __init__(self, hat, machine):
        pin = machine.Pin
        self._cs = pin(hat.cs, pin.OUT, value=1)
        self._spi = machine.SPI(
            hat.spi_bus,
            baudrate=hat.spi_hz,
            polarity=0,
            phase=0,
            sck=pin(hat.sck),
            mosi=pin(hat.mosi),
            miso=pin(hat.miso),
        )

    def transfer(self, tx, rx):
        """Full duplex, one chip-select period. tx: bytes-like; rx: bytearray of the same length, filled in place."""
        if len(tx) != len(rx):
            raise MisuseError("SPI transfer of {} bytes into {}".format(len(tx), len(rx)))
        self._cs.value(0)
        try:
            self._spi.write_readinto(tx, rx)
        except OSError as error:
            raise RadioError("SPI transfer failed: {}".format(error), hint="is the radio still wired?")
        finally:
            self._cs.value(1)


class _Pin:
    def __init__(self, line, pin):
        self._line = line
        self.pin = pin

    def read(self):
        """The present level, 0 or 1."""
        return self.pin.value()

    def write(self, level):
        """MisuseError: the radio drives this line, and two drivers on one wire are a short circuit."""
        raise MisuseError(self._line + " is an output of the radio")


class _Output:
    def __init__(self, pin):
        self._pin = pin

    def read(self):
        """What was written last, 0 or 1."""
        return self._pin.value()

    def write(self, level):
        """Drive the line."""
        self._pin.value(level)
