"""What is between the SX1262 and the rest: pins of the host, the RF switch, the oscillator of each board on the market."""

from collections import namedtuple

from omsnode.firmware.errors import MisuseError

from .chip import Sx1262
from .options import Options

# rf_switch: what turns the antenna between PA and receiver: "none", "dio2" (high in TX), "txen_rxen" (both by the host),
# "dio2_rxen" (DIO2 for TX, the host for RX). tcxo_mv: supply of the TCXO, None: crystal. gain_db: external PA.
Wiring = namedtuple("Wiring", ("rf_switch", "tcxo_mv", "gain_db"))

# Boards sheet 3, by the beginning of a HAT's name; the longest that fits counts.
BOARDS = {
    "sx1262": Wiring("dio2", 1800, 0),
    "waveshare": Wiring("dio2", None, 0),  # LoRaWAN/GNSS HAT: crystal
    "waveshare-core1262": Wiring("dio2", 1800, 0),
    "waveshare-pico": Wiring("dio2", 1800, 0),
    "waveshare-rp2040": Wiring("dio2", None, 0),
    "pico-lora": Wiring("dio2", 1800, 0),
    "core1262": Wiring("dio2", 1800, 0),
    "e22": Wiring("txen_rxen", 1800, 0),
    "meshadv": Wiring("txen_rxen", 1800, 8),  # E22-900M30S: 1 W
    "meshadv-mini": Wiring("dio2_rxen", 1800, 0),
    "pimesh": Wiring("dio2", 1800, 8),
    "rak": Wiring("dio2", 1800, 0),
    "seeed": Wiring("dio2_rxen", 1800, 0),
    "wio": Wiring("dio2_rxen", 1800, 0),
}


def is_hat(hat):
    """Is this the name of a board with an SX1262?"""
    return hat.startswith(tuple(BOARDS))


def wiring(hat):
    known = [name for name in BOARDS if hat.startswith(name)]
    return BOARDS[max(known, key=len)] if known else BOARDS["sx1262"]


READ_NS = 2000  # how long the host takes to look at a pin: else nobody could wait for BUSY by looking


class LevelPin:
    """An input of the host that is only read, never waited for. `stuck`: fault, the level a broken wire shows. `level`:
    the same without the time that a read takes."""

    def __init__(self, name, level, world):
        self.name = name
        self._level = level
        self.world = world
        self.stuck = None

    @property
    def level(self):
        return self._level() if self.stuck is None else self.stuck

    def read(self):
        """0 or 1; takes READ_NS."""
        self.world.advance(self.world.now_ns + READ_NS)
        return self.level

    def write(self, level):
        """MisuseError: the chip drives this line."""
        raise MisuseError("{} is an output of the radio".format(self.name))


class OutputPin:
    """An output of the host. `stuck`: fault, the level that arrives whatever is written."""

    def __init__(self, name, level, changed):
        self.name = name
        self.level = level
        self._stuck = None
        self._changed = changed

    def read(self):
        """What was written last."""
        return self.level

    def write(self, level):
        self.level = 1 if level else 0
        self._changed(self.arrives)

    @property
    def arrives(self):
        """The level at the other end of the wire."""
        return self.level if self._stuck is None else self._stuck

    @property
    def stuck(self):
        return self._stuck

    @stuck.setter
    def stuck(self, level):
        self._stuck = level
        self._changed(self.arrives)


def attach(board, dio1, hat="sx1262", seed=0, crystal_ppm=0.0, options=None, **settings):
    """Put an SX1262 with the wiring of `hat` onto a board. settings: rf_switch, tcxo_mv (0 or None: crystal), gain_db (as
    in BOARDS), inductor (True), reset_level (1: NRESET pulled up; 0: held low until the host drives it), enable (True: a pin
    "enable" must be high, or the antenna is not connected)."""
    known = wiring(hat)
    rf_switch = settings.pop("rf_switch", known.rf_switch)
    tcxo_mv = settings.pop("tcxo_mv", known.tcxo_mv) or None
    gain_db = settings.pop("gain_db", known.gain_db)
    inductor = settings.pop("inductor", True)
    reset_level = settings.pop("reset_level", 1)
    enable = ("enable",) if settings.pop("enable", False) else ()
    if settings:
        raise TypeError("unknown settings " + " ".join(settings))
    if rf_switch not in _SWITCHES:
        raise ValueError("rf_switch {} is none of {}".format(rf_switch, tuple(_SWITCHES)))
    chip = Sx1262(
        board.world, board.name, dio1, seed, crystal_ppm, tcxo_mv, inductor, Options(**(options or {}))
    )
    chip.pa_gain_db = gain_db
    pins = {
        "dio1": dio1,
        "busy": LevelPin("busy", chip.busy, board.world),
        "reset": OutputPin("reset", reset_level, chip.reset_line),
        "dio2": LevelPin("dio2", lambda: chip.dio2, board.world),
    }
    for name in _SWITCHES[rf_switch] + enable:
        pins[name] = OutputPin(name, 0, lambda _: chip.receiver.air_changed())
    chip.rf_loss_db = _switch(chip, pins, rf_switch)
    if not reset_level:
        chip.reset_line(0)
    return chip, pins


_SWITCHES = {"none": (), "dio2": (), "txen_rxen": ("txen", "rxen"), "dio2_rxen": ("rxen",)}


def _switch(chip, pins, rf_switch):
    """transmitting -> loss in dB of the RF switch as it stands."""

    def levels():
        tx = pins["txen"].arrives if "txen" in pins else chip.dio2
        rx = pins["rxen"].arrives if "rxen" in pins else 1 - chip.dio2
        return tx, rx

    def loss_db(transmitting):
        if "enable" in pins and not pins["enable"].arrives:
            return float(chip.options.rf_switch_loss_db)
        if rf_switch == "none":
            return 0.0
        tx, rx = levels()
        right = tx if transmitting else rx
        if tx and rx:
            right = chip.options.rf_switch_both == "works"
        return 0.0 if right else float(chip.options.rf_switch_loss_db)

    return loss_db
