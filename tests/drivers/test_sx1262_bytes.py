"""The bytes that the driver puts on the SPI, against the worked examples of the sheet, typed from there."""

import pytest
from omsnode.drivers.sx1262 import Sx1262, limits, profiles
from omsnode.firmware.errors import MisuseError, RadioError
from omsnode.firmware.phy import framing, modes
from omsnode.firmware.phy.deframer import Deframer
from support_stations import chips, frame


class Pin:
    def __init__(self, level=0):
        self.level = level
        self.levels = []

    def read(self):
        return self.level

    def write(self, level):
        self.levels.append(level)


class Busy(Pin):
    """High for one look after a reset."""

    def __init__(self, reset):
        super().__init__()
        self.reset = reset
        self.seen = 0

    def read(self):
        before, self.seen = self.seen, len(self.reset.levels)
        return int(self.seen > before)


class Script:
    """Answers as a chip does that takes what it is told; keeps every transfer."""

    def __init__(self):
        self.log = []
        self.registers = {}
        self.mode = 2
        self.irq = 0
        self.errors = 0
        self.status = None

    def transfer(self, tx, rx):
        tx = bytes(tx)
        self.log.append(tx)
        out = bytearray(len(tx))
        if len(out) > 1:
            out[1] = self.mode << 4 | 0x80 if self.status is None else self.status
        op = tx[0]
        if op == 0x80:
            self.mode = 2 + tx[1]
        elif op in (0x82, 0x83, 0xC1):
            self.mode = {0x82: 5, 0x83: 6, 0xC1: 4}[op]
        elif op == 0x0D:
            for i, value in enumerate(tx[3:]):
                self.registers[(tx[1] << 8 | tx[2]) + i] = value
        elif op == 0x1D:
            for i in range(4, len(tx)):
                out[i] = self.registers.get((tx[1] << 8 | tx[2]) + i - 4, 0)
        elif op == 0x12:
            out[2:4] = self.irq.to_bytes(2, "big")
        elif op == 0x17:
            out[2:4] = self.errors.to_bytes(2, "big")
        elif op == 0x86:
            for i in range(4):
                self.registers[0x088B + i] = tx[1 + i]
        elif op == 0x02:
            self.irq &= ~(tx[1] << 8 | tx[2])
        rx[:] = out

    def hexes(self):
        return [one.hex(" ").upper() for one in self.log]


def made(**settings):
    script = Script()
    reset = Pin()
    radio = Sx1262(script, Busy(reset), Pin(), reset, **settings)
    return script, radio


def listening(mode, direction="up", family=None):
    script, radio = made()
    radio.start(0)
    radio.configure(mode, direction)
    script.log.clear()
    radio.listen(Deframer(family or mode[0]), 0)
    return script


# Sheet 6.1 and 6.2.


@pytest.mark.parametrize(
    ("mode", "direction", "family", "expected"),
    (
        (
            "S2",
            "up",
            "S",
            ("86 36 44 CC CD", "8B 00 7A 12 00 19 00 CC CD", "0D 06 C0 54 76 96 00 00 00 00 00"),
        ),
        (
            "T2",
            "down",
            "S",
            ("86 36 44 CC CD", "8B 00 7A 12 00 19 00 CC CD", "0D 06 C0 54 76 96 00 00 00 00 00"),
        ),
        (
            "T1",
            "up",
            "T",
            ("86 36 4F 33 33", "8B 00 28 00 00 19 00 CC CD", "0D 06 C0 55 54 3D 00 00 00 00 00"),
        ),
        (
            "T+C",
            "up",
            "T+C",
            (
                "86 36 4F 33 33",
                "8B 00 28 00 00 19 00 CC CD",
                "8C 00 10 04 10 00 00 FF 01 00",
                "0D 06 C0 54 3D 00 00 00 00 00 00",
            ),
        ),
        (
            "C1",
            "up",
            "C",
            ("86 36 4F 33 33", "8B 00 28 00 00 19 00 B8 52", "0D 06 C0 54 3D 54 00 00 00 00 00"),
        ),
        (
            "C2",
            "down",
            "C",
            ("86 36 58 66 66", "8B 00 50 00 09 12 00 66 66", "0D 06 C0 54 3D 54 00 00 00 00 00"),
        ),
    ),
)
def test_a_receiver_is_set_up_as_the_sheet_has_it(mode, direction, family, expected):
    lines = listening(mode, direction, family).hexes()
    for one in expected:
        assert lines.count(one) == 1, (one, lines)
    assert lines.index("8A 00") < lines.index(expected[0])  # packet type before what it resets
    assert lines[-1] == "82 FF FF FF"
    assert "8F 00 00" in lines
    assert "0D 08 AC 96" in lines
    assert lines.index("08 02 0B 02 0B 00 00 00 00") < lines.index("02 FF FF") < len(lines) - 1


def test_order_after_a_reset():
    """Sheet 4: the TCXO before anything that starts the oscillator, errors cleared, calibration, image, errors read."""
    script, radio = made(tcxo_mv=1800)
    radio.start(0)
    lines = script.hexes()
    order = [
        "80 00",
        "97 02 00 01 40",
        "07 00 00",
        "89 7F",
        "98 D7 DB",
        "17 00 00 00",
        "96 01",
        "9D 01",
        "93 30",
    ]
    assert [line for line in lines if line in order] == order
    assert radio.reset_pin.levels == [0, 1]
    assert "0D 08 D8 1E" in lines  # section 15.2
    assert "0D 02 9F 03 08 AC 08 89 08 D8" in lines
    assert radio.due_us is None


def test_without_tcxo_dio2_and_inductor():
    script, radio = made(dio2_rf_switch=False, dcdc=False, crystal_trim=0x12)
    radio.start(0)
    lines = script.hexes()
    assert not [line for line in lines if line.startswith("97")]
    assert "9D 00" in lines and "96 00" in lines
    assert "0D 09 11 12 12" in lines


def test_settings_of_a_hat():
    class Hat:
        tcxo_mv = 3300
        dio2_rf_switch = False
        pa_gain_db = 8

    script, radio = made(hat=Hat)
    radio.start(0)
    assert "97 07 00 01 40" in script.hexes()
    assert "9D 00" in script.hexes()
    with pytest.raises(MisuseError):
        radio.configure("T1", "up", power_dbm=31)
    with pytest.raises(MisuseError) as caught:
        made(tcxo_mv=5000)
    assert "1800" in caught.value.hint


@pytest.mark.parametrize(
    ("status", "errors", "busy", "said"),
    (
        (0x00, 0, 0, "answers"),
        (0xFF, 0, 0, "answers"),
        (None, 0x20, 0, "oscillator"),
        (None, 0x40, 0, "synth"),
        (None, 0, 1, "BUSY"),
    ),
)
def test_start_says_what_is_wrong(status, errors, busy, said):
    script, radio = made()
    script.status, script.errors = status, errors
    radio.chip._busy = Pin(busy).read
    with pytest.raises(RadioError) as caught:
        radio.start(0)
    assert said in str(caught.value)
    assert caught.value.hint


# Sheet 6.2: preamble and sync in the 64 bits of the sync word register. Ours hold the first bytes of what is to be sent.


@pytest.mark.parametrize(
    ("mode", "direction", "frame_format", "length", "sync", "packet"),
    (
        ("C1", "up", "A", 224, "55 55 55 55 54 3D 54 CD", "8C 00 08 00 40 00 00 FF 01 00"),
        ("C1", "up", "B", 254, "55 55 55 55 54 3D 54 3D", "8C 00 08 00 40 00 00 FF 01 00"),
        ("C2", "down", "A", 224, "55 55 55 55 54 3D 54 CD", "8C 00 08 00 40 00 00 FF 01 00"),
        ("T1", "up", "A", 149, "55 55 55 55 54 3D", "8C 00 08 00 40 00 00 FE 01 00"),
        ("T1", "up", "A", 150, "55 55 55 55 54 3D", "8C 00 08 00 40 00 00 FF 01 00"),
        ("S2", "up", "A", 111, "55 55 55 54 76 96", "8C 00 08 00 40 00 00 FF 01 00"),
        ("S1", "up", "A", 9, "55 55 55 55 55 55 55 55", "8C 00 08 00 40 00 00 59 01 00"),
        # the long header as the sheet has it: 512 chips from the chip, the others and the sync in the register
        ("S1", "up", "A", 110, "55 55 55 55 55 54 76 96", "8C 02 00 00 40 00 00 FF 01 00"),
    ),
)
def test_transmission(mode, direction, frame_format, length, sync, packet):
    stream = chips(mode, frame(length, frame_format), direction, frame_format)
    script, radio = made()
    radio.start(0)
    radio.configure(mode, direction)
    script.log.clear()
    radio.prepare(stream, 0)
    lines = script.hexes()
    assert packet in lines
    assert [line for line in lines if line.startswith("0D 06 C0 " + sync)]
    (payload,) = [one[2:] for one in script.log if one[:2] == b"\x0e\x00"]
    (held,) = [one[3:] for one in script.log if one[:3] == b"\x0d\x06\xc0"]
    preamble = b"\x55" * (0 if packet.startswith("8C 00 08") else int(packet[3:8].replace(" ", ""), 16) // 8)
    assert preamble + held + payload == stream
    assert "0D 08 89 04" in lines  # section 15.1
    assert lines.index("95 02 02 00 01") < lines.index("0D 08 E7 38") < lines.index("8E 16 02")


def test_strobe():
    """Standby with the oscillator, synthesizer, SetTx with a timeout; the instants of the contract."""
    script, radio = made()
    radio.start(0)
    radio.configure("T1", "up")
    radio.prepare(chips("T1", frame(20)), 0)
    script.log.clear()
    radio.transmit(200000)
    times = []
    while "83" not in [line[:2] for line in script.hexes()]:
        times.append(radio.due_us)
        assert not radio.service(radio.due_us)
    sent_us = times[-1]
    assert sent_us + 76 + 40 <= 200000
    assert sent_us + 76 + 40 >= 199500
    lines = [line for line in script.hexes() if line[:2] in ("80", "C1", "83")]
    air_us = 10 * (8 + 8 * len(chips("T1", frame(20))))
    timeout = int((air_us + 20000) / 15.625)
    assert lines == ["80 01", "C1", "83 " + timeout.to_bytes(3, "big").hex(" ").upper()]
    script.irq, script.mode = 1, 3
    end_us = 200000 + air_us
    (event,) = radio.service(end_us + 300, [("dio1", 1, end_us - 7)])
    assert (event.kind, event.end_us, event.at_us) == ("sent", end_us - 7, end_us - 7 - air_us)
    assert radio.due_us is None


@pytest.mark.parametrize(
    ("mode", "direction", "frame_format", "largest"),
    (
        ("T1", "up", "A", 150),
        ("S1", "up", "A", 110),
        ("S1-m", "up", "A", 111),
        ("S2", "up", "A", 111),
        ("T2", "down", "A", 111),
        ("C1", "up", "A", 224),
        ("C1", "up", "B", 254),
        ("C2", "down", "A", 224),
    ),
)
def test_what_is_too_long_is_refused_before_anything_is_sent(mode, direction, frame_format, largest):
    """255 bytes of buffer and 8 of sync word (sheet 7.3), with the trailer."""
    row = modes.find(mode, direction)
    assert limits.longest(row, frame_format) == largest
    script, radio = made()
    radio.start(0)
    radio.configure(mode, direction)
    radio.prepare(framing.chips(row, frame(largest, frame_format), frame_format), 0)
    script.log.clear()
    for length in range(largest + 1, 256):
        with pytest.raises(MisuseError) as caught:
            radio.prepare(framing.chips(row, frame(length, frame_format), frame_format), 0)
    assert str(largest) in caught.value.hint
    assert not script.log


# Sheet 4.1; below a row's own output a dB less for each step.
@pytest.mark.parametrize(
    ("dbm", "config", "params"),
    (
        (22, "95 04 07 00 01", "8E 16 02"),
        (20, "95 03 05 00 01", "8E 16 02"),
        (17, "95 02 03 00 01", "8E 16 02"),
        (14, "95 02 02 00 01", "8E 16 02"),
        (None, "95 02 02 00 01", "8E 16 02"),
        (18, "95 03 05 00 01", "8E 14 02"),
        (0, "95 02 02 00 01", "8E 08 02"),
        (-17, "95 02 02 00 01", "8E F7 02"),
    ),
)
def test_power(dbm, config, params):
    assert [one.hex(" ").upper() for one in profiles.power(dbm)] == [config, params]


def test_power_behind_an_amplifier():
    assert profiles.power(30, 8) == profiles.power(22)
    for dbm, gain_db in ((23, 0), (-18, 0), (31, 8)):
        with pytest.raises(MisuseError):
            profiles.power(dbm, gain_db)
