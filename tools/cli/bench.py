"""`omsnode bench`: how fast this machine reads and decrypts telegrams, and how late it may serve its radio."""

import json
import os
import sys

from omsnode.firmware.errors import MisuseError
from omsnode.firmware.host import burst_decoder
from omsnode.tools.bench import crypto, decode, energy, radio

_BENCHES = {"crypto": crypto, "decode": decode, "energy": energy, "radio": radio}
_LENGTHS = (15, 71, 255)


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "bench",
        description="decode: telegrams per second from hex line to JSON, without and with the plan cache, and of the "
        "deframer, each beside a floor measured in the same run (the same with C routines alone: digits to bytes, one AES "
        "call, json.dumps), and what each stage takes. crypto: AES back ends beside "
        "each other, per primitive and per telegram of profiles A, B and D. radio: dead time of the CC1101 driver, "
        "smallest spacing of frames, and the service delay at which loss begins, on the chip model. energy: charge of the radio chip per telegram, both chips, every mode, beside the air "
        "time alone. burst: frames of the burst mode that are lost against chip errors and Ec/N0, and what decoding costs "
        "(extra `burst`).",
    )
    parser.add_argument("what", nargs="?", choices=sorted([*_BENCHES, "burst"]), default="decode")
    parser.add_argument(
        "--corpus",
        metavar="FILE",
        help="decode: JSON file with telegrams of real meters (default: {} if it is there)".format(
            decode.CORPUS
        ),
    )
    parser.add_argument("--frames", type=int, metavar="N", default=20, help="burst: per point (default: 20)")
    parser.add_argument(
        "--bytes",
        type=int,
        nargs="+",
        metavar="N",
        default=_LENGTHS,
        help="burst: payloads (default: 15 71 255)",
    )
    parser.add_argument("--seed", type=int, metavar="N", default=7, help="burst: of frames, errors and noise")
    parser.add_argument("--picture", metavar="FILE", help="burst: draw it, too (.png, .svg, .pdf)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    return parser


def run(args):
    if args.what == "burst":
        bench, found = _burst(args)
    else:
        bench = _BENCHES[args.what]
        found = bench.measure(args.corpus) if bench is decode else bench.measure()
    if args.json:
        print(json.dumps(found))
    else:
        for line in bench.lines(found):
            print(line)
    return 0


def _burst(args):
    """(the bench, what it found). MisuseError without numpy or with figures that make no frame."""
    for name in burst_decoder.ONE_THREAD:
        os.environ.setdefault(name, "1")  # the times are those of the worker
    try:
        from omsnode.tools.bench import burst
    except ImportError:
        raise MisuseError("bench burst needs numpy", hint="pip install 'omsnode[burst]'")
    if args.frames < 1 or args.seed < 0 or not all(5 <= n <= 255 for n in args.bytes):
        raise MisuseError("no such frames", hint="--frames 1 or more, --bytes 5..255, --seed 0 or more")
    found = burst.measure(
        args.frames, args.bytes, args.seed, lambda text: print("omsnode: " + text, file=sys.stderr)
    )
    if args.picture:
        burst.picture(found, args.picture)
    return burst, found
