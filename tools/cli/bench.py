"""`omsnode bench`: how fast this machine reads telegrams."""

import json

from omsnode.tools.bench import decode

_BENCHES = {"decode": decode.measure}


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "bench",
        help="measure how fast telegrams are read",
        description="Telegrams per second from hex line to JSON, of the core alone and of the deframer, each beside a "
        "floor measured in the same run, and the share of each stage.",
    )
    parser.add_argument("what", nargs="?", choices=sorted(_BENCHES), default="decode")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    return parser


def run(args):
    rows, shares = _BENCHES[args.what]()
    if args.json:
        print(json.dumps({"rows": rows, "shares": shares}))
        return 0
    print("{:<40} {:>10} {:>9} {:>9} {:>7}".format("", "per second", "us", "floor us", "ratio"))
    for row in rows:
        print("{what:<40} {per_second:>10} {us:>9} {floor_us:>9} {ratio:>7}".format(**row))
    for one in shares:
        print("\nCPU share of each stage, {}:".format(one["telegram"]))
        for stage, share in one["share"].items():
            print("  {:<20} {:>6.1%}".format(stage, share))
    return 0
