"""`omsnode flash`: install this program on a Raspberry Pi, as a service that looks after itself."""

import argparse
import hashlib
import io
import time

from omsnode.board import hats
from omsnode.firmware.errors import ConfigError, MisuseError

from ..flash import plan, settings, shell, steps, unit, wheel

_HATS = ", ".join(hats.names(hats.LINUX))


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "flash",
        description="Install omsnode on a Raspberry Pi as a service: over ssh, or with --local on the Pi itself. Sets up a\n"
        "Python environment, SPI, groups, the configuration and a systemd unit that is restarted when the radio no\n"
        "longer answers; ends with a self-test of the radio. Run again it upgrades, and keeps the state.",
        epilog="example: omsnode flash pi@raspberrypi.local --hat cc1101-spi0 --role collector\n"
        "readings then come in the journal: journalctl -u omsnode-collector -o cat -f\n\n"
        "known HATs: {}.\nWhat a row says can be said differently: --hat meshadv-pi,tcxo_mv=0 (board/hats.py has all "
        "fields).".format(_HATS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("pi", nargs="?", metavar="PI", help="the Pi as ssh knows it: user@host")
    parser.add_argument("--local", action="store_true", help="this machine is the Pi")
    parser.add_argument("--hat", metavar="NAME", help="radio module (default: what the configuration names)")
    parser.add_argument("--role", choices=tuple(unit.ROLES), help="what it becomes")
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="its TOML file; keys that it names go along. Without it the one there stays",
    )
    parser.add_argument("--keys", metavar="FILE", help="a key store for the collector (`omsnode keys`)")
    parser.add_argument(
        "--package",
        metavar="SPEC",
        help="a wheel, or what pip understands (default: a wheel of this very program)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only print what would be done, to nobody")
    parser.add_argument("--remove", action="store_true", help="remove the services and the program")
    parser.add_argument(
        "--purge", action="store_true", help="with --remove: configuration, keys and counters too"
    )
    return parser


def run(args):
    if args.local == bool(args.pi) and not (args.dry_run and not args.pi):
        raise MisuseError(
            "onto which machine?", hint="omsnode flash user@host ..., or --local on the Pi itself"
        )
    if args.purge and not args.remove:
        raise MisuseError("--purge goes with --remove")
    todo = plan.remove(args.purge) if args.remove else _install(args)
    if args.dry_run:
        steps.show(todo, print)
        return 0
    with shell.Ssh(args.pi) if args.pi else shell.Local() as there:
        notes, failed = steps.carry_out(todo, there, lambda line: print(line, flush=True))
        where = there.name
    for note in notes:
        print("note: " + note)
    if not failed:
        done = (
            "removed from {}" if args.remove else "{} is installed on {{}}".format(unit.name(args.role or ""))
        )
        print("omsnode: " + done.format(where))
    return 1 if failed else 0


def _install(args):
    if args.role is None:
        raise MisuseError("what shall it become?", hint="--role collector, meter or repeater")
    named: list[str] = []
    if args.config:
        files, credentials, named = settings.of_file(args.config, args.role, args.keys)
    elif args.keys:
        raise MisuseError("--keys goes with --config")
    else:
        files, credentials = settings.made_up(args.role)
    hat = "".join(args.hat.split()) if args.hat else None
    rows = [hats.find(name) for name in ([hat] if hat else named)]
    if not rows:
        raise ConfigError("no radio module is named", hint="--hat NAME: " + _HATS)
    for row in rows:
        if row.platform != hats.LINUX:
            raise ConfigError("{} is not for a Raspberry Pi".format(row.name), hint="these are: " + _HATS)
    return plan.install(args.role, rows, _package(args.package), files, credentials, not args.config, hat)


def _package(spec):
    if spec is not None and not spec.endswith(".whl"):
        if spec.startswith("-") or "\n" in spec:
            raise MisuseError("{!r} is no package".format(spec))
        # What is not pinned may be another version each time.
        text = spec if "==" in spec else "{} {}".format(spec, time.time())
        return plan.Package(hashlib.sha256(text.encode()).hexdigest()[:12], spec=spec)
    name, data = wheel.read(spec) if spec else wheel.build()
    return plan.Package(wheel.fingerprint(io.BytesIO(data)), name=name, data=data)
