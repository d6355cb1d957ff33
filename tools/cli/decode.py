"""`omsnode decode`: telegrams from lines of text to JSON or a table."""

import argparse

from omsnode.firmware.application.frames import Formats
from omsnode.firmware.errors import OmsError
from omsnode.firmware.host.json_lines import refused_line, to_json
from omsnode.firmware.host.table import complaint, to_table

from . import _telegrams


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "decode",
        description="Decode telegrams, one per line, to one JSON object per line.",
        epilog=_telegrams.HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # its complaint about an ambiguous option quotes the value
    )
    _telegrams.add_key_options(parser)
    parser.add_argument("--format", choices=("json", "table"), default="json")
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="text file, - is standard input")
    return parser


def run(args):
    """Exit status: 0 all decoded, 1 at least one refused, 2 wrong use."""
    ring = _telegrams.key_ring(args)
    formats = Formats()
    as_json = args.format == "json"
    refused = False
    for text in _telegrams.input_lines(args.file):
        try:
            read = _telegrams.read(text, ring, args, formats)
            if read is None:
                continue
            line, telegram, error = read
            telegram.error = error
            refused = refused or error is not None
            out = to_json(telegram, line.frame_format) if as_json else to_table(telegram)
        except OmsError as error:
            refused = True
            out = refused_line(error) if as_json else "refused: " + complaint(error)
        print(out, flush=True)
    return 1 if refused else 0
