"""Bench side of seam.c: spidev and gpiochip (uAPI v2) devices for a process under test.

    with Bench() as bench:
        bench.add_board(virtual_board, {"gdo0": 24, "gdo2": 25})
        subprocess.run([...], env=bench.environment())

The bench must not live in a process that itself opens the emulated devices: spidev keeps the GIL during `open`, mode
changes and `xfer`. Facts and semantics: host-seams sheet 1, checked there line by line against a real kernel.
"""

import array
import contextlib
import errno
import fcntl
import hashlib
import importlib.util
import mmap
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

SOURCE = pathlib.Path(__file__).with_name("seam.c")

REQUEST = struct.Struct("<IIIIQ")  # op, number, length, unused, value
REPLY = struct.Struct("<iiII")  # result, errno, length, offset of a descriptor
OP_IOCTL, OP_READ, OP_WRITE, OP_SPI, OP_CLOSE, OP_FLOCK, OP_WAIT = range(1, 8)
PACKAGES = {  # where the package is not named as its module, or must come without what it wants
    "RPi": "rpi-lgpio",
    "LoRaRF": "--no-deps LoRaRF",
    "jetson_sx126x": "--no-deps jetson-SX126X",
}
LAP_NS = 1_000_000_000  # the longest single wait, so that signals reach the process

TRANSFER = struct.Struct("<QQIIHBBBBBB")  # struct spi_ioc_transfer
SPI_TYPE, GPIO_TYPE = 0x6B, 0xB4
SPI_MODES = 0x57  # CPHA CPOL CS_HIGH 3WIRE NO_CS: what the Pi's controller takes
SPI_SETTINGS = {
    1: ("mode", "<B"),
    2: ("lsb", "<B"),
    3: ("bits", "<B"),
    4: ("speed_hz", "<I"),
    5: ("mode", "<I"),
}

USED, ACTIVE_LOW, INPUT, OUTPUT, RISING, FALLING, PULL_UP, PULL_DOWN, REALTIME = (
    1,
    2,
    4,
    8,
    16,
    32,
    256,
    512,
    2048,
)
EVENT = struct.Struct("<QIIII24x")  # struct gpio_v2_line_event
LINE_REQUEST_CONFIG, LINE_REQUEST_COUNT, LINE_REQUEST_FD = 288, 560, 588
CONFIG_SIZE, ATTRIBUTES, ATTRIBUTE_SIZE = 272, 32, 24


class DeviceError(Exception):
    def __init__(self, number):
        super().__init__(errno.errorcode[number])
        self.number = number


class Device:
    """What a socket below the root answers. `refuse`: an errno for `open`."""

    refuse = 0
    locked_by = None

    def closed(self, connection):
        if self.locked_by is connection:
            self.locked_by = None

    def ioctl(self, connection, number, argument):
        raise DeviceError(errno.ENOTTY)

    def spi(self, number, data):
        raise DeviceError(errno.ENOTTY)

    def read(self, n):
        raise DeviceError(errno.EINVAL)

    def write(self, data):
        raise DeviceError(errno.EINVAL)

    def flock(self, connection, operation):
        if operation & fcntl.LOCK_UN:
            if self.locked_by is connection:
                self.locked_by = None
        elif self.locked_by not in (None, connection):
            raise DeviceError(errno.EWOULDBLOCK)  # a blocking lock is not emulated
        else:
            self.locked_by = connection
        return 0, b""

    def wait(self, deadline_ns):
        raise DeviceError(errno.EINVAL)


class SpiDevice(Device):
    """transfer(tx) -> rx of the same length: one chip-select period. `fail`: callable() -> errno or 0."""

    def __init__(self, transfer, speed_hz=500_000, bufsiz=4096):
        self.transfer = transfer
        self.bufsiz = bufsiz
        self.mode, self.bits, self.lsb, self.speed_hz = 0, 8, 0, speed_hz
        self.fail = None

    def spi(self, number, data):
        size = (number >> 16) & 0x3FFF
        if self.fail and (code := self.fail()):
            raise DeviceError(code)
        transfers = [TRANSFER.unpack_from(data, at) for at in range(0, size, TRANSFER.size)]
        if sum(transfer[2] for transfer in transfers) > self.bufsiz:
            raise DeviceError(errno.EMSGSIZE)
        if any(transfer[5] not in (0, 8) for transfer in transfers):
            raise DeviceError(errno.EINVAL)  # 8-bit words only, as on the Pi
        at, total, received = size, 0, bytearray()
        tx, parts = bytearray(), []
        for index, (tx_buffer, rx_buffer, length, _hz, _delay, _bits, cs_change, *_) in enumerate(transfers):
            tx += data[at : at + length] if tx_buffer else bytes(length)
            at += length if tx_buffer else 0
            parts.append((bool(rx_buffer), length))
            total += length
            if (
                cs_change or index == len(transfers) - 1
            ):  # chip select is released: hand the period to the model
                received += self._period(bytes(tx), parts)
                tx, parts = bytearray(), []
        return total, bytes(received)

    def _period(self, tx, parts):
        rx = bytes(self.transfer(tx))
        if len(rx) != len(tx):
            raise DeviceError(errno.EIO)
        out, at = b"", 0
        for wanted, length in parts:
            out += rx[at : at + length] if wanted else b""
            at += length
        return out

    def ioctl(self, connection, number, argument):
        name, form = SPI_SETTINGS.get(number & 0xFF, (None, None))
        if (number >> 8) & 0xFF != SPI_TYPE or not name:
            raise DeviceError(errno.ENOTTY)
        if not number >> 30 & 1:  # a read
            return 0, struct.pack(form, getattr(self, name))
        value = struct.unpack_from(form, argument)[0]
        refused = {
            "mode": value & ~SPI_MODES,
            "speed_hz": value == 0,
            "lsb": value != 0,
            "bits": value not in (0, 8),
        }
        if refused[name]:
            raise DeviceError(errno.EINVAL)
        setattr(self, name, 8 if name == "bits" else value)
        return 0, b""

    def read(self, n):
        if n > self.bufsiz:
            raise DeviceError(errno.EMSGSIZE)
        return n, bytes(self.transfer(bytes(n))) if n else b""

    def write(self, data):
        if len(data) > self.bufsiz:
            raise DeviceError(errno.EMSGSIZE)
        self.transfer(bytes(data))
        return len(data), b""


class GpioChip(Device):
    """`sample(line)` gives the present level of a line, or None where `drive` alone decides. `driven_by_host(line, level)`
    is called with what the program puts on an output."""

    def __init__(
        self, lock, name="gpiochip0", label="pinctrl-bcm2711", lines=54, sample=None, driven_by_host=None
    ):
        self.name, self.label, self.lines, self.sample = name, label, lines, sample
        self.driven_by_host = driven_by_host
        self.levels = [0] * lines
        self.requests = [None] * lines
        self.driven = set()
        self.overflows = 0
        self.sent = 0  # edges that the program was given
        self._lock = lock
        self._requested = threading.Condition(lock)

    # --- the outside world ---

    def drive(self, line, level, at_ns=None):
        """An outside level change at `at_ns` (default: now, real time). Returns the edge's time stamp."""
        with self._lock:
            at_ns = time.monotonic_ns() if at_ns is None else at_ns
            self.driven.add(line)
            before, self.levels[line] = self.levels[line], int(bool(level))
            request = self.requests[line]
            if request and before != self.levels[line]:
                self._edge(request, line, at_ns)
            return at_ns

    def wait_requested(self, line, timeout=120):
        with self._requested:
            return self._requested.wait_for(lambda: self.requests[line] is not None, timeout)

    def level(self, line):
        if self.sample and (level := self.sample(line)) is not None:
            return level
        return self.levels[line]

    def _edge(self, request, line, at_ns):
        flags = request.flags[line]
        level = self.levels[line] ^ bool(flags & ACTIVE_LOW)
        if not flags & (RISING if level else FALLING):
            return
        if flags & REALTIME:
            at_ns += time.time_ns() - time.monotonic_ns()
        request.seqno += 1
        request.line_seqno[line] = request.line_seqno.get(line, 0) + 1
        if _queued_bytes(request.program_end) >= request.capacity * EVENT.size:  # the kernel drops the oldest
            with contextlib.suppress(BlockingIOError):
                request.program_end.recv(EVENT.size, socket.MSG_DONTWAIT)
            self.overflows += 1
        kind = 1 if level else 2
        self.sent += 1
        request.events.send(EVENT.pack(at_ns, kind, line, request.seqno, request.line_seqno[line]))

    # --- the character device ---

    def ioctl(self, connection, number, argument):
        if (number >> 8) & 0xFF != GPIO_TYPE:
            raise DeviceError(errno.ENOTTY)
        match number & 0xFF:
            case 1:
                return 0, struct.pack("<32s32sI", self.name.encode(), self.label.encode(), self.lines)
            case 5 | 6:
                return 0, self._line_info(struct.unpack_from("<I", argument, 64)[0])
            case 12:
                return 0, argument
            case 7:
                return self._request(argument)
        raise DeviceError(errno.ENOTTY)

    def _line_info(self, line):
        if line >= self.lines:
            raise DeviceError(errno.EINVAL)
        request = self.requests[line]
        flags = request.flags[line] | USED if request else INPUT
        consumer = request.consumer if request else b""
        return struct.pack("<32s32sIIQ", b"GPIO%d" % line, consumer, line, 0, flags).ljust(256, b"\0")

    def _request(self, argument):
        count, capacity = struct.unpack_from("<II", argument, LINE_REQUEST_COUNT)
        lines = struct.unpack_from("<64I", argument)[:count]
        if not count or any(line >= self.lines for line in lines):
            raise DeviceError(errno.EINVAL)
        if any(self.requests[line] for line in lines):
            raise DeviceError(errno.EBUSY)
        config = argument[LINE_REQUEST_CONFIG : LINE_REQUEST_CONFIG + CONFIG_SIZE]
        request = LineRequest(self, lines, argument[256:288], config, capacity)
        bench_end, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        threading.Thread(target=_serve, args=(bench_end, request, self._lock), daemon=True).start()
        self._requested.notify_all()
        return 0, argument, (os.dup(request.program_end.fileno()), control.detach()), LINE_REQUEST_FD


class LineRequest(Device):
    """One granted request: a stream of events that the program reads natively, and this control device."""

    def __init__(self, chip, lines, consumer, config, capacity):
        self.chip, self.lines, self.consumer = chip, lines, consumer
        self.seqno, self.line_seqno = 0, {}
        self.flags, values = _line_config(config, lines)
        for flags in self.flags.values():  # the kernel's refusals
            if flags & INPUT and flags & OUTPUT or flags & (RISING | FALLING) and not flags & INPUT:
                raise DeviceError(errno.EINVAL)
        self.capacity = (
            1 << (min(capacity or 16 * len(lines), 1024) - 1).bit_length()
        )  # kfifo: a power of two
        self.events, self.program_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        for line in lines:
            chip.requests[line] = self
            if self.flags[line] & OUTPUT:
                self._set(line, values.get(line, 0))
            elif line not in chip.driven and self.flags[line] & (PULL_UP | PULL_DOWN):
                chip.levels[line] = int(bool(self.flags[line] & PULL_UP))

    def _set(self, line, value):
        level = self.chip.levels[line] = int(value) ^ bool(self.flags[line] & ACTIVE_LOW)
        if self.chip.driven_by_host:
            self.chip.driven_by_host(line, level)

    def ioctl(self, connection, number, argument):
        match number & 0xFF:
            case 14:  # get values
                _bits, mask = struct.unpack("<QQ", argument)
                bits = 0
                for index, line in enumerate(self.lines):
                    if mask >> index & 1:
                        bits |= (self.chip.level(line) ^ bool(self.flags[line] & ACTIVE_LOW)) << index
                return 0, struct.pack("<QQ", bits, mask)
            case 15:  # set values
                bits, mask = struct.unpack("<QQ", argument)
                for index, line in enumerate(self.lines):
                    if mask >> index & 1:
                        if not self.flags[line] & OUTPUT:
                            raise DeviceError(errno.EPERM)
                        self._set(line, bits >> index & 1)
                return 0, argument
            case 13:  # set configuration
                self.flags, values = _line_config(argument, self.lines)
                for line in self.lines:
                    if self.flags[line] & OUTPUT and line in values:
                        self._set(line, values[line])
                return 0, argument
        raise DeviceError(errno.ENOTTY)

    def closed(self, connection):
        for line in self.lines:
            self.chip.requests[line] = None
        self.events.close()
        self.program_end.close()


class Clock(Device):
    """Virtual time: `advance(until_ns)` lets the world run to an edge or `until_ns`."""

    def __init__(self, advance):
        self.advance = advance

    def wait(self, deadline_ns):
        self.advance(deadline_ns)
        return 0, b""


def _line_config(config, lines):
    """({line: flags}, {line: output value}) of a struct gpio_v2_line_config."""
    default, count = struct.unpack_from("<QI", config)
    flags, values = dict.fromkeys(lines, default), {}
    for index in range(count):
        kind, _pad, value, mask = struct.unpack_from("<IIQQ", config, ATTRIBUTES + index * ATTRIBUTE_SIZE)
        for place, line in enumerate(lines):
            if mask >> place & 1:
                if kind == 1:
                    flags[line] = value
                elif kind == 2:
                    values[line] = value >> place & 1
    return flags, values


def _queued_bytes(stream):
    count = array.array("i", [0])
    fcntl.ioctl(stream.fileno(), termios.FIONREAD, count)
    return count[0]


def _serve(connection, device, lock):
    """Answer the requests of one open file until it is closed or its process dies."""
    released = False
    try:
        while message := connection.recv(1 << 18):
            op, number, length, _unused, value = REQUEST.unpack_from(message)
            body = message[REQUEST.size : REQUEST.size + length]
            descriptors, offset = (), 0
            with lock:
                try:
                    match op:
                        case 1:
                            result, data, *more = device.ioctl(connection, number, body)
                            descriptors, offset = more or ((), 0)
                        case 2:
                            result, data = device.read(value)
                        case 3:
                            result, data = device.write(body)
                        case 4:
                            result, data = device.spi(number, body)
                        case 5:
                            device.closed(connection)
                            released = True
                            result, data = 0, b""
                        case 6:
                            result, data = device.flock(connection, value)
                        case _:
                            result, data = device.wait(value)
                    head = REPLY.pack(result, 0, len(data), offset)
                except DeviceError as error:
                    head, data = REPLY.pack(-1, error.number, 0, 0), b""
            rights = (
                [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
            )
            connection.sendmsg([head, data], rights)
            for descriptor in descriptors:
                os.close(descriptor)
            if released:
                break
    except OSError:
        pass
    finally:
        if not released:
            with lock:
                device.closed(connection)
        connection.close()


def build_library():
    """Compile seam.c into a cache keyed by the source's hash. Returns its path; FileNotFoundError without a compiler."""
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    cache = pathlib.Path(tempfile.gettempdir()) / "omsnode-seam-{}".format(os.getuid())
    cache.mkdir(mode=0o700, exist_ok=True)
    library = cache / "seam-{}.so".format(digest)
    if not library.exists():
        fresh = cache / "seam-{}.{}".format(digest, os.getpid())
        flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
        subprocess.run(["cc", *flags, "-o", fresh, SOURCE, "-ldl", "-lpthread"], check=True)
        fresh.replace(library)
    return library


def needs(require, *modules):
    """Skip by name where the seam cannot run. Returns the preload library."""
    require(sys.platform == "linux", "the seam preloads a library: Linux only")
    require(shutil.which("cc"), "no C compiler (cc): apt install gcc libc6-dev")
    for module in modules:
        package = PACKAGES.get(module, module)
        require(importlib.util.find_spec(module), "Python package missing: pip install " + package)
    return build_library()


class Bench:
    """A root directory with emulated devices. `lock` guards them and the model behind them."""

    def __init__(self, library=None):
        self.library = library or build_library()
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="seam"))
        self.lock = threading.RLock()
        self._listeners = []
        self._now = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for listener in self._listeners:
            listener.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def environment(self, **more):
        return dict(os.environ, LD_PRELOAD=str(self.library), SEAM_ROOT=str(self.root), **more)

    def add_file(self, path, data):
        """path: as the process under test sees it, e.g. /sys/module/spidev/parameters/bufsiz."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(data)

    def add_device(self, path, device):
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(str(target))
        listener.listen(16)
        self._listeners.append(listener)
        threading.Thread(target=self._accept, args=(listener, device), daemon=True).start()
        return device

    def _accept(self, listener, device):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.send(struct.pack("<i", device.refuse))
            if device.refuse:
                connection.close()
            else:
                threading.Thread(target=_serve, args=(connection, device, self.lock), daemon=True).start()

    def add_spidev(self, bus, chip_select, transfer, **options):
        device = SpiDevice(transfer, **options)
        self.add_file("/sys/module/spidev/parameters/bufsiz", "{}\n".format(device.bufsiz))
        return self.add_device("/dev/spidev{}.{}".format(bus, chip_select), device)

    def add_gpiochip(self, number, **options):
        device = self.root / "sys/dev/char/254:{}".format(number)
        device.mkdir(parents=True)
        (self.root / "sys/bus/gpio").mkdir(parents=True, exist_ok=True)
        (device / "subsystem").symlink_to("../../../bus/gpio")
        name = "gpiochip{}".format(number)
        return self.add_device("/dev/" + name, GpioChip(self.lock, name, **options))

    def add_board(self, board, lines, virtual_time=True, read_us=0, **options):
        """Serve a board (the contract of board/virtual) as spidev0.0 and gpiochip0. lines: {"gdo0": GPIO number, ...}.

        read_us: what looking at a line costs beyond the model's time, so that waiting for BUSY by looking takes few looks.
        virtual_time: the process under test lives on the board's clock, else on the machine's, and the board's time
        only advances by SPI transfers and by `advance`. Returns (SpiDevice, GpioChip, advance(until_ns))."""
        names = {line: name for name, line in lines.items()}

        def sample(line):
            if line not in names:
                return None
            level = board.pins[names[line]].read()
            publish(board.wait(board.now_us() + read_us)[0])
            return level

        def driven_by_host(line, level):
            if line in names:
                board.pins[names[line]].write(level)

        chip = self.add_gpiochip(0, sample=sample, driven_by_host=driven_by_host, **options)

        def publish(edges):
            for name, level, at_us in edges:
                chip.levels[lines[name]] = (
                    1 - level
                )  # an edge is an edge, even if one before it was never seen
                chip.drive(lines[name], level, at_us * 1000)
            if self._now:
                self._now[:16] = struct.pack("<QQ", board.now_us() * 1000, chip.sent)

        def transfer(tx):
            board.spi.hz = spi.speed_hz
            rx = bytearray(len(tx))
            board.spi.transfer(tx, rx)
            publish(board.wait(board.now_us())[0])
            return rx

        def advance(until_ns):
            with self.lock:
                until_us = -(-min(until_ns, board.now_us() * 1000 + LAP_NS) // 1000)
                publish(board.wait(until_us)[0])

        if virtual_time:
            self._add_clock(advance, board.now_us() * 1000)
        spi = self.add_spidev(0, 0, transfer)
        return spi, chip, advance

    def _add_clock(self, advance, now_ns):
        path = self.root / "now"
        path.write_bytes(struct.pack("<Q", now_ns).ljust(mmap.PAGESIZE, b"\0"))
        with path.open("r+b") as page:
            self._now = mmap.mmap(page.fileno(), mmap.PAGESIZE)
        self.add_device("/clock", Clock(advance))
