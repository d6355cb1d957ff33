"""`omsnode decode`: telegrams from lines of text to JSON or another format."""

import argparse
import os

from omsnode.firmware.application import obis
from omsnode.firmware.application.frames import Formats
from omsnode.firmware.application.telegram import Telegram
from omsnode.firmware.errors import OmsError
from omsnode.firmware.host import lpwan_words
from omsnode.firmware.host.json_lines import refused_line
from omsnode.firmware.host.lpwan_frame import Opened
from omsnode.firmware.host.plan import Plans
from omsnode.firmware.host.table import complaint, to_table
from omsnode.firmware.transport.fragmentation import Reassembly

from . import _lpwan, _telegrams, output, profiles, value_handling


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "decode",
        description="Decode telegrams, one per line, to one JSON object per line.",
        epilog="\n".join(
            (output.FORMATS_HELP, value_handling.HELP, profiles.HELP, _lpwan.HELP, _telegrams.HELP)
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # its complaint about an ambiguous option quotes the value
    )
    _telegrams.add_key_options(parser)
    _lpwan.add_options(parser)
    output.add_options(parser)
    value_handling.add_options(parser)
    profiles.add_options(parser)
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="text file, - is standard input")
    return parser


def run(args):
    """Exit status: 0 all decoded, 1 at least one refused, 2 wrong use."""
    output.check(args)
    store = _telegrams.keys(args)
    formats = Formats()
    fragments = Reassembly(most_messages=1000)
    plans = Plans(annotate=obis.annotate)
    lpwan = _lpwan.Lines(args, store)
    render, refuse = _form(args.format, args.units, plans)
    handling = value_handling.of(args, store.key_for)
    if handling:
        render, refuse = handling.around(render, refuse)
    gathered = profiles.of(args, store.key_for)
    live = args.file == "-" or not os.path.isfile(args.file)  # somebody may wait for each line
    refused = False
    for text in _telegrams.input_lines(args.file):
        try:
            read = _telegrams.read(text, store, args, formats, plans.decode, fragments, lpwan)
            if read is None:
                continue
            line, telegram, error = read
            telegram.error = error
            refused = refused or error is not None
            if gathered is not None:
                gathered.feed(telegram, value_handling.instant(line.timestamp))
            out = render(telegram, line)
        except OmsError as error:
            refused = True
            out = refuse(error)
        if out is not None:
            print(out, flush=live)
    if gathered is not None:
        gathered.tell()
    return 1 if refused else 0


def _form(form, wishes, plans):
    """(function of a Telegram and its Line, function of the OmsError of a line without telegram); either returns what
    is printed, or None."""
    if form == "json":
        return output.converted(_json(plans), wishes), refused_line
    if form == "table":
        return output.converted(_table, wishes), _refused
    line_of = output.writer(form)

    def render(telegram, line):
        # With an L-field of our own it is not handed on, nor is a MAC frame, which has none.
        raw = b"" if line.error is not None or isinstance(line, Opened) else line.telegram
        return line_of(output.Heard(telegram, raw, line.timestamp, line.mode, line.rssi_dbm))

    def refuse(error):
        nothing = Telegram(b"")
        nothing.error = error
        return line_of(output.Heard(nothing, b""))

    return render, refuse


def _json(plans):
    def render(telegram, line):
        more = lpwan_words.more(line) if isinstance(line, Opened) else ()
        return plans.to_json(telegram, line.frame_format, more)

    return render


def _table(telegram, line):
    more = lpwan_words.lines_of(line) if isinstance(line, Opened) else []
    return "\n  ".join([to_table(telegram), *more])


def _refused(error):
    return "refused: " + complaint(error)
