"""A wheel of this very omsnode, to be installed elsewhere."""

import hashlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

import omsnode
from omsnode.firmware.errors import ConfigError, OmsError

ROOT = pathlib.Path(omsnode.__file__).resolve().parent
HINT = "--package FILE.whl or --package omsnode==VERSION installs something else"
_LEFT_OUT = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "tests")


def build():
    """(file name, bytes) of a wheel of this tree. OmsError if there is none to be made."""
    if not (ROOT / "pyproject.toml").is_file():
        raise OmsError("this omsnode was not installed from its sources", hint=HINT)
    with tempfile.TemporaryDirectory(prefix="omsnode-") as folder:
        out = pathlib.Path(folder)
        shutil.copytree(ROOT, out / "tree", ignore=_LEFT_OUT)
        command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, str(out / "tree")]
        if importlib.util.find_spec("setuptools") and importlib.util.find_spec("wheel"):
            command.insert(5, "--no-build-isolation")  # no network needed
        done = subprocess.run(
            command, capture_output=True, text=True, env=dict(os.environ, SOURCE_DATE_EPOCH="946684800")
        )
        wheels = sorted(out.glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            raise OmsError("pip cannot make a wheel of {}\n{}".format(ROOT, done.stderr.strip()), hint=HINT)
        return wheels[0].name, wheels[0].read_bytes()


def read(path):
    """(file name, bytes) of a wheel that is there."""
    try:
        return pathlib.Path(path).name, pathlib.Path(path).read_bytes()
    except OSError as error:
        raise ConfigError("{}: {}".format(path, error.strerror))


def fingerprint(path_or_file):
    """Twelve hex digits of what is in a wheel; that it was built at another time changes nothing."""
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(path_or_file) as wheel:
            for name in sorted(wheel.namelist()):
                digest.update(
                    "{}:{}:".format(name, wheel.getinfo(name).file_size).encode() + wheel.read(name)
                )
    except zipfile.BadZipFile:
        raise ConfigError("that is no wheel", hint=HINT)
    return digest.hexdigest()[:12]
