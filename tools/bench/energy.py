"""Charge per telegram: time in each state of the chip, times the currents of the datasheets, beside its floor.

The floor is what the air time alone costs: nobody can send for less at this power. What is above is the start of
oscillator and synthesizer, calibration, and the wait for the instant. The chip sleeps between telegrams; what that costs
stands beside, since it depends on the interval. A meter role sends on the chip models; the times come from the SPI
(states.py), as they would on hardware. The host and the TCXO of a module are not in it.
"""

from collections import namedtuple

from omsnode.board import hats
from omsnode.board.virtual import World
from omsnode.firmware.link.address import Address
from omsnode.firmware.node import Node
from omsnode.firmware.phy import radio
from omsnode.firmware.roles.meter import Meter, Profile, Register
from omsnode.tools.cli import station

from .states import Tally

# Milliamperes by state, at 3 V (CC1101) or 3.3 V with DC-DC (SX1262). CC1101: SWRS061B section 4.1 and figure 5, at 10 dBm.
# SX1262 at 14 dBm with the settings of table 13-21: sleep (warm start) 600 nA, reception 4.2 mA and 2 mA less for the
# sensitive receiver than with it, transmission 45 mA have a second source; standby, oscillator and synthesizer are those of
# DS.SX1261-2.W.APP as commonly quoted, not read again.
CURRENTS_MA = {
    "cc1101": {
        "sleep": 0.0002,
        "standby": 0.165,
        "oscillator": 1.7,
        "synthesizer": 8.4,
        "rx": 15.7,
        "tx": 32.8,
    },
    "sx1262": {"sleep": 0.0006, "standby": 0.6, "oscillator": 0.8, "synthesizer": 2.1, "rx": 4.8, "tx": 45.0},
}
POWER_DBM = {"cc1101": 10, "sx1262": 14}
UNSURE = {"sx1262": ("standby", "oscillator", "synthesizer", "rx")}

HATS = ("cc1101-spi0", "waveshare-lorawan-hat", "waveshare-core1262-hat")  # the third: with a TCXO
MODES = (("S1", "A"), ("S1-m", "A"), ("T1", "A"), ("C1", "A"), ("C1", "B"))
TELEGRAMS = 10
_INTERVAL_US = 60000000

Row = namedtuple(
    "Row", ("hat", "chip", "mode", "frame_format", "air_us", "floor_uc", "charge_uc", "sleep_uc", "times_us")
)


class _Observed:
    """The driver with its transmissions told to the tally."""

    def __init__(self, driver, tally):
        self._driver = driver
        self._tally = tally
        self.air_us = 0
        self.sent = 0

    def __getattr__(self, name):
        return getattr(self._driver, name)

    def service(self, now_us, edges=()):
        events = self._driver.service(now_us, edges)
        for event in events:
            if event.kind == radio.SENT:
                self._tally.ended(event.end_us)
                self.air_us += event.end_us - event.at_us
                self.sent += 1
        return events


def observed(board, hat):
    """(driver, tally) of a board: the driver counts the times of its chip in the tally."""
    tally = Tally(board.spi, board.now_us, hat.chip)
    bare, board.spi = board.spi, tally
    try:
        driver = station.driver(board, hat)
    finally:
        board.spi = bare
    return _Observed(driver, tally), tally


def charge_uc(chip, times_us, states=None):
    """Microcoulombs of these times; states: only these."""
    currents = CURRENTS_MA[chip]
    return (
        sum(us * currents[state] for state, us in times_us.items() if states is None or state in states)
        / 1000
    )


def row(hat_name, mode, frame_format, telegrams=TELEGRAMS):
    """Means over some telegrams of a meter with 20 bytes of data."""
    hat = hats.find(hat_name)
    world = World(seed=1)
    board = world.add_board(hat_name)
    driver, tally = observed(board, hat)
    profile = Profile(
        Address.parse("12345678.M=KAM.V=1b.T=16"),
        [Register(b"\x04", b"\x13", 6408, 700000), Register(b"\x02", b"\x3b", 127)],
        mode=mode,
        frame_format=frame_format,
        nominal_us=_INTERVAL_US,
    )
    node = Node(board, driver, Meter(profile, b"\x01\x02\x03\x04\x05"))
    world.run([node], 1e12, stop=lambda: driver.sent >= 1)  # the first one calibrates
    tally.settle(board.now_us())
    first, air_us, sent = dict(tally.times), driver.air_us, driver.sent
    world.run([node], 1e12, stop=lambda: driver.sent >= telegrams + sent)
    tally.settle(board.now_us())
    n = driver.sent - sent
    times_us = {state: (us - first.get(state, 0)) / n for state, us in tally.times.items()}
    air_us = (driver.air_us - air_us) / n
    sleeping_us = times_us.pop("sleep", 0)
    return Row(
        hat_name,
        hat.chip,
        mode,
        frame_format,
        air_us,
        charge_uc(hat.chip, {"tx": air_us}),
        charge_uc(hat.chip, times_us),
        charge_uc(hat.chip, {"sleep": sleeping_us}),
        times_us,
    )


def measure():
    """What `lines` prints, as plain data."""
    rows = [row(hat, *mode)._asdict() for hat in HATS for mode in MODES]
    return {"currents_ma": CURRENTS_MA, "power_dbm": POWER_DBM, "not_read_again": UNSURE, "rows": rows}


def lines(found):
    """The measurement as text."""
    out = [
        "Charge of the radio chip per telegram. Floor: the air time alone. Sleep: for a telegram a minute.",
        "",
    ]
    for chip, currents in CURRENTS_MA.items():
        unsure = UNSURE.get(chip, ())
        shown = ", ".join(
            "{} {:g}{}".format(state, ma, "?" if state in unsure else "") for state, ma in currents.items()
        )
        out.append("{} at {} dBm, mA: {}".format(chip, POWER_DBM[chip], shown))
    out.append("(?: as commonly quoted, not read again in the datasheet)")
    head = "{:24} {:6} {:>8} {:>9} {:>9} {:>6} {:>8}  {}"
    out += ["", head.format("", "mode", "air ms", "floor uC", "uC", "", "sleep uC", "ms in each state")]
    for one in found["rows"]:
        spent = ", ".join(
            "{} {:.2f}".format(state, us / 1000) for state, us in one["times_us"].items() if us >= 5
        )
        out.append(
            head.format(
                one["hat"],
                "{} {}".format(one["mode"], one["frame_format"]),
                "{:.2f}".format(one["air_us"] / 1000),
                "{:.0f}".format(one["floor_uc"]),
                "{:.0f}".format(one["charge_uc"]),
                "{:+.0f} %".format(100 * (one["charge_uc"] / one["floor_uc"] - 1)),
                "{:.0f}".format(one["sleep_uc"]),
                spent,
            )
        )
    return out
