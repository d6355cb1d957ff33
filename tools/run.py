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
    """Create or refresh the venv; quick when nothing changed since the last time."""
    stamp = VENV / "omsnode-{}.stamp".format(extras or "base")
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    if not (VENV / "bin" / "pip").exists():
        print("omsnode: creating", VENV, file=sys.stderr)
        done = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(VENV, ignore_errors=True)
            fail(
                "python3 cannot create a virtual environment. On Debian or Raspberry Pi OS:\n"
                "    sudo apt install python3-venv\n"
                "then run this command again.\n" + done.stdout + done.stderr
            )
    target = str(ROOT) + ("[{}]".format(extras) if extras else "")
    print("omsnode: installing", target, file=sys.stderr)
    pip = [
        str(VENV / "bin" / "pip"),
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--editable",
        target,
    ]
    if subprocess.run(pip).returncode:
        fail("pip could not install the packages above. Is there a network connection? Then run this again.")
    stamp.write_text(wanted)


def main(argv):
    if not argv or argv[0] in ("-h", "--help"):
        print(USAGE)
        return 0
    if sys.version_info < (3, 11):
        fail(
            "python3 is {}.{}, but 3.11 or newer is needed (Debian 12 has it).".format(*sys.version_info[:2])
        )
    command, arguments = argv[0], argv[1:]
    os.chdir(ROOT)
    if command in ("test", "soak"):
        set_up("test")
        environment = dict(os.environ, OMSNODE_SOAK="1") if command == "soak" else dict(os.environ)
        return subprocess.run(
            [str(VENV / "bin" / "python"), "-m", "pytest", *arguments], env=environment
        ).returncode
    set_up("")
    if command == "setup":
        print("omsnode: ready, the command is", VENV / "bin" / "omsnode")
        return 0
    return subprocess.run([str(VENV / "bin" / "omsnode"), command, *arguments]).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
