"""`omsnode bench`: how fast this machine reads and decrypts telegrams, and how late it may serve its radio."""

import json

from omsnode.tools.bench import crypto, decode, energy, radio

_BENCHES = {"crypto": crypto, "decode": decode, "energy": energy, "radio": radio}


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "bench",
        description="decode: telegrams per second from hex line to JSON, without and with the plan cache, and of the "
        "deframer, each beside a floor measured in the same run (the same with C routines alone: digits to bytes, one AES "
        "call, json.dumps), and what each stage takes. crypto: AES back ends beside "
        "each other, per primitive and per telegram of profiles A, B and D. radio: dead time of the CC1101 driver, "
        "smallest spacing of frames, and the service delay at which loss begins, on the chip model. energy: charge of the radio chip per telegram, both chips, every mode, beside the air "
        "time alone.",
    )
    parser.add_argument("what", nargs="?", choices=sorted(_BENCHES), default="decode")
    parser.add_argument(
        "--corpus",
        metavar="FILE",
        help="decode: JSON file with telegrams of real meters (default: {} if it is there)".format(
            decode.CORPUS
        ),
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    return parser


def run(args):
    bench = _BENCHES[args.what]
    found = bench.measure(args.corpus) if bench is decode else bench.measure()
    if args.json:
        print(json.dumps(found))
    else:
        for line in bench.lines(found):
            print(line)
    return 0
