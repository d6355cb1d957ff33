"""`omsnode command`: ask something of a meter, through the collector that is running."""

import argparse
import contextlib
import pathlib
import re
import sys

from omsnode.firmware.errors import ChannelError, MisuseError, OmsError
from omsnode.firmware.host import channel, config, table
from omsnode.firmware.host.masking import is_like_a_key, without_keys
from omsnode.firmware.host.store import default_state_dir

from . import _orders

NO_COLLECTOR = 3
_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_ENDED = {"done": 0, "failed": 1, "expired": 1, "cancelled": 1}

WORDS = """\
orders (ID is the meter as the collector's configuration has it: 8 digits, whole address, or name):
  read [POINT...]              what the meter sends on demand, or these points of it
  write POINT VALUE            set a value; also: add, sub, bor, and, xor, not POINT VALUE; clear POINT
  valve open|close|release     a valve or breaker
  clock-read                   what time the meter believes it is
  clock-set [TIME]             set it (UTC, such as 2026-11-22T14:30), to the collector's own time if none is given
  clock-adjust [SECONDS]       move it by at most 60 s, to the collector's own time if no seconds are given
  status                       status byte and error flags
  alarm                        alarms
  select NAME|NUMBER [BLOCK]   choose what the meter sends on demand
  reset                        back to the standard choice
  key-change                   a new master key; it goes into the key store

of a meter in the LPWAN burst mode, to its MAC (OMS Vol.2 Annex Q; under the MAC key, KeyID 0F):
  mac-read [NAME...]           what it can do, how its link is: capability, uplink, downlink, link-status, clock,
                               fallback-status, fallback-counter, interval, resume-delay, release, supported
  mac-link WORD...             other link parameters: UL-B4, 7/8 1/2 1/3 multi, -6 (dB), n=0,2,4; DL-B3,
                               downlink-multi; temporary (until the session ends)
  mac-clock [SECONDS]          move its clock by at most 60 s, to the time of day (UTC) if no seconds are given
  mac-session MINUTES          an access of its own accord then; 0: none
  mac-resume SECONDS           how long behind an interrupted session it listens again
  mac-fallback N [temporary]   unanswered accesses until it falls back to a stronger link

POINT is a quantity (volume, energy, volume@1 for storage 1), a data point of OMS Annex B (VM1!), or DIB:VIB in hex
(0C:13). VALUE is a number in the unit that readings have (m3, Wh), a date or time, 0x and bytes, or a text.

A meter hears only now and then: behind one of its own telegrams. So an order waits, and each step is printed as it
happens: queued, waiting, sent, acknowledged, answered, retry, and at the end done, failed, expired or cancelled. Ctrl-C
leaves the order where it is; --list shows it and --cancel takes it back.

exit status: 0 done, 1 failed (the reason is the last line), 2 misuse, 3 no collector is running

examples:
  omsnode command 12345678 read
  omsnode command kitchen_water read volume volume@1
  omsnode command 12345678 clock-set --expires 2h
  omsnode command 12345678 valve close --format json
  omsnode command attic mac-link UL-B4 1/3 n=2
  omsnode command --list
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "command",
        description="Ask something of a meter, through the collector that is running: it has the radio, and answers the\n"
        'meter within the milliseconds in which that listens. Its configuration needs [gateway] id = "..." and,\n'
        "for this meter, commands = true (see `omsnode collect --help`).",
        epilog=WORDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="omsnode command [options] ID WORDS...\n       omsnode command --list | --cancel N",
    )
    parser.add_argument("words", nargs="*", metavar="ID WORDS...", help="the meter, and what is asked of it")
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="of the steps (default: text)"
    )
    wait = parser.add_mutually_exclusive_group()
    wait.add_argument(
        "--wait", action="store_true", default=True, help="until the order has ended (this is so)"
    )
    wait.add_argument("--no-wait", action="store_false", dest="wait", help="only until it is queued")
    parser.add_argument(
        "--expires",
        type=_seconds,
        metavar="TIME",
        help="give it up after this time: 90s, 30min, 2h, 7d (default: 1d)",
    )
    parser.add_argument(
        "--secured",
        nargs="?",
        const="",
        metavar="KEYID",
        help="of write: under a key of its own; stands last",
    )
    parser.add_argument("--list", action="store_true", help="orders that wait, and the last that have ended")
    parser.add_argument(
        "--cancel", type=int, metavar="N", help="take order N back, if nothing of it was sent"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--config", metavar="FILE", help="the collector's configuration: its state_dir")
    where.add_argument(
        "--state-dir", metavar="DIR", help="where the collector has its state (default: yours)"
    )
    _intermixed(parser)
    return parser


def _intermixed(parser):
    """Options may stand between the words too."""
    plain = parser.parse_known_args

    def mixed(args=None, namespace=None):
        parser.parse_known_args = plain
        try:
            return parser.parse_known_intermixed_args(args, namespace)
        finally:
            parser.parse_known_args = mixed

    parser.parse_known_args = mixed


def _seconds(text):
    found = re.fullmatch(r"(\d{1,9}) ?([a-z]*)", text)
    if not found or found[2] not in _UNITS_S or not int(found[1]):
        raise argparse.ArgumentTypeError("'{}' is no time: write 90s, 30min, 2h or 7d".format(text))
    return int(found[1]) * _UNITS_S[found[2]]


def run(args):
    request = _request(args)
    directory = _directory(args)
    try:
        client = channel.Client(directory)
    except ChannelError as error:
        return _nobody(
            error,
            "start one: omsnode collect --config FILE (with [gateway]), and name its state here with "
            "--config FILE or --state-dir DIR",
        )
    with contextlib.closing(client):
        try:
            reply = client.ask(request)
            if args.list:
                return _list(args, reply["orders"])
            if args.cancel is not None:
                return 0
            return _follow(args, client, reply)
        except ChannelError as error:
            return _nobody(
                error, "orders are kept: they go on when it runs again, `omsnode command --list` shows them"
            )


def _request(args):
    """What is asked of the collector."""
    if args.list or args.cancel is not None:
        if args.words or args.list and args.cancel is not None:
            raise MisuseError("--list and --cancel stand alone", hint="leave the other words out")
        return {"do": "list"} if args.list else {"do": "cancel", "number": args.cancel}
    if len(args.words) < 2:
        raise MisuseError(
            "which meter, and what is asked of it?", hint="as in: omsnode command 12345678 read volume"
        )
    meter, *words = args.words
    if args.secured is not None:
        words += ["--secured", args.secured] if args.secured else ["--secured"]
    for word in args.words:
        if is_like_a_key(word):
            raise MisuseError(
                "one of the words looks like a key", hint="keys stand in the key store: omsnode keys add"
            )
    request = {"do": "order", "meter": meter, "words": words}
    if args.expires is not None:
        request["expires_s"] = args.expires
    return request


def _directory(args):
    if args.config:
        return config.state_dir(args.config) or default_state_dir()
    return pathlib.Path(args.state_dir or default_state_dir())


def _nobody(error, hint):
    print("omsnode: {}\n  {}".format(without_keys(error.message), error.hint or hint), file=sys.stderr)
    return NO_COLLECTOR


def _show(args, event):
    print(_orders.as_json(event) if args.format == "json" else _orders.as_line(event), flush=True)


def _follow(args, client, reply):
    """Print what happens until the order has ended; the exit status."""
    number = reply["number"]
    if args.format == "text":
        print(
            "order {} for {}: {}".format(
                number, _orders.who(reply), table.printable(" ".join(reply["words"]))
            ),
            flush=True,
        )
    if not args.wait:
        if args.format == "json":
            print(_orders.as_json(reply), flush=True)
        return 0
    try:
        for event in client.events():
            _show(args, event)
            if event["step"] in _ENDED:
                return _ENDED[event["step"]]
    except KeyboardInterrupt:
        print(
            "\nomsnode: order {0} goes on; omsnode command --cancel {0} takes it back".format(number),
            file=sys.stderr,
        )
        raise
    raise OmsError("the collector has gone")


def _list(args, orders):
    for one in orders:
        print(_orders.as_json(one) if args.format == "json" else _orders.as_line(one, True))
    if not orders and args.format == "text":
        print("no orders")
    return 0
