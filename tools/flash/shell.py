"""Where a plan is carried out: a shell with root's rights, on this machine or over ssh. Both run the same scripts."""

import os
import shlex
import subprocess
import tempfile

from omsnode.firmware.errors import MisuseError, OmsError

_ANSWERS = 255  # ssh itself failed


class Local:
    """This machine; through sudo if we are not root."""

    name = "this machine"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def run(self, script, data=b""):
        """(exit status, output, complaints) of a shell script. data: its standard input."""
        command = ["sh", "-c", script]
        return _run(command if os.geteuid() == 0 else ["sudo", *command], data)


class Ssh:
    """Another machine, as ssh knows it: user@host or a name of ~/.ssh/config. One connection for all scripts, so that a
    password is asked for once."""

    def __init__(self, host):
        if not host or host.startswith("-") or any(char.isspace() for char in host):
            raise MisuseError("{!r} is no machine".format(host), hint="as in pi@raspberrypi.local")
        self.name = host
        self._sudo = ""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="omsnode-")
        self._options = ["-o", "ControlPath=" + self._folder.name + "/s"]
        self._options += ["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", "ConnectTimeout=15"]
        try:
            self._log_in()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _log_in(self):
        status, out, wrong = self._ssh("id -u", b"")
        if status == _ANSWERS or not out.strip().isdigit():
            raise OmsError(
                "no shell on {}: {}".format(self.name, wrong.strip().split("\n")[-1] or "no answer"),
                hint="try `ssh {}` by hand: is it switched on, in the network, and is ssh enabled there?".format(
                    self.name
                ),
            )
        if out.strip() != "0":
            status, _, wrong = self._ssh("sudo -n true", b"")
            if status:
                raise OmsError(
                    "{}: sudo wants a password".format(self.name),
                    hint="log in as root, or let this user run sudo without one; or run "
                    "`omsnode flash --local ...` on the Pi itself",
                )
            self._sudo = "sudo -n "

    def __exit__(self, *_):
        _run(["ssh", *self._options, "-O", "exit", "--", self.name], b"")
        self._folder.cleanup()

    def run(self, script, data=b""):
        """As Local.run. OmsError if the connection is lost."""
        status, out, wrong = self._ssh("{}sh -c {}".format(self._sudo, shlex.quote(script)), data)
        if status == _ANSWERS:
            raise OmsError(
                "lost the connection to {}".format(self.name),
                hint="run the same command again: it goes on where it stopped",
            )
        return status, out, wrong

    def _ssh(self, command, data):
        return _run(["ssh", *self._options, "--", self.name, command], data)


def _run(command, data):
    try:
        done = subprocess.run(command, input=data, capture_output=True)
    except FileNotFoundError:
        raise OmsError(
            "there is no command {} here".format(command[0]), hint="sudo apt install openssh-client sudo"
        )
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
