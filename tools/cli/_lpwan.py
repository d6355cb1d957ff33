"""MAC frames and bursts of OMS LPWAN in `decode` and `analyze`: options, lines, rows."""

import argparse

from omsnode.firmware.errors import MisuseError
from omsnode.firmware.host import key_store, lpwan_explain, lpwan_lines
from omsnode.firmware.host.lpwan_frame import Reader
from omsnode.firmware.host.table import complaint, heading

from . import _rows, _telegrams

HELP = """\
OMS LPWAN burst mode: a MAC frame with its CRC, or the chips of a burst as on the air, from the preamble, from the sync
or from behind it on (several bursts of one frame: with ; between them). Say what it is in front of each line, or once:
    UL-B4;401A02A73D785634121503ACB46271            sub-mode, with sub-carrier (UL-B1.3), or just up or down
    omsnode analyze --lpwan down 4C0104A73D785634121503650C99BA
keys as ever; that of a MAC body is a row with key_id=0x0F, or --mac-key. JSON has mode, mac, llc and burst besides.
"""


def add_options(parser):
    """--lpwan and --mac-key."""
    parser.add_argument(
        "--lpwan",
        type=_where,
        metavar="SUB-MODE",
        help="lines of hex digits are MAC frames or bursts of this sub-mode: UL-B4, DL-B4, up, down ...",
    )
    parser.add_argument(
        "--mac-key", type=_telegrams.key, metavar="HEX", help="MAC key (KeyID 0F) for every burst meter"
    )


def _where(text):
    try:
        lpwan_lines.where(text)
    except MisuseError as error:
        hint = " ({})".format(error.hint) if error.hint else ""
        raise argparse.ArgumentTypeError("no sub-mode" + hint) from None
    return text


class Lines:
    """What a run knows of burst meters. args: with the options above. store: KeyStore. all_the_same: as for the Reader."""

    def __init__(self, args, store, all_the_same=False):
        self._heard_on = args.lpwan
        self._reader = Reader(store.key_for, lambda address: _mac_key(args, store, address), all_the_same)

    def read(self, text, decode, **more):
        """The lpwan_frame.Opened of a line of text, None if it holds something else. As Reader.read."""
        sample = lpwan_lines.parse_line(text, self._heard_on)
        return None if sample is None else self._reader.read(sample, decode, **more)


def _mac_key(args, store, address):
    """--mac-key, else the row of the store; --key is that of telegrams."""
    if args.mac_key is not None:
        return args.mac_key
    row = store.row_for(address, key_store.MAC_KEY)
    return None if row is None else row.key


def print_analysis(opened, telegram, error):
    """As analyze.print_analysis: the bursts with their bits, then the MAC frame."""
    for number, one in enumerate(opened.bursts, 1):
        spans = lpwan_explain.burst_spans(one)
        print("burst {} of {}".format(number, len(opened.bursts)) if len(opened.bursts) > 1 else "burst")
        _rows.print_spans(spans, one.chips)
        print(_rows.footer(spans, one.chips))
        for title, rows in lpwan_explain.bit_rows(one):
            _print_bits(title, rows)
        print()
    if opened.frame is None:
        print("refused: " + complaint(error), flush=True)
        return
    print(heading(telegram))
    spans = lpwan_explain.frame_spans(opened)
    _rows.print_spans(spans, opened.frame)
    if error is not None:
        print("refused: " + complaint(error))
    print(_rows.footer(spans, opened.frame), flush=True)


_BITS = 32  # per row


def _print_bits(title, rows):
    print("{:>6}  {:<{}}  {}".format("bit", title, _BITS, "field: meaning"))
    for start, bits, name, meaning in rows:
        text = name + (": " + meaning if meaning else "")
        for at in range(0, len(bits), _BITS):
            line = "{:>6}  {:<{}}  {}".format(start + at, bits[at : at + _BITS], _BITS, text)
            print(line.rstrip())
            text = ""
