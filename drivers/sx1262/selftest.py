"""Self-test of an SX1262 and its wires (sheet 1 to 4), and the dump of its registers.

BUSY is not trusted before it is tested: commands are given so far apart that it must be low. A sleeping chip holds BUSY
high, whatever oscillator it has, and a reset shows in registers: so each wire is judged by two others.
"""

from omsnode.firmware.portable import const

from .. import selftest
from ..selftest import failed, ok, pause, quiet, rose, skipped, warning
from . import commands, profiles, registers
from .bare import BOOT_US, PATTERN, ROUNDS, Bare
from .start import TCXO_MV

_CALIBRATION_US = const(25000)  # 3.5 ms, up to 18 seen with a TCXO (sheet 1.1)
_MODE_BITS = const(0x70)  # of the status byte; the others tell of commands
_LONG_DELAY_US = const(20000)
_TIMEOUT_US = const(3000)

_SPI_WIRES = ("cs", "sck", "mosi")
_SUPPLY_HINT = "3.3 V (an amplifier of 1 W: 5 V) and ground at the module?"
_EDGE_HINT = "GPIO library and kernel: is gpiod 2 installed?"

# What `dump` reads: address, bytes. Names are those of registers.py.
_DUMPED = (
    "VERSION_STRING 16  SYNC_WORD 8  PACKET_CONTROL 1  BIT_SYNC 1  CFO_ESTIMATE 2  WHITENING_SEED_MSB 1  "
    "WHITENING_SEED_LSB 1  RX_TX_PLD_LEN 1  CRC_SEED 2  CRC_POLYNOMIAL 2  RSSI_SYNC 1  NODE_ADDRESS 1  "
    "BROADCAST_ADDRESS 1  TX_READ_POINTER 1  RX_WRITE_POINTER 1  TX_MODULATION 1  RF_FREQUENCY 4  RX_GAIN 1  "
    "TX_CLAMP 1  OCP 1  RTC_STOP 1  XTA_TRIM 1  XTB_TRIM 1  DIO3_VOLTAGE 1  RETENTION_LIST 9  DIO_OUTPUT_DISABLE 1  "
    "DIO_INPUT_ENABLE 1"
)


def check(board, hat=None):
    """Generator of selftest.Finding. board: a board of this chip. hat: row of board/hats.py."""
    bench = Bare(board)
    during, after = bench.reset()
    alive = bench.standby()
    if not alive:
        yield _no_answer(bench, during, after)
        return
    yield ok("spi", "the chip answers")
    version = bench.read(registers.VERSION_STRING, 16)
    text = "".join([chr(byte) for byte in version if 32 <= byte < 127])
    if text.startswith("SX126"):
        yield ok("version", text)
    else:
        yield warning("version", '"{}" is no SX126x'.format(text), "is it another chip?")
    wrong = bench.wrong_bytes()
    if wrong:
        yield failed(
            "registers",
            "{} of {} bytes do not read back as written".format(wrong, ROUNDS * 8),
            "shorter leads, ground beside them, a lower spi_hz; is another program using this SPI device?",
            "spi_hz",
        )
        return
    yield ok("registers", "{} bytes read back as written".format(ROUNDS * 8))
    swapped = False
    for finding in _lines(bench):
        swapped = swapped or "busy" in finding.wires and "dio1" in finding.wires
        yield finding
    for finding in _reset_line(bench):
        yield finding
    settings = _Settings(hat)
    runs = False
    for finding in _oscillator(bench, settings):
        runs = runs or finding.verdict in (selftest.OK, selftest.WARNING)
        yield finding
    if runs:
        for finding in _radio(bench, settings, swapped):
            yield finding
    bench.reset()
    bench.standby()
    bench.give(commands.SET_SLEEP, commands.WARM_START)


def dump(board):
    """Lines of text: mode, errors, interrupts, then the registers by name."""
    bench = Bare(board)
    bench.standby()
    lines = [
        "status = {:02X}".format(bench.status()),
        "device errors = {:04X}".format(bench.errors()),
        "interrupts = {:04X}".format(bench.irq()),
    ]
    words = _DUMPED.split()
    for i in range(0, len(words), 2):
        address, n = getattr(registers, words[i]), int(words[i + 1])
        shown = " ".join(["{:02X}".format(byte) for byte in bench.read(address, n)])
        lines.append("{} 0x{:04X} = {}".format(words[i], address, shown))
    return lines


class _Settings:
    """Of the HAT's row, with what counts where it does not say."""

    def __init__(self, hat):
        self.tcxo_mv = getattr(hat, "tcxo_mv", None) or 0
        self.tcxo_delay_us = getattr(hat, "tcxo_delay_us", None) or 5000
        self.dcdc = getattr(hat, "dcdc", None) is not False
        self.dio2_rf_switch = getattr(hat, "dio2_rf_switch", None) is not False


def _no_answer(bench, during, after):
    """Which wire it is, if nothing useful comes back: from what BUSY shows (or DIO1, if they are swapped too)."""
    answers = [
        bench.give(commands.GET_STATUS, 0),
        bench.read(registers.VERSION_STRING, 8),
        bench.give(commands.GET_DEVICE_ERRORS, 0, 0, 0),
    ]
    heard = selftest.kind(answers, _MODE_BITS)
    levels = bench.asleep_and_awake()
    for i in (0, 1):
        if [level[i] for level in levels] == [0, 1, 0]:
            return failed(
                "spi",
                "commands arrive (BUSY), but nothing comes back",
                "the wire from MISO of the module",
                "miso",
            )
    if heard == selftest.ECHO:
        return failed(
            "spi",
            "the chip tells its status whatever it is asked: it hears nothing",
            "the wire to MOSI of the module",
            "mosi",
        )
    for i in (0, 1):
        if during[i] and not after[i]:
            return failed(
                "spi",
                "the chip starts (BUSY), but commands do not arrive",
                "NSS on the chip select of the HAT row, and does the kernel drive it? SCK? MOSI and MISO swapped?",
                *_SPI_WIRES,
            )
    if after[0]:
        return failed(
            "reset",
            "BUSY stays high and nothing answers: the chip is held in reset",
            "the RESET line must go high: its wire, its GPIO, another program?",
            "reset",
            "supply",
        )
    return failed("spi", "no sign of life on any wire", _SUPPLY_HINT, "supply", *_SPI_WIRES)


def _lines(bench):
    """Findings about BUSY, and about DIO1 while the chip has no interrupt."""
    levels = bench.asleep_and_awake()
    busy = [level[0] for level in levels]
    dio1 = [level[1] for level in levels]
    bench.standby()
    if dio1 == [0, 1, 0]:
        if busy == dio1:
            yield failed("busy", "BUSY and DIO1 show the same", "both wires on one line?", "dio1", "busy")
        else:
            yield failed(
                "busy",
                "BUSY and DIO1 are swapped",
                "change them over, or say busy=.. dio1=..",
                "busy",
                "dio1",
            )
        return
    if busy == [0, 1, 0]:
        yield ok("busy", "high while the chip sleeps, low when it is awake")
    else:
        stuck = "stays " + ("high" if busy[0] else "low") if len(set(busy)) == 1 else "is restless"
        yield failed(
            "busy",
            "the line {} whatever the chip does".format(stuck),
            "its wire is open or on another pin",
            "busy",
        )
    if dio1[0] and dio1[1]:
        yield failed(
            "dio1", "the line is high without an interrupt", "its wire is open or on another pin", "dio1"
        )


def _reset_line(bench):
    if not bench.reset_pin:
        yield skipped("reset", "the HAT has no such line")
        return
    bench.write(registers.SYNC_WORD, PATTERN)
    bench.reset()
    bench.give(commands.SET_STANDBY, commands.STDBY_RC)
    bench.give(commands.SET_STANDBY, commands.STDBY_RC)
    if bench.read(registers.SYNC_WORD, 8) == PATTERN:
        yield failed(
            "reset", "the chip keeps what it was told", "the wire to RESET is open or on another pin", "reset"
        )
    else:
        yield ok("reset", "the chip forgot what it was told")


def _starts(bench, tcxo_mv, delay_us):
    """From a reset: does the oscillator start with this supply on DIO3 (0: without)?"""
    bench.reset()
    bench.standby()
    if tcxo_mv:
        delay = delay_us * 64 // 1000
        bench.give(
            commands.SET_DIO3_AS_TCXO_CTRL,
            TCXO_MV.index(tcxo_mv),
            delay >> 16,
            delay >> 8 & 0xFF,
            delay & 0xFF,
        )
    bench.clear_errors()
    bench.give(commands.SET_STANDBY, commands.STDBY_XOSC, wait_us=delay_us + 1000)
    return bench.mode() == commands.MODE_STDBY_XOSC and not bench.errors() & commands.ERROR_XOSC_START


def _oscillator(bench, settings):
    """Finding; leaves the chip in standby with an oscillator that runs, if one does."""
    wanted = settings.tcxo_mv
    alone = _starts(bench, 0, 1000)
    if not wanted and alone:
        yield ok("oscillator", "the crystal runs")
        return
    if alone:
        if _starts(bench, wanted, settings.tcxo_delay_us):
            yield warning(
                "oscillator",
                "runs without DIO3 too: a crystal",
                "say tcxo_mv=0 with the name of the HAT",
                "tcxo_mv",
            )
        else:
            yield failed(
                "oscillator",
                "runs without DIO3 only: a crystal, and the HAT's row says TCXO",
                "say tcxo_mv=0 with the name of the HAT",
                "tcxo_mv",
            )
        return
    if wanted and _starts(bench, wanted, settings.tcxo_delay_us):
        yield ok("oscillator", "a TCXO on DIO3, {} mV".format(wanted))
        return
    if wanted and _starts(bench, wanted, _LONG_DELAY_US):
        yield failed(
            "oscillator",
            "the TCXO needs more than {} us".format(settings.tcxo_delay_us),
            "say tcxo_delay_us={} with the name of the HAT".format(_LONG_DELAY_US),
            "tcxo_delay_us",
        )
        return
    for millivolts in TCXO_MV:  # upwards, so that no TCXO gets more than it needs
        if millivolts != wanted and _starts(bench, millivolts, _LONG_DELAY_US):
            yield failed(
                "oscillator",
                "a TCXO that starts with {} mV on DIO3".format(millivolts),
                "say tcxo_mv={} with the name of the HAT".format(max(millivolts, 1800)),
                "tcxo_mv",
            )
            return
    yield failed(
        "oscillator",
        "neither a crystal nor a TCXO starts",
        "a damaged module, or its supply is too weak",
        "crystal",
        "supply",
    )


def _radio(bench, settings, swapped):
    """Findings about calibration, synthesizer, interrupt and receiver."""
    delay_us = settings.tcxo_delay_us if settings.tcxo_mv else 0
    if not _starts(bench, settings.tcxo_mv, delay_us or 1000):
        return
    bench.give(commands.SET_STANDBY, commands.STDBY_RC)
    bench.give(commands.CALIBRATE, 0x7F, wait_us=_CALIBRATION_US + delay_us)
    bench.give(commands.CALIBRATE_IMAGE, 0xD7, 0xDB, wait_us=_CALIBRATION_US + delay_us)
    errors = bench.errors()
    if errors:
        yield failed("calibration", "device errors {:04X}".format(errors), _SUPPLY_HINT, "supply")
        return
    yield ok("calibration", "all blocks, and the image for 863 to 870 MHz")
    _configure(bench, settings.dio2_rf_switch)
    for _ in range(4):  # one of four may fail: the driver tries again as well
        bench.clear_errors()
        bench.give(commands.SET_FS, wait_us=delay_us + 500)
        locked = bench.mode() == commands.MODE_FS and not bench.errors()
        if locked:
            break
    if not locked:
        yield failed(
            "synthesizer",
            "does not lock, device errors {:04X}".format(bench.errors()),
            _SUPPLY_HINT,
            "supply",
        )
        return
    yield ok("synthesizer", "locks")
    bench.give(commands.SET_STANDBY, commands.STDBY_RC)
    if settings.dcdc:
        bench.give(commands.SET_REGULATOR_MODE, 1)
        bench.give(commands.SET_RX, 0xFF, 0xFF, 0xFF, wait_us=delay_us + BOOT_US)
        if bench.read(registers.SYNC_WORD, 8)[:2] != b"\x54\x3d":
            yield failed(
                "regulator",
                "the chip breaks down with its DC-DC converter",
                "no inductor on this module: say dcdc=0 with the name of the HAT",
                "dcdc",
                "supply",
            )
            return
        yield ok("regulator", "the DC-DC converter carries the receiver")
    for finding in _interrupt(bench, delay_us, swapped):
        yield finding
    for finding in _receiver(bench, delay_us):
        yield finding


def _configure(bench, dio2_rf_switch):
    profile = profiles.receive("T+C", "up", 0)
    bench.give(commands.SET_PACKET_TYPE, 0)
    for command in (profile.frequency, profile.modulation, profile.packet):
        bench.give(*command)
    bench.write(registers.SYNC_WORD, profile.sync)
    bench.give(commands.SET_DIO2_AS_RF_SWITCH_CTRL, 1 if dio2_rf_switch else 0)


def _interrupt(bench, delay_us, swapped):
    """The chip raises DIO1 by a receiver that times out."""
    high, low = commands.IRQ_TIMEOUT >> 8, commands.IRQ_TIMEOUT & 0xFF
    bench.give(commands.SET_STANDBY, commands.STDBY_RC)
    bench.give(commands.SET_DIO_IRQ_PARAMS, high, low, high, low, 0, 0, 0, 0)
    bench.give(commands.CLEAR_IRQ_STATUS, 0xFF, 0xFF)
    before = bench.dio1()
    steps = _TIMEOUT_US * 64 // 1000
    edges = []
    data = bytes((commands.SET_RX, 0, steps >> 8, steps & 0xFF))
    pause(bench.board, 100)
    bench.board.spi.transfer(data, bytearray(4))
    edges += pause(bench.board, delay_us + 2 * _TIMEOUT_US)
    level = bench.dio1()
    latched = bench.irq() & commands.IRQ_TIMEOUT
    bench.give(commands.CLEAR_IRQ_STATUS, 0xFF, 0xFF)
    after = bench.dio1()
    if not latched:
        yield failed(
            "interrupt",
            "the receiver does not time out",
            "a damaged chip, or another program uses it",
            "supply",
        )
    elif swapped:
        yield skipped("interrupt", "the lines come first")
    elif (before, level, after) != (0, 1, 0):
        stuck = "high" if before else "low"
        yield failed("interrupt", "DIO1 stays {}".format(stuck), "its wire is open or on another pin", "dio1")
    elif not rose(edges, "dio1"):
        yield failed("interrupt", "DIO1 is high, but no edge was told", _EDGE_HINT, "dio1")
    else:
        yield ok("interrupt", "a timeout raised DIO1")


def _receiver(bench, delay_us):
    if bench.board.pins.get("rxen"):
        bench.board.pins["rxen"].write(1)
    bench.give(commands.SET_RX, 0xFF, 0xFF, 0xFF, wait_us=delay_us + 1000)
    levels = []
    for _ in range(16):
        levels.append(-(bench.give(commands.GET_RSSI_INST, 0, 0)[1] >> 1))
    receives = bench.mode() == commands.MODE_RX
    bench.give(commands.SET_STANDBY, commands.STDBY_RC)
    if bench.board.pins.get("rxen"):
        bench.board.pins["rxen"].write(0)
    levels.sort()
    level = levels[len(levels) // 2]
    if not receives:
        yield failed("receiver", "does not stay in RX", _SUPPLY_HINT, "supply")
    else:
        yield quiet(level)
    yield skipped("rf_switch", "neither the switch nor the antenna shows without a meter: try --listen")
