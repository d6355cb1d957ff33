"""Self-test of a CC1101 and its wires (sheet 1, 2, 4, 5, 8, 9), and the dump of its registers.

GDO0 and GDO2 are outputs whose level can be programmed: that tells which of them arrives where, and, if nothing comes
back on MISO, whether commands arrive at all. A chip fresh from reset shows its crystal on GDO0 (135 kHz) and CHIP_RDYn on
GDO2.
"""

from omsnode.firmware.portable import const

from .. import selftest
from ..selftest import failed, ok, pause, quiet, rose, skipped, warning
from . import profiles, registers
from .chip import Chip

# Command strobes (table 42), status registers (section 29.3), configuration registers
_SRES = const(0x30)
_SCAL = const(0x33)
_SIDLE = const(0x36)
_SPWD = const(0x39)
_SFTX = const(0x3B)
_SNOP = const(0x3D)
_RSSI = const(0x34)
_MARCSTATE = const(0x35)
_IOCFG2 = const(0x00)
_IOCFG0 = const(0x02)
_FIFOTHR = const(0x03)
_SYNC1 = const(0x04)
_READ = const(0x80)
_BURST = const(0x40)

_LOW = const(0x2F)  # IOCFGx: constant 0
_INVERT = const(0x40)
_TX_THRESHOLD = const(0x02)
_LEVELS = ((0, 0), (1, 0), (0, 1), (1, 1))  # of GDO0 and GDO2

_PASSES = const(64)  # SNOPs, for the crystal to start, and looks at what may be a clock
_ROUNDS = const(40)
_VERSIONS = (0x14, 0x04)
_IDLE = const(0x01)
_RX = const(0x0D)
# Status registers from 0x30 on.
_STATUS = "PARTNUM VERSION FREQEST LQI RSSI MARCSTATE WORTIME1 WORTIME0 PKTSTATUS"
_CALIBRATIONS = const(3)
_FAR = const(8)  # codes of two calibrations of one carrier differ by less

_SPI_WIRES = ("cs", "sck", "mosi")
_HINT_DEAF = "the wire to SI of the module; SCLK; CSN on the chip enable of the HAT row?"
_HINT_MODULE = (
    "3.3 V and ground at the module? If so it may be asleep: take its power away for a moment, and again"
)


def check(board, hat=None):
    """Generator of selftest.Finding. board: a board of this chip, edges not yet armed. hat: row of board/hats.py."""
    pins = board.pins["gdo0"], board.pins["gdo2"]
    chip = Chip(board.spi)
    clocks = _reset(chip, pins)
    seen = _obeyed(chip, pins)
    answers = [_ask(board.spi, bytes((_READ | _BURST | address, 0, 0))) for address in (0x31, _SYNC1, 0x29)]
    heard = selftest.kind(answers)
    obeys = [_follows(seen, 0), _follows(seen, 1)]  # which GDO the two pins of the host show
    alive = heard == selftest.ANSWERS and chip.wait_ready()
    if not alive:
        yield _no_answer(heard, obeys, clocks, seen)
        return
    yield ok("spi", "the chip answers, its crystal runs")
    if chip.version in _VERSIONS and chip.partnum == 0:
        yield ok("version", "PARTNUM {:02X}, VERSION {:02X}".format(chip.partnum, chip.version))
    else:
        yield warning(
            "version",
            "PARTNUM {:02X}, VERSION {:02X} are not those of TI".format(chip.partnum, chip.version),
            "clones have others and mostly work",
        )
    wrong = _wrong_bytes(chip)
    if wrong > _ROUNDS * 23:
        yield failed("registers", "next to no byte reads back as written", _HINT_DEAF, "mosi", "sck", "cs")
        return
    if wrong:
        yield failed(
            "registers",
            "{} of {} bytes do not read back as written".format(wrong, _ROUNDS * 47),
            "leads below 10 cm, ground beside them, a lower spi_hz; is another program using this SPI device?",
            "spi_hz",
        )
        return
    yield ok("registers", "{} bytes read back as written".format(_ROUNDS * 47))
    lines = list(_lines(obeys, seen))
    for finding in lines:
        yield finding
    right = not [one for one in lines if one.verdict == selftest.FAILED]
    for finding in _edges(board, chip) if right else (skipped("interrupt", "the lines come first"),):
        yield finding
    for finding in _radio(board, chip, hat):
        yield finding


def dump(board):
    """Lines of text: every configuration register with its fields as the datasheet names them, then status registers."""
    from . import fields

    chip = Chip(board.spi)
    chip.wait_ready()
    lines = fields.describe(_ask(board.spi, bytes((_READ | _BURST,)) + bytes(47))[1:])
    for address, name in enumerate(_STATUS.split()):
        lines.append("{} 0x{:02X} = {:02X}".format(name, 0x30 + address, chip.stable(0x30 + address)))
    return lines


def _ask(spi, tx):
    rx = bytearray(len(tx))
    spi.transfer(tx, rx)
    return bytes(rx)


def _reset(chip, pins):
    """SRES, blindly. Returns for both pins whether a clock was seen on it. Time passes by SNOPs: to wait for edges would
    arm them, and the clock would flood the host."""
    for _ in range(_PASSES):  # a chip that sleeps loses what is sent before its crystal runs
        chip.strobe(_SNOP)
    chip.strobe(_SRES)
    for _ in range(_PASSES):
        chip.strobe(_SNOP)
    levels = set(), set()
    for i in range(_PASSES):
        levels[0].add(pins[0].read())
        levels[1].add(pins[1].read())
        for _ in range(1 + i % 3):
            chip.strobe(_SNOP)
    return [len(seen) > 1 for seen in levels]


def _obeyed(chip, pins):
    """What both pins showed while GDO0 and GDO2 were made to go through _LEVELS."""
    seen = [], []
    for gdo0, gdo2 in _LEVELS:
        chip.write(_IOCFG0, _LOW | (_INVERT if gdo0 else 0))
        chip.write(_IOCFG2, _LOW | (_INVERT if gdo2 else 0))
        chip.strobe(_SNOP)
        seen[0].append(pins[0].read())
        seen[1].append(pins[1].read())
    return seen


def _follows(seen, pin):
    """ "gdo0" or "gdo2", whichever the pin showed, or None."""
    for i, name in enumerate(("gdo0", "gdo2")):
        if seen[pin] == [levels[i] for levels in _LEVELS]:
            return name
    return None


def _no_answer(heard, obeys, clocks, seen):
    """Which wire it is, if nothing useful comes back: from what GDO0 and GDO2 show."""
    if heard == selftest.ANSWERS and obeys[0] and obeys[1]:
        return failed(
            "version",
            "VERSION reads 00 or FF, all else answers",
            "a clone that the driver does not take",
            "chip",
        )
    if obeys[0] or obeys[1]:
        return failed(
            "spi", "commands arrive, but nothing comes back", "the wire from SO of the module", "miso"
        )
    if heard == selftest.ECHO:
        return failed(
            "spi",
            "the chip tells its status whatever it is asked: it hears nothing",
            _HINT_DEAF,
            "mosi",
        )
    if clocks[0] or clocks[1]:
        return failed(
            "spi",
            "the chip lives (its crystal is seen on GDO0), but commands do not arrive",
            "CSN on the chip enable of the HAT row? SCLK? MOSI and MISO swapped?",
            *_SPI_WIRES,
        )
    if seen[1][0] or seen[0][0]:
        return failed(
            "crystal",
            "CHIP_RDYn stays high: the crystal of the module does not start",
            "the module is broken, or has less than 1.8 V",
            "crystal",
            "supply",
        )
    return failed("spi", "no sign of life on any wire", _HINT_MODULE, "supply", *_SPI_WIRES)


def _wrong_bytes(chip):
    """How many bytes differ if all configuration registers are written and read, with changing values."""
    wrong = 0
    masks = registers.READ_BACK
    read = bytes((_READ | _BURST,)) + bytes(47)
    rx = bytearray(48)
    for turn in range(_ROUNDS):
        value = (0x55, 0xAA, 0x0F, 0xF0)[turn % 4]
        block = bytearray(registers.RESET)
        for address in range(_SYNC1, 0x1E):  # those behind have to do with the chip's manufacture, in part
            block[address] = value & masks[address]
        block[0x08] = 0x45  # no serial mode
        chip.load(block)
        chip._transfer(read, rx)
        for address in range(0x29):
            if (rx[address + 1] ^ block[address]) & masks[address]:
                wrong += 1
    chip.load(registers.RESET)
    return wrong


def _lines(obeys, seen):
    """Findings about GDO0 and GDO2."""
    names = ("gdo0", "gdo2")
    if obeys[0] == "gdo2" and obeys[1] == "gdo0":
        yield failed(
            "gdo0", "GDO0 and GDO2 are swapped", "change them over, or say gdo0=.. gdo2=..", "gdo0", "gdo2"
        )
        return
    for i, name in enumerate(names):
        if obeys[i] == name:
            yield ok(name, "follows the chip")
        elif obeys[i]:
            yield failed(name, "shows what {} does".format(obeys[i].upper()), "both wires on one line?", name)
        else:
            level = "high" if seen[i][0] else "low"
            stuck = "stays " + level if len(set(seen[i])) == 1 else "is restless"
            yield failed(
                name,
                "the line {} whatever the chip does".format(stuck),
                "its wire is open or on another pin",
                name,
            )


def _edges(board, chip):
    """The interrupt lines: the chip raises one by its FIFO threshold, the other by its level."""
    chip.write(_IOCFG0, _LOW)
    chip.write(_IOCFG2, _LOW)
    pause(board, 100)  # arms the edges; those before mean nothing
    chip.write(_FIFOTHR, 7)  # TX: 33 bytes
    chip.write(_IOCFG0, _TX_THRESHOLD)
    pause(board, 100)
    chip.write_fifo(memoryview(bytes(40)), 0, 40)
    edges = pause(board, 300)
    risen = rose(edges, "gdo0")
    level = board.pins["gdo0"].read()
    chip.strobe(_SFTX)
    pause(board, 100)
    fallen = not board.pins["gdo0"].read()
    if level and not risen:
        yield failed(
            "interrupt",
            "GDO0 is high, but no edge was told",
            "GPIO library and kernel: is gpiod 2 installed?",
            "gdo0",
        )
    elif not level or not fallen:
        yield failed("interrupt", "the FIFO threshold does not show on GDO0", "a damaged chip", "gdo0")
    else:
        yield ok("interrupt", "the threshold of the FIFO raised GDO0")
    chip.write(_IOCFG2, _LOW | _INVERT)
    if rose(pause(board, 300), "gdo2"):
        yield ok("interrupt", "an edge of GDO2 arrived")
    else:
        yield failed("interrupt", "GDO2 went high, but no edge was told", "GPIO library and kernel", "gdo2")
    chip.write(_IOCFG2, _LOW)


def _radio(board, chip, hat):
    """Findings about synthesizer and receiver; the chip sleeps behind it."""
    crystal_hz = hat.crystal_hz if hat and hat.crystal_hz else profiles.CRYSTAL_HZ
    good = 0
    for mode in ("S1", "T1"):
        chip.load(profiles.block(mode, "up", profiles.RX, crystal_hz))
        good += _calibrations(board, chip)
    if good == 2 * _CALIBRATIONS:
        yield ok("calibration", "the synthesizer locks on both carriers")
    elif good:
        yield warning(
            "calibration",
            "{} of {} calibrations are good".format(good, 2 * _CALIBRATIONS),
            "a weak supply, or a chip at its limits: the driver tries again",
            "supply",
        )
    else:
        yield failed(
            "calibration",
            "the synthesizer does not lock",
            "3.3 V with 100 nF and 10 uF close to the module; is its crystal 26 MHz (crystal_hz)?",
            "supply",
            "crystal",
        )
        return
    chip.listen(True)
    pause(board, 3000)
    state = chip.stable(_MARCSTATE) & 0x1F
    levels = []
    for _ in range(16):
        raw = chip.status(_RSSI)
        levels.append(((raw - 256 if raw & 0x80 else raw) >> 1) - 74)
        pause(board, 500)
    chip.strobe(_SIDLE)
    levels.sort()
    level = levels[len(levels) // 2]
    chip.strobe(_SPWD)
    if state != _RX:
        yield failed(
            "receiver", "stays in state {:02X} instead of RX".format(state), "a damaged chip", "supply"
        )
    else:
        yield quiet(level)
    yield skipped(
        "antenna", "neither the antenna nor a module for 433 MHz shows without a meter: try --listen"
    )


def _calibrations(board, chip):
    """How many of some calibrations lock and agree with the others."""
    codes = []
    for _ in range(_CALIBRATIONS):
        chip.strobe(_SCAL)
        pause(board, 1500)
        result = chip.read_calibration()
        if result and chip.stable(_MARCSTATE) & 0x1F == _IDLE:
            codes.append(result[2])
    codes.sort()
    middle = codes[len(codes) // 2] if codes else 0
    return len([code for code in codes if abs(code - middle) <= _FAR])
