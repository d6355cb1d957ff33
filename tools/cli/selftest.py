"""`omsnode selftest`: is the radio wired and set as its HAT's row says? If not, which wire or setting is wrong."""

import argparse
import contextlib
import importlib
import json

from omsnode.board import hats
from omsnode.board.virtual import World, miswiring
from omsnode.drivers import selftest
from omsnode.firmware.errors import ConfigError, OmsError
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.phy.deframer import Deframer

from . import station

EXIT = """\
Exit status: 0 nothing is wrong, 1 something is (it says which wire or setting), 2 the command itself.
Nothing is sent on the air. No other program may use the radio meanwhile: stop the service first.

Without hardware: --virtual tests the model of a board, and --fault wires it wrongly:
"""
_MOST_SECONDS = 86400

# GPIO: pin of the 40-pin header (boards sheet 1), and those of SPI 0.
_PINS = dict(
    zip(
        (2, 3, 4, 14, 15, 17, 18, 27, 22, 23, 24, 10, 9, 25, 11, 8, 7, 5, 6, 12, 13, 19, 16, 26, 20, 21),
        (3, 5, 7, 8, 10, 11, 12, 13, 15, 16, 18, 19, 21, 22, 23, 24, 26, 29, 31, 32, 33, 35, 36, 37, 38, 40),
        strict=True,
    )
)
_SPI0 = {"mosi": 10, "miso": 9, "sck": 11}
_CHIP_ENABLES = (8, 7)
_LINES = (*hats.EDGES, *hats.LEVELS, "reset", "txen", "rxen", "sck", "mosi", "miso", "cs")


def add_parser(subparsers):
    faults = "\n".join(
        "  {:13} {} ({})".format(name, one.about, ", ".join(one.chips))
        for name, one in miswiring.MISWIRINGS.items()
    )
    parser = subparsers.add_parser(
        "selftest",
        description="Test a radio and its wires step by step: SPI, version, registers, lines, interrupt, reset,\n"
        "oscillator, calibration, receiver.",
        epilog=EXIT + faults,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--hat", metavar="NAME", required=True, help="row of board/hats.py: " + ", ".join(station.HATS)
    )
    parser.add_argument(
        "--listen", type=float, metavar="SECONDS", default=0, help="then hear meters for so long: antenna"
    )
    parser.add_argument(
        "--dump", action="store_true", help="print the registers too, with their datasheet names"
    )
    parser.add_argument(
        "--sub-modes",
        action="store_true",
        help="only print what this radio achieves in the sub-modes of the LPWAN burst mode, beside the limits; no hardware",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument(
        "--virtual", action="store_true", help="test the model of this HAT, with nothing attached"
    )
    parser.add_argument("--fault", metavar="NAME", help="wire the model wrongly, as below")
    return parser


def run(args):
    if not 0 <= args.listen <= _MOST_SECONDS:  # nan is outside too
        raise ConfigError("--listen {} is not usable".format(args.listen))
    hat = hats.find(args.hat)
    if args.sub_modes:
        return _sub_modes(hat, args.json)
    virtual = args.virtual or hat.platform == hats.VIRTUAL
    if args.fault and not virtual:
        raise ConfigError("--fault needs --virtual", hint="a real board is left as it is")
    findings, registers = [], []
    try:
        with _virtual(hat, args.fault) if virtual else _attached(hat) as board:
            for finding in examine(board, hat, args.listen):
                findings.append(finding)
                if not args.json:
                    _show(finding, hat)
            if args.dump:
                registers = _core(hat).dump(board)
    except ConfigError:
        raise
    except OmsError as error:  # no board: then that is what is wrong
        findings.append(selftest.failed("board", str(error), error.hint))
        if not args.json:
            _show(findings[-1], hat)
    good = not any(one.verdict == selftest.FAILED for one in findings)
    if args.json:
        steps = [one._asdict() | {"where": [where(wire, hat) for wire in one.wires]} for one in findings]
        print(
            json.dumps(
                {"hat": args.hat, "chip": hat.chip, "ok": good, "steps": steps, "registers": registers}
            )
        )
    else:
        for line in registers:
            print(line)
        print("{}: {}".format(args.hat, "nothing is wrong" if good else "something is wrong"))
    return 0 if good else 1


def _sub_modes(hat, as_json):
    """Achieved values beside limits. Nothing is wrong with a chip that does not keep to them: exit status 0."""
    sides = {"tx": "sent", "rx": "heard"}
    found = list(selftest.sub_modes(hat.chip, None if hat.platform == hats.VIRTUAL else hat))
    if as_json:
        steps = [
            {
                "sub_mode": name,
                "side": sides[side],
                "rows": [row._asdict() for row in rows],
                "beyond_limits": label,
            }
            for name, side, rows, label in found
        ]
        print(json.dumps({"hat": hat.name, "chip": hat.chip, "sub_modes": steps}))
        return 0
    line = "{:8} {:6} {:28} {:>10} {:>10} {:>10}  {}"
    print(line.format("sub-mode", "", "quantity", "achieved", "lowest", "highest", ""))
    for name, side, rows, label in found:
        for row in rows:
            shown = ["-" if value is None else value for value in row[1:4]]
            print(line.format(name, sides[side], row.quantity, *shown, "inside" if row.inside else "OUTSIDE"))
        if label:
            print("         refused, unless beyond_limits = true")
    if hat.chip == "sx1262":
        from omsnode.drivers.sx1262.submodes import longest

        for direction in (modes.UP, modes.DOWN):
            most = ", ".join("{} {}".format(rate, n) for rate, n in longest(direction))
            print("largest PHY payload sent {}, bytes, by rate: {}".format(direction, most))
    return 0


def examine(board, hat, listen_s=0):
    """Findings of a board whose chip is that of the HAT's row; listen_s: then receive for so many seconds."""
    good = True
    for finding in _core(hat).check(board, hat):
        good = good and finding.verdict != selftest.FAILED
        yield finding
    if listen_s and good:
        yield _heard(board, station.driver(board, hat), int(listen_s * 1000000))


def _core(hat):
    return importlib.import_module("omsnode.drivers.{}.selftest".format(hat.chip))


@contextlib.contextmanager
def _attached(hat):
    if hat.platform != hats.LINUX:
        raise ConfigError(
            "{} is wired to a microcontroller, not to this machine".format(hat.name), hint="or --virtual"
        )
    from omsnode.board import linux

    with linux.open_board(hat) as board:
        yield board


@contextlib.contextmanager
def _virtual(hat, fault):
    board = World().add_board(hat.name.partition(",")[0])
    if fault:
        try:
            miswiring.apply(board, fault)
        except KeyError:
            raise ConfigError(
                "no fault {}".format(fault), hint="known: " + " ".join(miswiring.MISWIRINGS)
            ) from None
        except ValueError as error:
            raise ConfigError(str(error)) from None
    yield board


def _heard(board, driver, us):
    """What the receiver hears: the only look at antenna, RF switch and band that needs no transmitter of ours."""
    driver.start(board.now_us())
    driver.configure(modes.T_AND_C, modes.UP)
    driver.listen(Deframer(modes.T_AND_C), board.now_us())
    levels = []
    end_us = board.now_us() + us
    while board.now_us() < end_us:
        due_us = driver.due_us
        edges, _ = board.wait(end_us if due_us is None else min(due_us, end_us))
        for event in driver.service(board.now_us(), edges):
            if event.kind == radio.FRAME:
                levels.append(event.rssi_dbm)
    driver.sleep(board.now_us())
    if not levels:
        return selftest.warning(
            "antenna",
            "nothing heard for {} s".format(us // 1000000),
            "perhaps no meter sends here; else the antenna, a module for 433 MHz, or the RF switch (dio2_rf_switch, txen, "
            "rxen, en_high)",
            "antenna",
            "rf_switch",
        )
    return selftest.ok("antenna", "{} frames, {} to {} dBm".format(len(levels), min(levels), max(levels)))


def where(wire, hat):
    """A wire for a person: "MISO (GPIO9, pin 21)"; a setting as it is."""
    if wire not in _LINES:
        return wire
    gpio = getattr(hat, wire, None)
    if hat.platform == hats.LINUX and hat.spi_bus == 0:
        gpio = _SPI0.get(wire, gpio)
        if wire == "cs" and gpio is None:
            gpio = _CHIP_ENABLES[hat.spi_dev]
    if gpio is None:
        return wire.upper()
    pin = ", pin {}".format(_PINS[gpio]) if hat.platform == hats.LINUX and gpio in _PINS else ""
    return "{} (GPIO{}{})".format(wire.upper(), gpio, pin)


def _show(finding, hat):
    print("{:8} {:12} {}".format(finding.verdict, finding.step, finding.found), flush=True)
    if finding.wires:
        print("         wrong: " + " or ".join(where(wire, hat) for wire in finding.wires))
    if finding.hint:
        print("         " + finding.hint)
