"""`omsnode keys`: the key store. Fingerprints are shown, keys never."""

import argparse
import getpass
import pathlib
import sys

from omsnode.firmware.application import telegram as application
from omsnode.firmware.errors import ConfigError, MisuseError, OmsError
from omsnode.firmware.host import key_check, key_import, key_store
from omsnode.firmware.host.key_store import Row
from omsnode.firmware.host.lines import parse_line
from omsnode.firmware.host.masking import without_keys
from omsnode.firmware.security import default_keys
from omsnode.firmware.security.key_text import written
from omsnode.firmware.security.keys import Key

from . import _telegrams
from ._parser import masked

_HELP = """\
The store is a file of mode 0600 (--store); one that others can read is refused. One key per line:
    id key [key_id=N] [version=N] [name=WORD] [prepared]     # comment
id: the 8 digits, or 12345678.M=KAM.V=1b.T=16. Without key_id and version a key is tried wherever one
is asked for, but for the MAC key of a burst meter (key_id=0x0F), keys of applications (0x22: the clock)
and their wrappers (0x12). Of several versions the last one that is not `prepared` is in use (marked * in
the list); a telegram that names a version gets that one.

A configuration finds key = "@kitchen" as the name of a row here, else as a file beside it, else as a
systemd credential ($CREDENTIALS_DIRECTORY/kitchen). `decode`, `analyze` and `collect` use the store
wherever no key is given. With a configuration that is `key_store` in its state_dir, else the one above,
else a credential: LoadCredential=key_store:FILE

    omsnode keys add 12345678 --name kitchen          (asks for the key)
    omsnode keys add 12345678 < kitchen.key
    omsnode keys import delivery.kem                  (asks for the password)
    omsnode keys import delivery.csv --dry-run
    omsnode keys check 2E4493157856341233037A...

exit status: 0 done, 1 something was refused (or no key opens the telegram), 2 wrong use
"""
_IMPORT_HELP = """\
what is read (found out by itself):
  a list `id key` as above; CSV with ; , tab or | in any order of columns, with a header (serial number,
  meter id, AES key, manufacturer, Zählernummer, Schlüssel, ...) or without; XML with an id and a key per
  meter; Kamstrup KEM and KEM2, zipped or not, with their password; meter files of wmbusmeters.
"""
_OPENED = (application.DECRYPTED, application.AUTHENTICATED)


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "keys",
        description="The key store: which key belongs to which meter. Keys are never shown, fingerprints are.",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    shared = type(parser)(add_help=False, allow_abbrev=False)
    shared.add_argument(
        "--store", metavar="FILE", help="the store (default: {})".format(key_store.default_path())
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name, text, **more):
        formatter = argparse.RawDescriptionHelpFormatter
        return actions.add_parser(
            name,
            help=text,
            description=text,
            parents=[shared],
            allow_abbrev=False,
            formatter_class=formatter,
            **more,
        )

    action("list", "list the keys: id, KeyID, version, in use, fingerprint, name, what is wrong with it")
    one = action("add", "add a key, read from the terminal or from standard input")
    _add_place(one)
    one.add_argument("--name", help="by which a configuration can call it")
    one.add_argument("--prepared", action="store_true", help="handed to the meter and not yet in use")
    one.add_argument(
        "--replace", action="store_true", help="in place of another key of this KeyID and version"
    )
    one.add_argument(
        "--key",
        metavar="HEX",
        help="the key itself; it then stands in the history of the shell and in the process list",
    )
    one = action("import", "add the keys of a maker's file", epilog=_IMPORT_HELP)
    one.add_argument("file", metavar="FILE")
    one.add_argument(
        "--password-file", metavar="FILE", help="whose first line is the password of an encrypted file"
    )
    one.add_argument("--dry-run", action="store_true", help="say what would be added, and change nothing")
    one.add_argument(
        "--replace", action="store_true", help="in place of other keys of the same KeyID and version"
    )
    _add_place(action("remove", "remove the keys of a meter, or those of one KeyID or version"))
    one = action("check", "say which key of the store opens a telegram", epilog=_telegrams.LINES_HELP)
    one.add_argument("telegram", metavar="TELEGRAM|FILE|-")
    return parser


def _add_place(parser):
    parser.add_argument("id", metavar="ID", help="12345678 or 12345678.M=KAM.V=1b.T=16")
    parser.add_argument("--key-id", type=_number, metavar="N", help="0 to 0x2F (default: any up to 15)")
    parser.add_argument("--version", type=_number, metavar="N", help="key version, 0 to 255 (default: any)")


def _number(text):
    number = key_store.number_of(text)
    if number is None:
        raise argparse.ArgumentTypeError("a number, or 0x and hex digits")
    return number


def run(args):
    path = pathlib.Path(args.store) if args.store else key_store.default_path()
    return globals()["_" + args.action](args, path)


# --- list ---


def _list(args, path):
    store = key_store.find(path)
    if args.store and not path.exists():
        raise ConfigError("there is no key store {}".format(path))
    rows = store.rows()
    shared = key_check.repeated(rows)
    table = [("id", "KeyID", "version", "", "fingerprint", "name", "")]
    for row in rows:
        remarks = [key_check.weakness(row.key), None if row.active else "prepared"]
        others = len(shared.get(row.key.fingerprint(), ())) - 1
        remarks.append(
            "also the key of {} other{}".format(others, "s" if others > 1 else "") if others > 0 else None
        )
        in_use = store.row_for(row.pattern, row.key_id or key_store.MASTER_KEY) is row
        table.append(
            (
                str(row.pattern),
                "any" if row.key_id is None else key_store.key_id_text(row.key_id),
                "any" if row.version is None else str(row.version),
                "*" if in_use else "",
                row.key.fingerprint(),
                row.name or "",
                "; ".join(remark for remark in remarks if remark),
            )
        )
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table if rows else ():
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    _say("{} keys in {}".format(len(rows), path))
    return 0


# --- add, import, remove ---


def _add(args, path):
    row = Row(_address(args.id), _read_key(args.key), args.key_id, args.version, args.name, not args.prepared)
    with key_store.changing(path) as store:
        if not _put(store, row, args.replace):
            raise ConfigError(
                "{} has another key already".format(row.called()),
                hint="--replace puts this one in its place; a key change is a further --version",
            )
        _warn(store, [row])
    _say("{}: key {} in {}".format(row.called(), row.key.fingerprint(), path))
    return 0


def _put(store, row, replace):
    """Whether the row is in the store now."""
    old = store.at(row)
    if old is not None and old.key != row.key and not replace:
        return False
    if old is not None:
        row.name = row.name or old.name
        row.comment = row.comment or old.comment
        store.remove(old)
    store.add(row)
    return True


def _warn(store, rows):
    """What is wrong with these rows, on standard error."""
    shared = key_check.repeated(store.rows())
    told = set()
    for row in rows:
        weak = key_check.weakness(row.key)
        if weak:
            _say("warning: the key of {} is weak: {}".format(row.called(), weak))
        mark = row.key.fingerprint()
        if mark in shared and mark not in told:
            told.add(mark)
            names = sorted({one.pattern.ident for one in shared[mark]})
            more = " and {} more".format(len(names) - 4) if len(names) > 4 else ""
            _say(
                "warning: {} meters share the key {}: {}{}".format(
                    len(names), mark, ", ".join(names[:4]), more
                )
            )


def _import(args, path):
    try:
        data = pathlib.Path(args.file).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no file name"
        raise ConfigError("{}: {}".format(masked(args.file), reason)) from None
    found = key_import.read(data, lambda: _password(args.password_file))
    refused = ["{}: {}".format(where, why) for where, why in found.refused]
    taken, known = [], 0
    store = key_store.find(path)
    if args.dry_run:
        taken, known = _take(store, found, args.replace, refused)
    else:
        with key_store.changing(path) as store:
            taken, known = _take(store, found, args.replace, refused)
    for row in taken:
        print(row.called(), row.key.fingerprint())
    for line in refused:
        _say("refused: " + line)
    for line in found.notes:
        _say("note: " + line)
    _warn(store, taken)
    _say(
        "{} keys {} {} ({}), {} were there already, {} refused".format(
            len(taken), "would go into" if args.dry_run else "added to", path, found.form, known, len(refused)
        )
    )
    return 1 if refused else 0


def _take(store, found, replace, refused):
    """(rows that are new, how many were there already); those with another key go to `refused`."""
    taken, known = [], 0
    for row in found.rows:
        old = store.at(row)
        if old is not None and old.key == row.key:
            known += 1
        elif _put(store, row, replace):
            taken.append(row)
        else:
            refused.append("{} has another key already (--replace)".format(row.called()))
    return taken, known


def _remove(args, path):
    pattern = _address(args.id)
    with key_store.changing(path) as store:
        rows = [
            row
            for row in store.rows(pattern)
            if args.key_id in (None, row.key_id) and args.version in (None, row.version)
        ]
        if not rows:
            raise ConfigError("there is no such key in {}".format(path))
        for row in rows:
            store.remove(row)
    for row in rows:
        _say("removed: {} {}".format(row.called(), row.key.fingerprint()))
    return 0


def _address(text):
    try:
        return key_store.address(text)
    except MisuseError:
        raise MisuseError("this is no id", hint="8 digits, or 12345678.M=KAM.V=1b.T=16") from None


def _read_key(text):
    if text is None:
        if sys.stdin.isatty():
            text = getpass.getpass("key (32 hex digits, not shown): ")
        else:
            text = sys.stdin.readline(200)
    return Key.from_hex("".join(text.split()))


def _password(path):
    if path is not None:
        try:
            with open(path, encoding="utf-8") as file:
                return file.readline().rstrip("\r\n")
        except (OSError, ValueError):
            raise ConfigError("the password file cannot be read") from None
    if sys.stdin.isatty():
        return getpass.getpass("password of the file: ")
    return sys.stdin.readline(200).rstrip("\r\n")


def _say(text):
    print("omsnode: " + without_keys(text), file=sys.stderr)


# --- check ---


def _check(args, path):
    store = key_store.find(path)
    is_file = args.telegram == "-" or not _is_hex(args.telegram)
    status = 0
    for text in _telegrams.input_lines(args.telegram) if is_file else [args.telegram]:
        try:
            line = parse_line(text)
            if line is not None:
                told, opened = verdict(line.telegram, store)
                print(told, flush=True)
                status = status if opened else 1
        except OmsError as error:
            print("refused: {}".format(without_keys(str(error))), flush=True)
            status = 1
    return status


def _is_hex(text):
    return not pathlib.Path(text).exists() and not text.strip("0123456789abcdefABCDEF |_:") and len(text) > 20


def verdict(raw, store):
    """(what a person is told, whether there is nothing to complain of) about a telegram and the keys of a KeyStore."""
    asked: list = []

    def asking(address, key_id=key_store.MASTER_KEY, key_version=None):
        asked[:] = [address, key_id, key_version]

    telegram = application.decode(raw, asking)
    address = telegram.address
    if not asked:
        if telegram.error is None:
            return "{}: not encrypted, needs no key".format(address), True
        return "{}: {}".format(address, telegram.error), False
    wanted = "{}, {}{}".format(
        address,
        "security mode {}".format(telegram.mode) if telegram.mode else "encrypted in the extended link layer",
        ", KeyID {} version {}".format(*asked[1:]) if asked[1] or asked[2] is not None else "",
    )
    row = store.row_for(*asked)
    if row is not None and _opens(raw, row.key):
        return "{}: opened by {}".format(wanted, _described(row)), True
    rows = store.rows(address)
    for other in rows:
        if _opens(raw, other.key):
            return "{}: opened by {}, which is not the one that would be taken".format(
                wanted, _described(other)
            ), False
    for other in rows:
        if _opens(raw, Key(bytes(reversed(bytes.fromhex(written(other.key)))))):
            return "{}: opened by {} with its bytes in reverse order".format(wanted, _described(other)), False
    for other in store.rows():
        if other not in rows and _opens(raw, other.key, sure=True):
            return "{}: opened by {}, a key of another id".format(wanted, _described(other)), False
    for key in default_keys.of(address):
        if _opens(raw, key):
            return "{}: opened by a publicly known default key {}".format(wanted, key.fingerprint()), False
    if not rows:
        near = [other for other in store.rows() if other.pattern.ident == address.ident]
        if near:
            return "{}: no key; there is one for {}".format(wanted, near[0].pattern), False
        return "{}: no key".format(wanted), False
    last = application.decode(raw, lambda *which: rows[-1].key)
    return "{}: none of its {} keys opens it ({})".format(
        wanted, len(rows), last.error or last.verdict
    ), False


def _opens(raw, key, sure=False):
    """Whether the key opens the telegram. sure: two check bytes alone are no proof where many keys are tried; the records
    must be whole too."""
    telegram = application.decode(raw, lambda *which: key)
    return telegram.verdict in _OPENED and not (sure and (telegram.error or telegram.undecoded))


def _described(row):
    text = "the key {} of {}".format(row.key.fingerprint(), row.called())
    return text + (" ({})".format(row.name) if row.name else "")
