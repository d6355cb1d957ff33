"""What the commands that read telegrams share: key options and input lines."""

import argparse
import sys

from omsnode.firmware.application.telegram import decode
from omsnode.firmware.errors import ConfigError, MisuseError, NoKeyError
from omsnode.firmware.host import key_store
from omsnode.firmware.host.key_store import KeyStore
from omsnode.firmware.host.lines import parse_line
from omsnode.firmware.security import default_keys
from omsnode.firmware.security.keys import Key

from ._parser import masked

_KEY_FILE_HELP = """\
keys: without --key and --keys, those of the key store are used (`omsnode keys --help`).
key file: one meter per line, `id key`; id is the 8 digits printed on the meter or a whole
address like 12345678.M=KAM.V=1b.T=16, key is 32 hex digits, # begins a comment:
    12345678                    00112233...EEFF   # kitchen
    87654321.M=KAM.V=1b.T=16    FFEEDDCC...1100
"""

LINES_HELP = """\
each input line holds one telegram: hex digits with or without link CRCs (found out by itself),
a wired frame 68 ... 16, an rtlwmbus line, a CUL line b... or bY..., or telegram=|...|+0;
blank lines and # comments are skipped.
"""

HELP = (
    LINES_HELP + "\n" + _KEY_FILE_HELP + "\nexit status: 0 all decoded, 1 at least one refused, 2 wrong use"
)


def key(text):
    """Key of an option."""
    try:
        return Key.from_hex(text)
    except MisuseError as error:
        raise argparse.ArgumentTypeError(error.message) from None


def add_key_options(parser):
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--key", type=key, metavar="HEX", help="AES key for every meter: 32 hex digits")
    group.add_argument("--keys", metavar="FILE", help="file with the keys of several meters")
    parser.add_argument(
        "--default-keys",
        action="store_true",
        help="where no key is given, try the publicly known default keys of makers (they protect nothing)",
    )


def keys(args):
    """KeyStore of the options: what --key or --keys give, and nothing else; without them the key store, if there is one.
    ConfigError if a file is wrong."""
    if args.key is None and args.keys is None:
        return key_store.find()
    given = KeyStore(args.key)
    if args.keys is not None:
        given.load(args.keys)
    return given


def read(text, store, args, formats=None, decode=decode, fragments=None, lpwan=None):
    """(Line, Telegram, OmsError or None) of one line of text; None for a blank line or a comment.

    Where the L-field does not fit the line, the error is that, and the telegram holds what could be read all the same;
    encrypted data that is cut is not decrypted. formats: frames.Formats for compact frames, which do not learn
    from a line that is cut. decode: application.telegram.decode, or what does the same. fragments: Reassembly of messages
    over several lines. lpwan: _lpwan.Lines, for whom the line is first; then the Line is an lpwan_frame.Opened. Raises
    OmsError if there is nothing to be read.
    """
    public = default_keys.of if args.default_keys else None
    opened = lpwan and lpwan.read(text, decode, default_keys=public, formats=formats, fragments=fragments)
    if opened:
        return opened, opened.telegram, opened.error or opened.telegram.error
    line = parse_line(text, keep=True)
    if line is None:
        return None
    key_for = None if line.cut else store.key_for
    public = None if line.cut else public
    if line.error:
        formats = fragments = None
    telegram = decode(line.telegram, key_for, public, formats, fragments=fragments)
    if line.cut and isinstance(telegram.error, NoKeyError):
        telegram.error, telegram.verdict = line.error, None  # it was not even tried
        if telegram.undecoded is not None:
            telegram.undecoded.reason = line.error.code
    return line, telegram, line.error or telegram.error


def input_lines(path):
    """Text lines of a file, or of standard input if the path is "-". ConfigError if it cannot be read.

    Bytes that are no UTF-8 are replaced, so that a damaged line is refused like any other; the byte order mark of some
    editors is dropped.
    """
    try:
        if path == "-":
            for line in sys.stdin.buffer:
                yield line.decode("utf-8-sig", "replace")
        else:
            with open(path, "rb") as file:
                for line in file:
                    yield line.decode("utf-8-sig", "replace")
    except (OSError, ValueError) as error:  # a ValueError is a name with a NUL
        reason = getattr(error, "strerror", None) or "no file name"
        hint = (
            "a telegram goes to standard input, or to `omsnode analyze`; this is the place of a file's name"
        )
        is_hex = len(path) > 20 and not path.strip("0123456789abcdefABCDEF")
        raise ConfigError("{}: {}".format(masked(path), reason), hint=hint if is_hex else None) from None
