"""`omsnode iq`: telegrams, sent by the driver on the virtual board, to an I/Q file for receivers of RTL-SDR recordings."""

import argparse
import sys

from omsnode.firmware.errors import ConfigError, LineError, MisuseError, OmsError
from omsnode.firmware.host.lines import parse_line
from omsnode.firmware.host.table import complaint
from omsnode.firmware.link import frame_a, frame_b
from omsnode.tools.iq import render, virtual

from . import _telegrams

# The letter on the command line: the mode that sends it with the shortest header.
MODES = {"T": "T1", "C": "C1", "S": "S1-m"}
_LIMITS = (
    ("rate", 400_000, 20_000_000),
    ("ecn0", -30, 100),
    ("offset", -200_000, 200_000),
    ("gap", 0, 60_000),
)
_RANGE = "from {} to {}"
_BUILD = {"A": frame_a.build, "B": frame_b.build}

EXAMPLE = """\
example, to have the public receiver rtl_433 read it:
    echo 0F44AE0C785634120107780B13436587 | omsnode iq --mode T --rate 1200000 --out t.cu8
    rtl_433 -f 868950000 -s 1200000 -Y minmax -R 104 -r t.cu8
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "iq",
        description="Modulate telegrams into an I/Q file: unsigned 8-bit I and Q interleaved (cu8), centred on the "
        "carrier of the mode. Each is sent by the CC1101 driver through the chip model; its registers decide what is on "
        "the air.",
        epilog=_telegrams.LINES_HELP + "\n" + EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--mode", choices=MODES, required=True, help="T1, C1, or S1-m (S with the short header)"
    )
    parser.add_argument(
        "--format", choices=_BUILD, default="A", help="frame format (default: A; B only in mode C)"
    )
    parser.add_argument(
        "--rate", type=int, default=1_000_000, metavar="N", help="samples per second (default: 1000000)"
    )
    parser.add_argument(
        "--ecn0",
        type=float,
        metavar="DB",
        help="noise: energy of a chip over noise density (default: no noise)",
    )
    parser.add_argument("--offset", type=float, default=0.0, metavar="HZ", help="carrier error (default: 0)")
    parser.add_argument(
        "--gap", type=float, default=10.0, metavar="MS", help="silence between telegrams (default: 10)"
    )
    parser.add_argument("--out", required=True, metavar="FILE.cu8", help="file to write")
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="text file, - is standard input")
    return parser


def run(args):
    """Exit status: 0 all written, 1 at least one line refused, 2 wrong use."""
    for name, least, most in _LIMITS:
        value = getattr(args, name)
        if value is not None and not least <= value <= most:  # nan is outside too
            raise MisuseError("--{} {} is not usable".format(name, value), hint=_RANGE.format(least, most))
    frames, refused = _frames(args.file, args.format)
    if not frames:
        raise MisuseError("no telegram in the input", hint="one telegram per line, in hex")
    sent = virtual.send(MODES[args.mode], frames, args.format)
    written = 0
    try:
        with open(args.out, "wb") as file:
            for block in render.blocks(
                sent, args.rate, ecn0_db=args.ecn0, offset_hz=args.offset, gap_ms=args.gap
            ):
                written += file.write(block)
    except OSError as error:
        raise ConfigError("{}: {}".format(args.out, error.strerror)) from None
    print(
        "{} telegrams in {:.3f} s at {:.3f} MHz, {} samples/s: {}".format(
            len(sent), written / 2 / args.rate, sent[0].frequency_hz / 1e6, args.rate, args.out
        ),
        file=sys.stderr,
    )
    return 1 if refused else 0


def _frames(path, frame_format):
    """(frames with their link CRCs, number of lines refused)."""
    frames, refused = [], 0
    for number, text in enumerate(_telegrams.input_lines(path), 1):
        try:
            line = parse_line(text)
            if line is not None and line.frame_format == "wired":
                raise LineError("a wired frame is not sent by radio")
            if line is not None:
                frames.append(bytes(_BUILD[frame_format](line.telegram)))
        except OmsError as error:
            refused += 1
            print("line {}: {}".format(number, complaint(error)), file=sys.stderr)
    return frames, refused
