"""The board of a Linux host with a radio on its header: spidev, and the GPIO character device for pins and edges.

    with open_board(hat) as board:
        board.spi.transfer(tx, rx)
        edges, lost = board.wait(board.now_us() + 1000)

Two GPIO back ends. `gpiod` (version 2) is the one to have: edges carry the kernel's time stamp, taken in the interrupt,
and sequence numbers show what was lost. `RPi.GPIO` (in practice rpi-lgpio) is the degraded one: a callback thread
stamps the edge when it gets to run, levels are read late and losses stay unseen; `board.degraded` says so and a warning
is logged. Sources: boards sheet 4, 5 and 8, host-seams sheet 1.3 and 2.
"""

import fcntl
import gc
import logging
import queue
import select
import time

from omsnode.firmware.errors import MisuseError, RadioError

from .hats import EDGES, LEVELS, OUTPUTS

# Which gpiochip is the 40-pin header differs by model and kernel: only the label is stable (boards sheet 5.1).
HEADER_LABELS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
HEADER_LINE = "GPIO24"  # other boards name their header lines as the Pi does
MAX_CHIPS = 64
_POLL_S = 0.001  # how often the degraded back end looks, if several are waited for
LEAD_US = 2000  # the latest wake-up that was measured was 1.6 ms late (host-seams sheet 5)
EVENT_BUFFER = 256  # edges the kernel keeps for us; the default of 16 per line fills in one stalled frame

PI_LIBRARIES = "in the folder of omsnode: .venv/bin/pip install --editable '.[pi]'"
HINT_ENABLE_SPI = "enable SPI: sudo raspi-config nonint do_spi 0 (or the line dtparam=spi=on in /boot/firmware/config.txt), then reboot"
HINT_GROUPS = "sudo usermod -aG spi,gpio $USER, then log in again"
HINT_BUSY = "stop the other program that uses this radio (another omsnode, a LoRaWAN daemon, ...)"

log = logging.getLogger("omsnode.board")


def open_board(hat, backend=None):
    """Open the SPI device and the GPIO lines of a HAT.

    hat: row of `board.hats` with spi_bus, spi_dev, spi_hz and the GPIO numbers of its lines. A reset line is high and an
    RF switch open from here on, and what must stay high is.
    backend: "gpiod", "RPi.GPIO", or None for the best one installed.
    Returns a LinuxBoard. Raises RadioError, whose `hint` says what is missing and how to get it.
    """
    if backend not in (None, *BACKENDS):
        raise MisuseError("no GPIO back end " + str(backend), hint="back ends: " + " ".join(BACKENDS))
    device = _open_spi(hat)
    try:
        gpio = _open_gpio(_Lines(hat), backend)
    except BaseException:
        device.close()
        raise
    return LinuxBoard(device, gpio)


class _Lines:
    """What is wired. edges, levels: {name: GPIO number} of the inputs. outputs: {name: (GPIO number, first level)}."""

    def __init__(self, hat):
        self.edges = _wired(hat, EDGES)
        self.levels = _wired(hat, LEVELS)
        levels = dict(OUTPUTS)
        self.outputs = {name: (line, levels[name]) for name, line in _wired(hat, levels).items()}
        for line in getattr(hat, "en_high", None) or ():
            self.outputs["gpio{}".format(line)] = (line, 1)
        self.offsets = self.edges | self.levels | {name: line for name, (line, _) in self.outputs.items()}
        if len(set(self.offsets.values())) < len(self.offsets):
            pins = ", ".join("{} {}".format(*one) for one in self.offsets.items())
            raise MisuseError("two lines on one GPIO: " + pins)


def _wired(hat, names):
    return {name: getattr(hat, name) for name in names if getattr(hat, name, None) is not None}


class LinuxBoard:
    """The board contract. Edges are requested at the first `wait` (or `arm`), after the driver has programmed what its
    pins show: a CC1101 fresh from reset clocks GDO0 at 135 kHz. The SPI device is locked against other processes."""

    def __init__(self, device, gpio):
        self._device = device
        self.gpio = gpio
        self._armed = False
        self.spi = _Spi(device)
        self.pins = {name: _Pin(gpio, name) for name in gpio.lines.offsets}
        self.backend = gpio.name
        self.degraded = gpio.degraded
        if self.degraded:
            log.warning("%s: %s", self.backend, self.degraded)

    def now_us(self):
        """CLOCK_MONOTONIC in microseconds: the clock of the kernel's edge time stamps."""
        return time.monotonic_ns() // 1000

    def arm(self):
        """Request edges, once. A line that is already high gives no edge, so it is reported as one at this instant.

        Start-up is over here: what was allocated so far stays, and is taken out of the collector's sight, because one
        full collection costs a third of the time in which a CC1101 FIFO fills (host-seams sheet 5)."""
        if self._armed:
            return []
        self._armed = True
        gc.collect()
        gc.freeze()
        with _GpioErrors():
            self.gpio.arm()
            now_us = self.now_us()
            return [(name, 1, now_us) for name in self.gpio.lines.edges if self.gpio.read(name)]

    def wait(self, until_us, exact=False):
        """Sleep until an edge or `until_us` (None: as long as it takes), whichever is first. exact: the last LEAD_US before
        `until_us` are spent polling, because a wake-up may come as late as that.

        Returns (edges, lost): edges is a list of (line, level, at_us) since the last call, in order of time; lost is
        how many edges went missing since then."""
        edges = self.arm()
        if edges:
            return edges, 0
        with _GpioErrors():
            edges, lost = self.gpio.wait(_seconds(self.now_us(), until_us, exact))
            while exact and not edges and self.now_us() < until_us:
                edges, lost = self.gpio.wait(self.gpio.look_s)
        return edges, lost

    def close(self):
        self.gpio.close()
        self._device.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Joined:
    """Several boards of this machine with one wait: what comes back is a list of (edges, lost), one for each board.

    active: indices of those that are waited for."""

    def __init__(self, boards):
        self._boards = boards
        self.active = list(range(len(boards)))
        self.now_us = boards[0].now_us

    def wait(self, until_us, exact=False):
        """As LinuxBoard.wait, for all that are active."""
        several: list = [([], 0) for _ in self._boards]
        for i in self.active:
            several[i] = (self._boards[i].arm(), 0)
        if not any(edges for edges, _ in several):
            gpios = [self._boards[i].gpio for i in self.active]
            with _GpioErrors():
                found = _wait_for_any(gpios, _seconds(self.now_us(), until_us, exact))
                while exact and not found and self.now_us() < until_us:
                    found = _wait_for_any(gpios, gpios[0].look_s)
            for i in self.active:
                several[i] = self._boards[i].wait(0)
        return several, 0


def _seconds(now_us, until_us, exact):
    """How long to sleep."""
    if until_us is None:
        return None
    return max(0, until_us - now_us - (LEAD_US if exact else 0)) / 1e6


def _wait_for_any(gpios, seconds):
    """Until one of them has an edge: true if so."""
    descriptors = [gpio.fd for gpio in gpios]
    if None not in descriptors:
        return select.select(descriptors, [], [], seconds)[0]
    end = None if seconds is None else time.monotonic() + seconds
    while not (found := any(gpio.waiting() for gpio in gpios)) and (end is None or time.monotonic() < end):
        time.sleep(_POLL_S if seconds is None else min(_POLL_S, seconds))
    return found


class _Spi:
    def __init__(self, device):
        self._xfer2 = device.xfer2

    def transfer(self, tx, rx):
        """Full duplex, one chip-select period. tx: bytes-like; rx: bytearray of the same length, filled in place."""
        if len(tx) != len(rx):
            raise MisuseError("SPI transfer of {} bytes into {}".format(len(tx), len(rx)))
        try:
            rx[:] = bytes(self._xfer2(tx))
        except (OSError, OverflowError) as error:
            raise RadioError("SPI transfer failed: {}".format(error), hint="is the HAT still in place?")


class _Pin:
    def __init__(self, gpio, line):
        self._gpio = gpio
        self._line = line

    def read(self):
        """The present level, 0 or 1."""
        with _GpioErrors():
            return self._gpio.read(self._line)

    def write(self, level):
        """Drive the line. MisuseError for one that the radio drives: two drivers on one wire are a short circuit."""
        if self._line not in self._gpio.lines.outputs:
            raise MisuseError("{} is an output of the radio".format(self._line))
        with _GpioErrors():
            self._gpio.write(self._line, level)


class _GpioErrors:
    """What the GPIO library raises becomes a RadioError."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _trace):
        if kind is not None and issubclass(kind, (OSError, RuntimeError)):
            raise RadioError("GPIO: {}".format(error), hint="is the HAT still in place?")


def _open_spi(hat):
    path = "/dev/spidev{}.{}".format(hat.spi_bus, hat.spi_dev)
    try:
        import spidev
    except ImportError:
        raise RadioError("the Python library spidev is missing", hint=PI_LIBRARIES)
    device = spidev.SpiDev()
    try:
        device.open(hat.spi_bus, hat.spi_dev)
    except FileNotFoundError:
        raise RadioError("there is no " + path, hint=HINT_ENABLE_SPI)
    except PermissionError:
        raise RadioError("no permission for " + path, hint=HINT_GROUPS)
    except OSError as error:
        raise RadioError("{} cannot be opened: {}".format(path, error), hint=HINT_ENABLE_SPI)
    try:
        # two programs can open the same node, and then both believe they own the chip (boards sheet 8.10)
        fcntl.flock(device.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        device.mode = 0
        device.bits_per_word = 8
        device.max_speed_hz = hat.spi_hz  # without this the device tree's 125 MHz applies
    except BlockingIOError:
        device.close()
        raise RadioError(path + " is in use", hint=HINT_BUSY)
    except OSError as error:
        device.close()
        raise RadioError("{} refuses its settings: {}".format(path, error))
    return device


def _open_gpio(lines, backend):
    for name in [backend] if backend else BACKENDS:
        try:
            return BACKENDS[name](lines)
        except ImportError as error:
            log.debug("%s: %s", name, error)
    raise RadioError(
        "the Python library {} is missing".format(backend or "gpiod (version 2)"), hint=PI_LIBRARIES
    )


class _Gpiod:
    name = "gpiod"
    degraded = ""
    look_s = 0  # how long one look takes while polling

    def __init__(self, lines):
        import gpiod

        if not hasattr(gpiod, "request_lines"):
            raise ImportError("gpiod is version 1")  # Debian 12's python3-libgpiod
        self._gpiod = gpiod
        self.lines = lines
        self._names = {offset: name for name, offset in lines.edges.items()}
        self._seqno = 0
        self._requests = []
        path = _header_chip(gpiod)
        # Two requests: arming edges sets up its request anew, and nothing may happen to an output then.
        try:
            self._edges = self._take(path, self._inputs(lines.edges.values(), gpiod.line.Edge.NONE))
            self._levels = self._take(path, self._steady())
        except OSError as error:
            self.close()
            message = "GPIO {} of {}: {}".format(sorted(lines.offsets.values()), path, error)
            raise RadioError(message, hint=HINT_BUSY)

    def _take(self, path, config):
        if not config:
            return None
        request = self._gpiod.request_lines(
            path, consumer="omsnode", config=config, event_buffer_size=EVENT_BUFFER
        )
        self._requests.append(request)
        return request

    def _inputs(self, offsets, edges):
        settings = self._gpiod.LineSettings(direction=self._gpiod.line.Direction.INPUT, edge_detection=edges)
        return {tuple(offsets): settings} if offsets else {}

    def _steady(self):
        config = self._inputs(self.lines.levels.values(), self._gpiod.line.Edge.NONE)
        for offset, level in self.lines.outputs.values():
            config[offset] = self._gpiod.LineSettings(
                direction=self._gpiod.line.Direction.OUTPUT, output_value=self._value(level)
            )
        return config

    def _value(self, level):
        return self._gpiod.line.Value.ACTIVE if level else self._gpiod.line.Value.INACTIVE

    @property
    def fd(self):
        return self._edges.fd

    def read(self, name):
        request = self._edges if name in self.lines.edges else self._levels
        return int(request.get_value(self.lines.offsets[name]) is self._gpiod.line.Value.ACTIVE)

    def write(self, name, level):
        self._levels.set_value(self.lines.offsets[name], self._value(level))

    def arm(self):
        self._edges.reconfigure_lines(self._inputs(self.lines.edges.values(), self._gpiod.line.Edge.BOTH))

    def wait(self, seconds):
        edges, lost = [], 0
        if self._edges.wait_edge_events(seconds):
            rising = self._gpiod.EdgeEvent.Type.RISING_EDGE
            for event in self._edges.read_edge_events():
                lost += event.global_seqno - self._seqno - 1
                self._seqno = event.global_seqno
                level = int(event.event_type is rising)
                edges.append((self._names[event.line_offset], level, event.timestamp_ns // 1000))
        return edges, lost

    def close(self):
        for request in self._requests:
            request.release()


def _header_chip(gpiod):
    """Path of the gpiochip with the header's pins, by label, else by the name of a line."""
    denied = named = None
    for number in range(MAX_CHIPS):
        path = "/dev/gpiochip{}".format(number)
        try:
            if not gpiod.is_gpiochip_device(path):
                continue
            with gpiod.Chip(path) as chip:
                if chip.get_info().label in HEADER_LABELS:
                    return path
                if named is None and _has_line(chip, HEADER_LINE):
                    named = path
        except PermissionError:
            denied = path
        except OSError as error:
            log.debug("%s: %s", path, error)
    if named:
        return named
    if denied:
        raise RadioError("no permission for " + denied, hint=HINT_GROUPS)
    raise RadioError(
        "no gpiochip has the pins of a 40-pin header",
        hint="is this a Raspberry Pi or like it? gpiodetect lists chips",
    )


def _has_line(chip, name):
    try:
        chip.line_offset_from_id(name)
    except OSError:
        return False
    return True


class _RpiGpio:
    name = "RPi.GPIO"
    degraded = "no kernel time stamps and no count of lost edges: install gpiod 2 for exact reception times"
    fd = None  # nothing that one could wait for together with others
    look_s = 0.00002  # who polls without a pause holds up the callback thread

    def __init__(self, lines):
        try:
            import RPi.GPIO as GPIO
        except RuntimeError as error:  # the original package on anything but a Pi
            raise ImportError(str(error))
        self._gpio = GPIO
        self.lines = lines
        self._edges: queue.SimpleQueue = queue.SimpleQueue()
        try:
            GPIO.setwarnings(False)
            GPIO.setmode(GPIO.BCM)
            for name, offset in lines.offsets.items():
                if name in lines.outputs:
                    GPIO.setup(offset, GPIO.OUT, initial=lines.outputs[name][1])
                else:
                    GPIO.setup(offset, GPIO.IN)
        except Exception as error:  # lgpio.error is no OSError
            raise RadioError(
                "GPIO {}: {}".format(sorted(lines.offsets.values()), error),
                hint=HINT_GROUPS + "; or " + HINT_BUSY,
            )

    def read(self, name):
        return int(self._gpio.input(self.lines.offsets[name]))

    def write(self, name, level):
        self._gpio.output(self.lines.offsets[name], 1 if level else 0)

    def arm(self):
        for name, offset in self.lines.edges.items():
            self._gpio.add_event_detect(
                offset, self._gpio.BOTH, callback=lambda _, name=name: self._on_edge(name)
            )

    def waiting(self):
        return not self._edges.empty()

    def _on_edge(self, name):
        at_us = time.monotonic_ns() // 1000
        self._edges.put((name, self.read(name), at_us))

    def wait(self, seconds):
        edges = []
        try:
            edges.append(self._edges.get(timeout=seconds))
            while True:
                edges.append(self._edges.get_nowait())
        except queue.Empty:
            return edges, 0

    def close(self):
        self._gpio.cleanup(list(self.lines.offsets.values()))


BACKENDS = {backend.name: backend for backend in (_Gpiod, _RpiGpio)}
