"""A Raspberry Pi in a folder: the scripts of `omsnode flash` run in a real shell, whose absolute paths lead into the folder,
with stand-ins for what would change this machine. Reached as this machine or through an `ssh` that logs in there.

Switches (files in `pi.switch`): fail-pip, fail-start, fail-apt, fail-selftest, no-gcc, no-selftest, no-ssh, no-sudo,
spi-works; `lose` holds a number: so many connections until the line is dead.
"""

import os
import pathlib
import stat
import sys

PYTHON = sys.executable

# Absolute paths of the Pi, in scripts; not those of commands.
_SH = """\
import os, re, sys
root = os.environ["PI_ROOT"]
script = re.sub(r"(?<![\\w/.])/(opt|etc|boot|run|var|dev/spidev)(?=[/\\d\\s\\"';)])", lambda m: root + "/" + m[1], sys.argv[2])
os.execv("/bin/sh", ["sh", "-c", script, *sys.argv[3:]])
"""

_SSH = """\
import os, pathlib, sys
switch = pathlib.Path(os.environ["PI_SWITCH"])
words = sys.argv[1:]
at = words.index("--")
with open(os.environ["PI_LOG"], "a") as log:
    print("ssh", " ".join(words[at + 1:])[:40].replace("\\n", " "), file=log)
if "-O" in words:
    sys.exit(0)
if (switch / "no-ssh").exists():
    print("ssh: connect to host {} port 22: No route to host".format(words[at + 1]), file=sys.stderr)
    sys.exit(255)
lose = switch / "lose"
if lose.exists():
    left = int(lose.read_text())
    if left == 0:
        print("client_loop: send disconnect: Broken pipe", file=sys.stderr)
        sys.exit(255)
    lose.write_text(str(left - 1))
os.execv("/bin/sh", ["sh", "-c", words[at + 2]])
"""

_SUDO = """\
#!/bin/sh
if [ -e $PI_SWITCH/no-sudo ]; then echo 'sudo: a password is required' >&2; exit 1; fi
[ "$1" = -n ] && shift
PI_USER=0 exec "$@"
"""

_SYSTEMCTL = """\
#!/bin/sh
echo "systemctl $*" >> $PI_LOG
for last; do :; done
case "$1" in
  is-enabled) [ -e $PI_STATE/enabled-$last ] ;;
  enable) touch $PI_STATE/enabled-$last ;;
  disable) rm -f $PI_STATE/enabled-$last $PI_STATE/active-$last ;;
  stop) rm -f $PI_STATE/active-$last ;;
  start|restart)
    if [ -e $PI_SWITCH/fail-start ]; then echo "Job for $last failed." >&2; exit 1; fi
    readlink $PI_ROOT/opt/omsnode/current > $PI_STATE/active-$last ;;
esac
"""

_PYTHON3 = """\
#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then
  mkdir -p $3/bin
  cat > $3/bin/python <<'END'
#!/bin/sh
echo "pip $*" >> $PI_LOG
if [ -e $PI_SWITCH/fail-pip ]; then echo 'ERROR: Could not find a version that satisfies pycryptodome' >&2; exit 1; fi
cat > ${0%/python}/omsnode <<'INNER'
#!/bin/sh
echo "omsnode $*" >> $PI_LOG
[ "$1" = selftest ] || exit 0
[ ! -e $PI_SWITCH/no-selftest ] || exit 2
[ "$2" != --help ] || exit 0
if [ -e $PI_SWITCH/fail-selftest ]; then echo 'BUSY: stays high, is it wired to GPIO 20?'; exit 1; fi
echo 'all right'
INNER
chmod +x ${0%/python}/omsnode
END
  chmod +x $3/bin/python
elif [ -e $PI_SWITCH/no-gcc ] && [ "$2" != "${2#*venv}" ]; then exit 1
else exec PYTHON "$@"
fi
"""

_OTHERS = {
    "id": "#!/bin/sh\necho ${PI_USER:-1000}\n",
    "udevadm": '#!/bin/sh\necho "udevadm $*" >> $PI_LOG\n',
    "dtparam": '#!/bin/sh\necho "dtparam $*" >> $PI_LOG\n'
    "if [ -e $PI_SWITCH/spi-works ]; then mkdir -p $PI_ROOT/dev; touch $PI_ROOT/dev/spidev0.0 $PI_ROOT/dev/spidev0.1; fi\n",
    "getent": "#!/bin/sh\n[ -e $PI_STATE/$1-$2 ]\n",
    "groupadd": '#!/bin/sh\necho "groupadd $*" >> $PI_LOG\ntouch $PI_STATE/group-$2\n',
    "gcc": "#!/bin/sh\n",
    "apt-get": '#!/bin/sh\necho "apt-get $*" >> $PI_LOG\n[ ! -e $PI_SWITCH/fail-apt ] || exit 100\nrm -f $PI_SWITCH/no-gcc\n',
}


class Pi:
    """root: what is / over there. log(): what was called there, in order. environment: to run `omsnode flash` in."""

    def __init__(self, folder, real_python=False):
        self.root = folder / "pi"
        self.switch = folder / "switch"
        self.state = folder / "state"
        self._log = folder / "log"
        bin_folder = folder / "bin"
        for one in (self.switch, self.state, bin_folder, self.root / "run/systemd/system"):
            one.mkdir(parents=True)
        (self.root / "boot/firmware").mkdir(parents=True)
        self.config_txt = self.root / "boot/firmware/config.txt"
        self.config_txt.write_text(
            "# For more options see\ndtparam=audio=on\n\n[pi4]\narm_boost=1"
        )  # no newline at the end
        self._log.write_text("")
        scripts = dict(_OTHERS, sudo=_SUDO, systemctl=_SYSTEMCTL)
        scripts["sh"] = "#!{} -IS\n{}".format(PYTHON, _SH)
        scripts["ssh"] = "#!{} -IS\n{}".format(PYTHON, _SSH)
        scripts["python3"] = (
            '#!/bin/sh\nexec {} "$@"\n'.format(PYTHON) if real_python else _PYTHON3.replace("PYTHON", PYTHON)
        )
        for name, text in scripts.items():
            (bin_folder / name).write_text(text)
            (bin_folder / name).chmod(0o755)
        self.environment = dict(
            os.environ,
            PATH="{}:{}".format(bin_folder, os.environ["PATH"]),
            PI_ROOT=str(self.root),
            PI_SWITCH=str(self.switch),
            PI_STATE=str(self.state),
            PI_LOG=str(self._log),
        )

    def set(self, name, text=""):
        (self.switch / name).write_text(text)

    def clear(self, *names):
        for name in names:
            (self.switch / name).unlink()

    def log(self):
        """What was called since the last look."""
        lines = self._log.read_text().splitlines()
        self._log.write_text("")
        return lines

    def files(self):
        """{path: (mode, contents or link)} of all there is."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = "/" + str(path.relative_to(self.root))
            if path.is_symlink():
                found[name] = ("link", os.readlink(path))
            elif path.is_file():
                found[name] = ("{:o}".format(stat.S_IMODE(path.stat().st_mode)), path.read_bytes())
        return found

    def running(self, role):
        """The version that the service of a role runs, or None."""
        path = pathlib.Path(self.state) / "active-omsnode-{}.service".format(role)
        return path.read_text().strip() if path.exists() else None
