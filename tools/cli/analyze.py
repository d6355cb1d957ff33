"""`omsnode analyze`: every byte of a telegram with its meaning."""

import argparse
import os

from omsnode.firmware.application.frames import Formats
from omsnode.firmware.errors import OmsError
from omsnode.firmware.host.explain import explain, with_crcs
from omsnode.firmware.host.lpwan_frame import Opened
from omsnode.firmware.host.table import complaint, heading, to_table
from omsnode.firmware.transport.fragmentation import Reassembly

from . import _lpwan, _rows, _telegrams


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "analyze",
        description="Explain every byte of a telegram: offset, byte on the air, decrypted byte, layer, meaning. "
        "Damaged bytes are marked with ??.",
        epilog=_lpwan.HELP + "\n" + _telegrams.HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # its complaint about an ambiguous option quotes the value
    )
    _telegrams.add_key_options(parser)
    _lpwan.add_options(parser)
    parser.add_argument(
        "telegram", metavar="TELEGRAM|FILE|-", help="hex digits, a text file, or - for standard input"
    )
    return parser


def run(args):
    """Exit status: 0 all decoded, 1 at least one refused, 2 wrong use."""
    store = _telegrams.keys(args)
    formats = Formats()
    is_file = args.telegram == "-" or os.path.exists(args.telegram)
    # What is no file and does not look like hex digits was meant to be one: the complaint should say so.
    is_file = is_file or "." in args.telegram.split(";")[-1] or "/" in args.telegram
    fragments = Reassembly()
    lpwan = _lpwan.Lines(args, store, all_the_same=True)
    refused = first = False
    for text in _telegrams.input_lines(args.telegram) if is_file else [args.telegram]:
        try:
            read = _telegrams.read(text, store, args, formats, fragments=fragments, lpwan=lpwan)
            if read is None:
                continue
            if first:
                print()
            first = True
            (_lpwan.print_analysis if isinstance(read[0], Opened) else print_analysis)(*read)
            if read[1].joined:
                print(to_table(read[1]))
            refused = refused or read[2] is not None
        except OmsError as error:
            refused = True
            print("refused: " + complaint(error), flush=True)
    return 1 if refused else 0


def print_analysis(line, telegram, error):
    """The heading, one row per field, and the refusal if there is one."""
    spans, data = explain(telegram), telegram.raw
    if line.error is not None:
        data = bytes([line.l_field]) + data[1:]
        spans[0] = spans[0]._replace(
            meaning="L-field: announces {} bytes, but {} follow".format(line.l_field, len(data) - 1)
        )
    if line.frame is not None:
        spans, data = with_crcs(spans, line.frame_format), line.frame
    print(heading(telegram))
    _rows.print_spans(spans, data)
    if error is not None:
        print("refused: " + complaint(error))
    print(_rows.footer(spans, data), flush=True)
