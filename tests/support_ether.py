"""A board and a radio made of nothing that keep the radio contract (phy/radio.py) with windows, air times and half duplex: for
hours of two-way roles in a second. Nobody is late, nothing is lost; what collides is lost to all."""

from omsnode.firmware.phy import modes, radio
from omsnode.firmware.phy.deframer import Deframer

SYNC = {"S": b"\x76\x96"}  # the first 16 chips of the sync word; else:
OTHER_SYNC = b"\x54\x3d"


class Flight:
    def __init__(self, sender, mode, direction, chips, at_us):
        self.sender = sender
        self.row = modes.find(mode, direction)
        self.chips = chips
        self.at_us = at_us
        self.end_us = at_us + len(chips) * 8 * 1000000 // self.row.chip_rate_cps
        sync = SYNC.get(self.row.family, OTHER_SYNC)
        self.data = chips.index(sync) + 2
        self.sync_us = at_us + self.data * 8 * 1000000 // self.row.chip_rate_cps
        # The data end before the trailer does.
        self.data_end_us = self.end_us - self.row.trailer_chips[1] * 1000000 // self.row.chip_rate_cps
        self.collided = False


class Ether:
    """log: (sender's name, Flight)."""

    def __init__(self):
        self.now_us = 0
        self.radios = []
        self.nodes = []
        self.log = []

    def add(self, name):
        made = EtherRadio(self, name)
        self.radios.append(made)
        return made

    def begin(self, flight):
        for _, other in self.log[-4:]:
            if other.end_us > flight.at_us and other.row.frequency_hz == flight.row.frequency_hz:
                other.collided = flight.collided = True
        self.log.append((flight.sender.name, flight))
        for one in self.radios:
            if one is not flight.sender:
                one.coming(flight)

    def run(self, until_us, stop=None):
        for _ in range(2000000):
            if stop is not None and stop():
                return
            dues = [node.due_us for node in self.nodes]
            due_us, place = min((due, place) for place, due in enumerate(dues) if due is not None)
            if due_us > until_us:
                self.now_us = until_us
                return
            self.now_us = max(self.now_us, due_us)
            self.nodes[place].step()
        raise AssertionError("it never ends")


class EtherBoard:
    def __init__(self, ether):
        self.ether = ether

    def now_us(self):
        return self.ether.now_us

    def wait(self, until_us, exact=False):
        return [], 0


class EtherRadio:
    exact = False

    def __init__(self, ether, name):
        self.ether = ether
        self.name = name
        self.counters = {}
        self.clock = None
        self._mode = self._chips = self._armed = self._flying = self._deframer = self._incoming = None
        self._future = []

    @property
    def receiving(self):
        return self._incoming is not None and self._incoming.sync_us <= self.ether.now_us

    @property
    def due_us(self):
        due = []
        if self._armed:
            due.append(self._armed[0])
        if self._flying:
            due.append(self._flying.end_us)
        if self._incoming:
            due.append(self._incoming.data_end_us)
        due += [one.sync_us for one in self._future]
        return min(due) if due else None

    def start(self, now_us):
        pass

    def expect(self, mode, direction):
        pass

    def configure(self, mode, direction, channel=0, offset_hz=0, power_dbm=None):
        self._mode = (mode, direction)

    def prepare(self, chips, now_us):
        self._deframer = self._incoming = None
        self._chips = bytes(chips)

    def transmit(self, at_us, until_us=None):
        assert self._armed is None and self._flying is None, "one transmission at a time"
        middle_us = at_us if until_us is None else (at_us + until_us) // 2
        # A window may be armed until 1.2 ms before its middle; without one a driver wants more.
        late = self.ether.now_us > middle_us - (1200 if until_us is not None else 5000)
        self._armed = (max(middle_us, self.ether.now_us), late)

    def listen(self, deframer, now_us):
        self._deframer = deframer
        self._incoming = None

    def standby(self, now_us):
        self._deframer = self._incoming = None

    sleep = standby

    def coming(self, flight):
        self._future.append(flight)

    def _hears(self, flight):
        if self._deframer is None or self._armed or self._flying or flight.collided:
            return False
        mode, direction = self._mode
        if mode == modes.T_AND_C:
            return direction == modes.UP and flight.row.direction == modes.UP and flight.row.family in "TC"
        return modes.find(mode, direction).frequency_hz == flight.row.frequency_hz and (
            direction == flight.row.direction
        )

    def service(self, now_us, edges=()):
        out = []
        if self._flying and now_us >= self._flying.end_us:
            out.append(radio.Event(radio.SENT, self._flying.at_us, self._flying.end_us))
            self._flying = None
        if self._armed and now_us >= self._armed[0]:
            at_us, late = self._armed
            self._armed = None
            if late:
                out.append(radio.Event(radio.TOO_LATE, at_us))
            else:
                self._flying = Flight(self, *self._mode, self._chips, at_us)
                self.ether.begin(self._flying)
        for flight in [one for one in self._future if one.sync_us <= now_us]:
            self._future.remove(flight)
            if self._incoming is None and self._hears(flight):
                self._incoming = flight
        if self._incoming and now_us >= self._incoming.data_end_us:
            flight, self._incoming = self._incoming, None
            if not flight.collided:
                out.append(self._received(flight))
        return out

    def _received(self, flight):
        found = self._deframer
        if found.family == "T+C":
            found = Deframer("T+C")
        found.reset()
        if found.feed(flight.chips[flight.data :]) != 0:
            return radio.Event(radio.REJECTED, flight.sync_us, error=found.error)
        return radio.Event(
            radio.FRAME,
            flight.sync_us,
            flight.data_end_us,
            bytes(found.frame),
            found.family,
            found.frame_format,
            -60,
        )
