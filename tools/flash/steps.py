"""Steps of a plan, and how they are carried out. A step is a shell script that root runs; done twice it changes nothing."""

import shlex
from collections import namedtuple

from omsnode.firmware.errors import OmsError

Step = namedtuple(
    "Step",
    (
        "what",  # for a person
        "script",
        "data",  # bytes on its standard input
        "unless",  # script: if it succeeds, there is nothing to do
        "hint",  # what to do if it fails
        "undo",  # script that is run if a later step fails
        "kind",  # NEEDED, ASIDE: if it fails go on, REPORT: show its output too and fail at the end
        "secret",  # data is never shown
    ),
)

NEEDED, ASIDE, REPORT = "needed", "aside", "report"
_NOTE = "note: "
_TAIL = 12  # lines of complaint that are shown


def step(what, script, data=b"", unless="", hint="", undo="", kind=NEEDED, secret=False):
    return Step(what, script, data, unless, hint, undo, kind, secret)


def write(what, path, data, mode="644", keep="", secret=False):
    """The file `path` has these contents, all of them or the old ones. keep: script; if it succeeds the file is not
    written, whether it is there or not."""
    name = shlex.quote(path)
    folder = shlex.quote(path.rpartition("/")[0])
    same = 'cmp -s - {0} && [ "$(stat -c %a {0})" = {1} ]'.format(name, mode)
    script = (
        "mkdir -p {1}; umask 077; cat > {0}.new; chmod {2} {0}.new; sync {0}.new; mv -f {0}.new {0}"
    ).format(name, folder, mode)
    unless = "{{ {}; }} || {{ {}; }}".format(keep, same) if keep else same
    hint = "is there room on the disk, and can it be written (df, mount)?"
    return step(what, script, data.encode() if isinstance(data, str) else data, unless, hint, secret=secret)


def show(steps, say):
    """Print a plan instead of carrying it out."""
    for number, one in enumerate(steps, 1):
        say("{:2} {}".format(number, one.what))
        if one.unless:
            say("     unless: " + one.unless)
        for line in one.script.split("\n"):
            say("     $ " + line)
        if one.data:
            try:
                text = None if one.secret else one.data.decode()
            except UnicodeDecodeError:
                text = None
            for line in ["({} bytes)".format(len(one.data))] if text is None else text.splitlines():
                say("     | " + line)


def carry_out(steps, shell, say):
    """Run a plan. shell: of shell.py. say: called with each line for a person.

    Returns (notes, failed): what a person should know at the end, and whether a REPORT step failed. OmsError if a needed
    one does; then what was stopped runs again, and the same plan can be run again."""
    notes: list[str] = []
    undo: list[str] = []
    failed = False
    for number, one in enumerate(steps, 1):
        say("[{}/{}] {}".format(number, len(steps), one.what))
        try:
            if one.unless and shell.run(one.unless, one.data)[0] == 0:
                continue
            status, out, wrong = shell.run("set -eu\numask 022\n" + one.script, one.data)
        except BaseException:
            _undo(undo, shell)
            raise
        lines = out.splitlines()
        notes += [line[len(_NOTE) :] for line in lines if line.startswith(_NOTE)]
        if one.kind == REPORT:
            for line in (out + wrong).splitlines():
                if not line.startswith(_NOTE):
                    say("    " + line)
        if status:
            tail = "\n".join("    " + line for line in (out + wrong).strip().splitlines()[-_TAIL:])
            if one.kind == NEEDED:
                _undo(undo, shell)
                raise OmsError("{}: failed\n{}".format(one.what, tail).rstrip(), hint=one.hint)
            if one.kind == REPORT:
                failed = True
            notes.append("{}: failed. {}".format(one.what, one.hint).strip())
        elif one.undo:
            undo.append(one.undo)
    return notes, failed


def _undo(scripts, shell):
    for script in reversed(scripts):
        try:
            shell.run(script)
        except OmsError:
            return
