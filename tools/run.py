"""Set up and run omsnode from a fresh clone: `python3 tools/run.py demo` or `python3 tools/run.py test`.

Needs git, python3 >= 3.11 and its venv module, nothing else. Creates `.venv` beside pyproject.toml, installs the
project into it (editable) and runs the command there. Runs with the standard library only.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
USAGE = """usage: python3 tools/run.py COMMAND [arguments]

  demo   run the main job with nothing attached: meters speak, a collector reads them
  test   run the whole test suite (arguments go to pytest)
  soak   the long campaigns of the suite
  setup  only create .venv with omsnode in it (the command is then .venv/bin/omsnode)
  ...    any other word is a sub-command of omsnode: collect, meter, decode, analyze, iq, bench"""


def fail(message):
    sys.exit("omsnode: " + message)


def set_up(extras):
    """Create or refresh the venv; quick when nothing changed since the last time.

    What a venv does not survive by itself: a folder that was moved, and a Python that the system replaced.
    """
    stamp = VENV / "omsnode-{}.stamp".format(extras or "base")
    here = "{} {}.{}".format(ROOT, *sys.version_info[:2])
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + here.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    # Through Python: the script `pip` holds the path at which the venv was made.
    pip = [str(VENV / "bin" / "python"), "-m", "pip"]
    if not runs([*pip, "--version"]):
        print("omsnode: creating", VENV, file=sys.stderr)
        venv = [sys.executable, "-m", "venv", "--clear", str(VENV)]
        done = subprocess.run(venv, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(VENV, ignore_errors=True)
            fail(
                "python3 cannot create a virtual environment. On Debian or Raspberry Pi OS:\n"
                "    sudo apt install python3-venv\n"
                "then run this command again.\n" + done.stdout + done.stderr
            )
    target = str(ROOT) + ("[{}]".format(extras) if extras else "")
    print("omsnode: installing", target, file=sys.stderr)
    if subprocess.run(
        [*pip, "install", "--quiet", "--disable-pip-version-check", "--editable", target]
    ).returncode:
        fail("pip could not install the packages above. Is there a network connection? Then run this again.")
    stamp.write_text(wanted)


def runs(command):
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def main(argv):
    if not argv or argv[0] in ("-h", "--help"):
        print(USAGE)
        return 0
    if sys.version_info < (3, 11):
        fail(
            "python3 is {}.{}, but 3.11 or newer is needed (Debian 12 has it).".format(*sys.version_info[:2])
        )
    command, arguments = argv[0], argv[1:]
    if command in ("test", "soak"):
        set_up("test")
        environment = dict(os.environ, OMSNODE_SOAK="1") if command == "soak" else dict(os.environ)
        os.chdir(ROOT)
        python = str(VENV / "bin" / "python")
        os.execve(python, [python, "-m", "pytest", *arguments], environment)
    set_up("")
    if command == "setup":
        print("omsnode: ready, the command is", VENV / "bin" / "omsnode")
        return 0
    # In place of this process: signals reach the command, and relative paths are the caller's.
    program = str(VENV / "bin" / "omsnode")
    os.execv(program, [program, command, *arguments])
    return 1  # never


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
