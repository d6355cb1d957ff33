"""Named faults of a receiving radio, and how long it takes until it hears again.

A fault is a function of a Trial: it breaks something now, and returns the instant (us) at which its cause is over. What
the driver has to do with it: hear again within the bound of its row, and count it under one of the row's names.
"""

import random
from collections import namedtuple

from omsnode.board.virtual import World
from omsnode.firmware.errors import OmsError
from omsnode.firmware.link import frame_a
from support_radios import on_air, station
from support_stations import frame

T1 = ("T1", "up", "A")
EVERY_US = 20000  # a frame that takes 4.7 ms
BEFORE_US = 150000
ROW = 6  # frames in a row that are heard: it hears again

# What the bounds are made of.
LOOK_US = 100000  # both drivers look at a silent receiver so often
RESET_US = 40000  # and this is what it takes to bring the chip up again, with the frame that shows it
ANEW_US = 2000000  # a silent receiver is restarted
CALIBRATE_US = 30000000  # and calibrated
PAUSES_US = 130000  # the longest pause between two tries to reset a chip that does not answer


class Trial:
    """One receiver that hears frames from nowhere."""

    def __init__(self, kind, seed, **driver):
        self.kind = kind
        self.rng = random.Random("{}/{}".format(kind, seed))
        self.world = World(seed=seed)
        self.made = station(kind, self.world, "receiver", driver)
        self.board = self.made.board
        self.chip = self.board.chip
        self.line = "gdo0" if kind == "cc1101" else "dio1"
        self.sent = {}
        self.next_us = 0
        self.late_us = 0  # of the host
        self.length = 20
        self.quiet = False
        self.made.listen("T+C")
        self.run(BEFORE_US)

    def run(self, us):
        """Time passes; every 20 ms somebody sends, unless it is quiet."""
        until_us = self.world.now_us + int(us)
        while self.world.now_us < until_us:
            if self.world.now_us >= self.next_us:
                data = self.frame(self.length)
                if not self.quiet:
                    at_us = self.world.now_us + self.rng.randrange(500, 3000)
                    on_air(self.world, T1, data, at_us * 1000)
                    self.sent[data] = at_us
                self.next_us = self.world.now_us + max(EVERY_US, 200 * self.length)
            self.world.run([self.made], min(until_us, self.next_us), delay_us=self._delay)

    def frame(self, length):
        """No two are the same."""
        number = len(self.sent).to_bytes(2, "big")
        return frame_a.build(bytes((length,)) + number + bytes(range(length - 2)))

    def _delay(self, _):
        return self.rng.uniform(self.late_us / 2, self.late_us) if self.late_us else 0

    def during(self, us, begin, end):
        """begin(), then so long, then end(); the instant of the end."""
        begin()
        self.run(us)
        end()
        return self.world.now_us

    def setting(self, us, thing, name, value):
        """An attribute has another value for so long."""
        before = getattr(thing, name)
        return self.during(us, lambda: setattr(thing, name, value), lambda: setattr(thing, name, before))

    def spi(self, *data):
        """Somebody else on the bus."""
        self.board.spi.transfer(bytes(data), bytearray(len(data)))

    def heard_us(self):
        """Instants at which frames began that were heard as they were sent. AssertionError for a frame with right link
        CRCs that nobody sent."""
        heard = []
        for event in self.made.kinds("frame"):
            if event.frame in self.sent:
                heard.append(self.sent[event.frame])
                continue
            try:
                frame_a.strip(event.frame)
            except OmsError:
                continue
            raise AssertionError("a wrong frame with right link CRCs")
        return heard

    def recover(self, since_us, bound_us):
        """Microseconds from since_us until everything is heard again; None if it takes longer than the bound."""
        while True:
            heard = set(self.heard_us())
            behind = [at_us for at_us in self.sent.values() if since_us <= at_us < self.world.now_us - 10000]
            first = None
            count = 0
            for at_us in behind:
                count = count + 1 if at_us in heard else 0
                if count == 1:
                    first = at_us
                if count == ROW:
                    return first - since_us
            if self.world.now_us > since_us + bound_us + (ROW + 3) * EVERY_US:
                return None
            self.run(2 * EVERY_US)

    def names(self):
        """What was counted beside frames."""
        counters = self.made.radio.counters
        named = set(counters["faults"])
        named |= {name for name, value in counters.items() if type(value) is int and value}
        named |= set(counters["rejects"])
        return named - {"frames", "sent", "too_late"}

    def unharmed(self, since_us, until_us):
        """Was everything heard that was sent meanwhile?"""
        heard = set(self.heard_us())
        return all(at_us in heard for at_us in self.sent.values() if since_us - 10000 <= at_us <= until_us)


Fault = namedtuple("Fault", ("name", "kinds", "call", "bound_us", "named"))
FAULTS = []
BOTH = ("cc1101", "sx1262")


def fault(bound_us, named, kinds=BOTH):
    """named: counters, one of which tells of it; "nothing": it may have no effect."""

    def add(call):
        FAULTS.append(Fault(call.__name__, kinds, call, bound_us, named))
        return call

    return add


# --- supply and clock ---


@fault(LOOK_US + RESET_US, {"registers", "busy"})
def brown_out(trial):
    trial.chip.brown_out()
    return trial.world.now_us


@fault(LOOK_US + 2 * RESET_US, {"registers", "no_answer", "busy"})
def three_brown_outs(trial):
    for _ in range(3):
        trial.chip.brown_out()
        trial.run(trial.rng.randrange(1000, 40000))
    trial.chip.brown_out()
    return trial.world.now_us


@fault(LOOK_US + PAUSES_US + RESET_US, {"registers", "no_answer", "busy"})
def supply_dip(trial):
    us = trial.rng.randrange(500, 60000)
    trial.chip.supply_dip(us)
    trial.run(us)
    return trial.world.now_us


@fault(LOOK_US + PAUSES_US + RESET_US, {"no_answer", "registers", "busy"})
def unplugged_and_plugged_in_again(trial):
    us = trial.rng.randrange(300000, 900000)
    trial.chip.supply_dip(us)
    trial.setting(us, trial.chip, "miso_stuck", trial.rng.choice((0x00, 0xFF)))
    return trial.world.now_us


@fault(LOOK_US + PAUSES_US + RESET_US, {"no_answer", "xosc", "registers", "calibration", "pll", "busy"})
def oscillator_that_does_not_start(trial):
    trial.chip.crystal = False
    trial.chip.brown_out()
    trial.run(trial.rng.randrange(100000, 400000))
    trial.chip.crystal = True
    if trial.kind == "cc1101":
        trial.chip.brown_out()  # that of the model never starts without
    return trial.world.now_us


@fault(LOOK_US + RESET_US, {"silent"})
def wrong_crystal(trial):
    """170 to 300 ppm beside what it should be, for seconds: everything looks right, and nothing is heard."""
    before = trial.chip.xosc_hz

    def tune(xosc_hz):
        trial.chip.xosc_hz = xosc_hz
        if trial.kind == "cc1101":
            trial.chip._modem = None
            trial.chip.receiver.air_changed()
        else:
            trial.chip.retune()

    wrong = before * (1 + trial.rng.choice((-1, 1)) * trial.rng.uniform(170e-6, 300e-6))
    return trial.during(trial.rng.randrange(2500000, 7500000), lambda: tune(wrong), lambda: tune(before))


# --- the state machine ---


@fault(ANEW_US + 2 * LOOK_US + RESET_US, {"stuck", "rx_stalled", "rx_state", "no_answer"})
def state_machine_stands_still(trial):
    trial.chip.hang(*(() if trial.kind == "cc1101" else (0,)))
    return trial.world.now_us


@fault(LOOK_US + PAUSES_US + RESET_US, {"busy"}, ("sx1262",))
def hangs_with_busy_high(trial):
    trial.chip.hang(1)
    return trial.world.now_us


@fault(LOOK_US + PAUSES_US + RESET_US, {"busy", "registers", "no_answer"}, ("sx1262",))
def reset_line_low(trial):
    return trial.setting(trial.rng.randrange(1000, 300000), trial.board.pins["reset"], "stuck", 0)


@fault(LOOK_US + RESET_US, {"rx_state", "registers", "no_answer", "busy"})
def put_to_sleep(trial):
    if trial.kind == "cc1101":
        trial.spi(0x36)
        trial.spi(0x39)
    else:
        trial.spi(0x80, 0)
        trial.spi(0x84, 0x04)
    return trial.world.now_us


@fault(LOOK_US + RESET_US, {"rx_state"})
def put_into_standby(trial):
    trial.spi(*((0x36,) if trial.kind == "cc1101" else (0x80, trial.rng.randrange(2))))
    return trial.world.now_us


@fault(LOOK_US + RESET_US, {"rx_state", "rx_stalled"})
def made_to_send(trial):
    trial.spi(*((0x36,) if trial.kind == "cc1101" else (0x80, 1)))
    trial.spi(*((0x35,) if trial.kind == "cc1101" else (0x83, 0, 0, 0)))
    return trial.world.now_us


# --- settings ---


@fault(LOOK_US + RESET_US, {"registers"})
def a_register_that_changed(trial):
    if trial.kind == "cc1101":
        address = trial.rng.choice((0x00, 0x02, 0x04, 0x05, 0x07, 0x08, 0x0B, 0x0D, 0x0E, 0x10, 0x11, 0x15))
        trial.chip.write_register(address, trial.chip.registers[address] ^ 0x01)
    else:
        trial.chip.forget(trial.rng.choice(("sync", "gain", "frequency")))
    return trial.world.now_us


@fault(ANEW_US + 2 * LOOK_US + RESET_US, {"silent", "rx_stalled", "rx_pointer"}, ("sx1262",))
def a_setting_that_cannot_be_read(trial):
    trial.chip.forget(trial.rng.choice(("irq", "modulation", "packet")))
    return trial.world.now_us


@fault(LOOK_US + RESET_US, {"calibration"}, ("cc1101",))
def a_calibration_that_changed(trial):
    trial.chip.write_register(0x25, trial.chip.registers[0x25] ^ 0x10)
    return trial.world.now_us


@fault(LOOK_US + RESET_US, {"registers", "busy"})
def half_configured(trial):
    """Somebody wrote the settings of another mode and stopped in the middle."""
    if trial.kind == "cc1101":
        trial.spi(0x40 | 0x0D, 0x21, 0x65, 0x6A, 0x6A, 0x4A)
    else:
        trial.spi(0x80, 0)
        trial.spi(0x86, 0x36, 0x44, 0xCC, 0xCD)
        trial.spi(0x0D, 0x06, 0xC0, 0x54, 0x76, 0x96)
        trial.spi(0x82, 0xFF, 0xFF, 0xFF)
    return trial.world.now_us


@fault(ANEW_US + 2 * LOOK_US + RESET_US, {"silent", "symbol", "nothing"})
def deaf_until_restarted(trial):
    trial.chip.go_deaf("rx")
    return trial.world.now_us


@fault(2 * ANEW_US + 4 * LOOK_US + RESET_US, {"silent"})
def deaf_until_calibrated(trial):
    trial.chip.go_deaf("calibration")
    return trial.world.now_us


@fault(3 * ANEW_US + 6 * LOOK_US + RESET_US, {"silent"})
def deaf_until_reset(trial):
    trial.chip.go_deaf("reset")
    return trial.world.now_us


@fault(ANEW_US + 2 * LOOK_US + RESET_US, {"pll"})
def synthesizer_that_does_not_lock(trial):
    trial.chip.options.pll_lock_failures = trial.rng.randrange(1, 4)
    if trial.kind == "cc1101":
        trial.made.radio.forget_calibration()
    brown_out(trial)
    return trial.world.now_us


# --- the bus ---

_LONG = (100000, 400000)


def _bus(trial, name, value):
    return trial.setting(trial.rng.randrange(*_LONG), trial.chip, name, value)


@fault(LOOK_US + PAUSES_US + RESET_US, {"no_answer"})
def miso_low(trial):
    return _bus(trial, "miso_stuck", 0x00)


@fault(LOOK_US + PAUSES_US + RESET_US, {"no_answer"})
def miso_high(trial):
    return _bus(trial, "miso_stuck", 0xFF)


@fault(LOOK_US + PAUSES_US + RESET_US, {"no_answer", "registers"})
def mosi_low(trial):
    return _bus(trial, "mosi_stuck", 0x00)


@fault(LOOK_US + PAUSES_US + RESET_US, {"no_answer", "registers"})
def mosi_high(trial):
    return _bus(trial, "mosi_stuck", 0xFF)


@fault(LOOK_US + PAUSES_US + RESET_US, {"no_answer", "registers"})
def chip_select_elsewhere(trial):
    return _bus(trial, "selected", False)


@fault(
    ANEW_US + 2 * LOOK_US + PAUSES_US + RESET_US,
    {"registers", "no_answer", "rx_state", "rx_stalled", "pll", "symbol", "nothing"},
)
def bit_flips(trial):
    return _bus(trial, "bit_flips", trial.rng.choice((0.002, 0.01, 0.03)))


@fault(LOOK_US + PAUSES_US + RESET_US, {"registers", "rx_state", "no_answer", "busy"})
def two_nodes_on_one_bus(trial):
    """Another program initialises the chip for itself and listens to mode S, and goes."""
    other = type(trial.made.radio)(
        *(
            (trial.board.spi, trial.board.pins["gdo0"], trial.board.pins["gdo2"])
            if trial.kind == "cc1101"
            else (
                trial.board.spi,
                trial.board.pins["busy"],
                trial.board.pins["dio1"],
                trial.board.pins["reset"],
            )
        ),
        **({} if trial.kind == "cc1101" else {"tcxo_mv": 1800}),
    )
    from omsnode.firmware.phy.deframer import Deframer

    other.start(trial.board.now_us())
    trial.run(trial.rng.randrange(1, 3000))
    other.configure("S1", "up")
    other.listen(Deframer("S"), trial.board.now_us())
    return trial.world.now_us


# --- lines ---


@fault(LOOK_US + 2 * RESET_US, {"missed_interrupt", "nothing"})
def lost_edges(trial):
    number = trial.rng.randrange(4, 17)
    for line in [pin.name for pin in trial.board.edge_pins]:
        trial.board.lose_edges(number, line)
    while [pin for pin in trial.board.edge_pins if pin.drop]:
        trial.run(5000)
    return trial.world.now_us


@fault(LOOK_US + RESET_US, {"missed_interrupt"})
def every_edge_lost(trial):
    for line in [pin.name for pin in trial.board.edge_pins]:
        trial.board.lose_edges(1000000, line)
    trial.run(trial.rng.randrange(300000, 900000))
    for pin in trial.board.edge_pins:
        pin.drop = 0
    return trial.world.now_us


@fault(LOOK_US + RESET_US, {"spurious_edges"})
def spurious_edges(trial):
    for _ in range(trial.rng.randrange(8, 20)):
        trial.board.false_edge(trial.line)
        trial.run(trial.rng.randrange(100, 9000))
    return trial.world.now_us


@fault(LOOK_US + RESET_US, {"interrupt_storm"})
def storm_of_edges(trial):
    """As when a clock gets onto the line: one edge every 50 us, for 100 ms."""
    start_us = trial.world.now_us
    for n in range(2000):
        trial.world.at(start_us + 50 * n, lambda: trial.board.false_edge(trial.line))
    trial.run(100000)
    return trial.world.now_us


@fault(LOOK_US + RESET_US, {"registers", "busy"})
def clock_storm_before_configuration(trial):
    """The chip is reset to a clock on its line (CC1101), or its line swings (SX1262), as the program starts again."""
    trial.chip.brown_out()
    start_us = trial.world.now_us
    for n in range(200):
        trial.world.at(start_us + 50 * n, lambda: trial.board.false_edge(trial.line))
    trial.run(trial.rng.randrange(500, 5000))
    trial.made.radio.start(trial.board.now_us())
    trial.made.listen("T+C")
    return trial.world.now_us


def _line(trial, line, level):
    return trial.setting(trial.rng.randrange(*_LONG), trial.board.pins[line], "stuck", level)


@fault(LOOK_US + PAUSES_US + RESET_US, {"missed_interrupt", "gdo0_silent"})
def interrupt_line_low(trial):
    return _line(trial, trial.line, 0)


@fault(LOOK_US + PAUSES_US + RESET_US, {"missed_interrupt", "gdo0_silent"})
def interrupt_line_high(trial):
    return _line(trial, trial.line, 1)


@fault(LOOK_US + PAUSES_US + RESET_US, {"busy"}, ("sx1262",))
def busy_high(trial):
    return _line(trial, "busy", 1)


@fault(LOOK_US + PAUSES_US + RESET_US, {"busy_low"}, ("sx1262",))
def busy_low(trial):
    """And then a brown-out: bringing the chip up again is the time to notice."""
    trial.board.pins["busy"].stuck = 0
    trial.chip.brown_out()
    trial.run(trial.rng.randrange(*_LONG))
    trial.board.pins["busy"].stuck = None
    return trial.world.now_us


@fault(LOOK_US + RESET_US, {"gdo2_silent"}, ("cc1101",))
def sync_line_low(trial):
    return _line(trial, "gdo2", 0)


@fault(LOOK_US + RESET_US, {"gdo2_silent"}, ("cc1101",))
def sync_line_high(trial):
    return _line(trial, "gdo2", 1)


# --- the host, the air ---


@fault(LOOK_US + RESET_US, {"rx_overflow", "rx_short", "rx_pointer", "missed_interrupt", "late_stops"})
def host_too_late_for_the_buffer(trial):
    """Long frames, and every service 15 to 60 ms late."""
    trial.length = 255
    trial.run(60000)
    trial.setting(500000, trial, "late_us", trial.rng.randrange(30000, 60000))
    trial.length = 20
    return trial.world.now_us


@fault(LOOK_US + RESET_US, {"late_services"})
def host_stands_still(trial):
    end_us = trial.world.now_us + trial.rng.randrange(100000, 1000000)
    while trial.world.now_us < end_us:
        data = trial.frame(20)
        on_air(trial.world, T1, data, trial.world.now_ns + 1000000)
        trial.sent[data] = trial.world.now_us + 1000
        trial.world.advance_us(EVERY_US)
    return trial.world.now_us


@fault(RESET_US, {"symbol", "length"})
def sender_that_dies(trial):
    """A frame that ends in nothing."""
    trial.quiet = True
    trial.run(25000)
    sent = on_air(trial.world, T1, frame(255), trial.world.now_ns)
    del sent.chips[trial.rng.randrange(200, 3400) :]
    trial.run(45000)
    trial.quiet = False
    return trial.world.now_us
