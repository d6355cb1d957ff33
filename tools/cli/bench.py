"""`omsnode bench`: how fast this machine reads telegrams, and how late it may serve its radio."""

import json

from omsnode.tools.bench import decode, radio

_BENCHES = {"decode": decode, "radio": radio}


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "bench",
        description="decode: telegrams per second from hex line to JSON, of the core alone and of the deframer, each "
        "beside a floor measured in the same run, and the share of each stage. radio: dead time of the CC1101 driver, "
        "smallest spacing of frames, and the service delay at which loss begins, on the chip model.",
    )
    parser.add_argument("what", nargs="?", choices=sorted(_BENCHES), default="decode")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    return parser


def run(args):
    bench = _BENCHES[args.what]
    found = bench.measure()
    if args.json:
        print(json.dumps(found))
    else:
        for line in bench.lines(found):
            print(line)
    return 0
