"""The command `omsnode`. Each sub-command is a module of this room with `add_parser(subparsers)` and `run(args)`.

Exit status: 0 done, 1 something was refused, 2 misuse (a wrong option or configuration), 130 interrupted.
"""

import importlib
import os
import sys

from omsnode.firmware.errors import MisuseError, OmsError
from omsnode.firmware.host.masking import without_keys

from ._parser import Parser

# Sub-command: what it is for. Only the module of the one that is asked for is imported.
COMMANDS = {
    "demo": "meters speak and a collector reads them, with nothing attached",
    "collect": "receive meters and print their readings",
    "command": "ask something of a meter, through the collector that is running",
    "meter": "be a meter: send the registers of a configuration file",
    "repeat": "be a repeater: say once more what meters say",
    "decode": "decode telegrams from a file or standard input",
    "analyze": "explain every byte of a telegram",
    "selftest": "is the radio wired and set right? If not, which wire is wrong",
    "keys": "the key store: list, add, import, remove keys, and try them on a telegram",
    "config": "check a configuration file and print what it says, without keys",
    "iq": "modulate telegrams into an I/Q file",
    "flash": "install it on a Raspberry Pi as a service",
    "bench": "measure how fast telegrams are read, or what the radio asks of its host",
}


def main(argv=None):
    """Run one sub-command; returns the exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = Parser(
        prog="omsnode",
        description="Open radio node for the Open Metering System.",
        epilog="`omsnode COMMAND --help` explains one command. With nothing attached, try `omsnode demo`.",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    modules = {}
    for name, purpose in COMMANDS.items():
        if argv[:1] == [name]:
            modules[name] = importlib.import_module("." + name, __name__)
            modules[name].add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=purpose, add_help=False)
    args = parser.parse_args(argv)
    _prepare_streams()
    try:
        return modules[args.command].run(args) or 0
    except OmsError as error:
        _complain(error, error.hint)
        return 2 if isinstance(error, MisuseError) else 1
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        # Nothing may be flushed at exit into a pipe that is closed or a disk that is full.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 0  # whoever read our output has enough
        _complain(error.strerror or error)
        return 1


def _prepare_streams():
    """Our output is UTF-8 whatever the locale says: JSON is, and units have a degree sign. A service may be started
    without standard streams."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 (open for as long as we live)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")


def _complain(message, hint=""):
    print("omsnode: " + without_keys(str(message)), file=sys.stderr)
    if hint:
        print("  " + without_keys(hint), file=sys.stderr)
