"""Other people's drivers prove the SX1262 model: two packages from PyPI run on the emulated /dev/spidev0.0 and GPIO lines,
in processes of their own on virtual time, against a CC1101 model that is set by raw register writes.

* LoRaRF 1.4.0, unmodified, on spidev and rpi-lgpio.
* jetson-SX126X 1.0.0 (RadioLib's SX126x of 2020 by way of micropySX126X): see sx1262_jetson.py.
* Not a judge: PyPI `sx126x` drives the UART modules of Ebyte, it never speaks to the chip.

What they do wrong according to the sheet is in the tests that are named `wrong_`: there the model shows it, and nobody
bends the model or our driver to it. Both are installed without their dependencies: those are another RPi.GPIO over the
one that is there, and the libraries of a Jetson.
"""

import pathlib
import subprocess
import sys

import pytest
from interop.seam import Bench, needs
from omsnode.board.virtual import World

LINES = {"dio1": 24, "busy": 23, "reset": 22}
CALL_US, READ_US = 50, 20  # a transfer, a look at a line (boards sheet 4)
LEVEL_DBM = -53  # 9 dBm of a CC1101, 60 dB of path, and 2 dB for the RX gain that none of them boosts
PACKET = bytes(range(0x41, 0x41 + 20))

# The CC1101 by its datasheet's formulas at 26 MHz: 868.3 MHz, D391, variable length, CRC of two bytes (8005 from FFFF).
PEER = (
    (0x02, 0x01),
    (0x04, 0xD3),
    (0x05, 0x91),
    (0x07, 0x04),
    (0x08, 0x05),
    (0x0D, 0x21),
    (0x0E, 0x65),
    (0x0F, 0x6A),
    (0x12, 0x02),
    (0x13, 0x42),  # MDMCFG1: 8 bytes of preamble
    (0x18, 0x18),
)
# MDMCFG4, MDMCFG3, DEVIATN: 38 383 Baud, 47.6 kHz, filter 325 kHz; 19 538 Baud, 50.8 kHz, filter 232 kHz.
FAST, SLOW = ((0x10, 0x5A), (0x11, 0x83), (0x15, 0x47)), ((0x10, 0x79), (0x11, 0x8A), (0x15, 0x50))


def transfer(board, *tx):
    rx = bytearray(len(tx))
    board.spi.transfer(bytes(tx), rx)
    return rx


def rest(board, us):
    end_us = board.now_us() + us
    while board.now_us() < end_us:
        board.wait(end_us)


def peer(world, speed):
    board = world.add_board(name="peer")
    transfer(board, 0x30)
    rest(board, 1000)
    for register, value in PEER + speed:
        transfer(board, register, value)
    return board


def receive(peer_board):
    """What the CC1101 has in its FIFO: (payload, CRC good)."""
    count = transfer(peer_board, 0xFB, 0)[1]
    assert count == 1 + len(PACKET) + 2
    fifo = transfer(peer_board, 0xFF, *bytes(count))[1:]
    assert fifo[0] == len(PACKET)
    return bytes(fifo[1:-2]), bool(fifo[-1] & 0x80)


def sent_by_peer(world, speed, at_us, damaged=False):
    """A packet of the CC1101 will be on the air then."""
    board = peer(world, speed)
    transfer(board, 0x7F, len(PACKET), *PACKET)
    transfer(board, 0x35)
    rest(board, 100_000)
    one = world.air.log[-1]
    if damaged:
        one.chips[-40] ^= 1
    one.start_ns = (board.now_us() + at_us) * 1000
    world.air.transmit(one)


@pytest.fixture
def run(require):
    library = needs(require, "spidev", "RPi", "LoRaRF", "jetson_sx126x")

    def run(world, code, options=None, **settings):
        """Lines that the process prints, and the board."""
        settings.setdefault("tcxo_mv", None)
        board = world.add_board(
            chip="sx1262", name="theirs", spi_overhead_us=CALL_US, options=options or {}, **settings
        )
        with Bench(library) as bench:
            lines = dict(LINES, txen=5, rxen=6) if "txen" in board.pins else LINES
            bench.add_board(board, lines, read_us=READ_US)
            environment = bench.environment(
                PYTHONPATH=str(pathlib.Path(__file__).parent),
                RPI_LGPIO_REVISION="c03114",
                LG_WD=str(bench.root),
            )
            done = subprocess.run(
                [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=240
            )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines(), board

    return run


def violations(board):
    return [text for _, text in board.chip.violations]


# --- LoRaRF ---

# Its FSK interface ends at parameters: beginPacket and request are used, endPacket is not (see below). Bit rate and
# deviation are words for the registers, and share their two upper bytes (see below).
LORARF = """
import sys, time
from LoRaRF import SX126x
t = SX126x()
def setup(txen=-1, rxen=-1, tcxo=None):
    assert t.begin(0, 0, 22, 23, -1, txen, rxen)
    if tcxo is not None: t.setDio3TcxoCtrl(tcxo, t.TCXO_DELAY_5)
    if txen < 0: t.setDio2RfSwitch()
    t.setModem(t.FSK_MODEM)
    t.setFrequency(868300000)
    t.setTxPower(14)
    t.setFskModulation(0xCCBA, t.PULSE_NO_FILTER, t.BW_156200, 0xCCCD)
    t.setFskSyncWord((0xD3, 0x91), 2)
    t.setFskCrc(0xFFFF, 0x8005)
    packet(255)
def packet(n):
    t.setFskPacket(64, t.PREAMBLE_DET_LEN_8, 16, t.ADDR_COMP_OFF, t.PACKET_VARIABLE, n, t.CRC_2, t.WHITENING_OFF)
def send(data):
    t.beginPacket()
    t.put(data)
    t._irqSetup(t.IRQ_TX_DONE | t.IRQ_TIMEOUT)
    packet(len(data))
    t._statusWait = t.STATUS_TX_WAIT
    t.setTx(0)
    return t.wait(20) and t.status() == t.STATUS_TX_DONE
"""
LORA_FIRST = "not modelled: packet type 01 (LoRa)"  # `begin` sets LoRa whatever comes after


def test_lorarf_initialises_and_reads_back(run):
    out, board = run(
        World(),
        LORARF + "setup()\n"
        "print(hex(t.getStatus()), hex(t.getMode()), t.getPakcetType(), t.getIrqStatus(), t.getError())\n"
        "for name in ('TX_CLAMP_CONFIG', 'TX_MODULATION', 'RX_GAIN', 'OCP_CONFIGURATION', 'XTA_TRIM'):\n"
        "    print(hex(t.readRegister(getattr(t, 'REG_' + name), 1)[0]))\n"
        "print(bytes(t.readRegister(0x0320, 15)).decode(), bytes(t.readRegister(t.REG_FSK_CRC_INITIAL_MSB, 4)).hex())\n",
    )
    assert out[0] == "0xa2 0x20 0 0 0"
    assert out[1:6] == ["0xde", "0x1", "0x94", "0x38", "0x5"]
    assert out[6] == "SX1261 V2D 2D02 ffff8005"
    assert board.chip.errors == 0


@pytest.mark.parametrize(
    ("wired", "arguments"),
    [
        ({}, ""),
        ({"hat": "e22"}, "5, 6"),
        ({"tcxo_mv": 1800}, "tcxo=t.DIO3_OUTPUT_1_8"),
    ],
    ids=["dio2", "txen_rxen", "tcxo"],
)
@pytest.mark.parametrize("polarity", [0x55, 0xAA])
def test_lorarf_sends_what_a_cc1101_hears(run, wired, arguments, polarity):
    world = World()
    ours = peer(world, SLOW)
    transfer(ours, 0x34)
    out, board = run(
        world,
        LORARF + "setup({})\nprint(send({!r}), hex(t.getMode()))".format(arguments, PACKET),
        {"preamble_polarity": polarity},
        **wired,
    )
    assert out == ["True 0x20"]
    assert receive(ours) == (PACKET, True)
    assert violations(board) == [LORA_FIRST]


@pytest.mark.parametrize("wired", [{}, {"hat": "e22"}], ids=["dio2", "txen_rxen"])
@pytest.mark.parametrize("damaged", [False, True])
def test_lorarf_receives_what_a_cc1101_sent(run, wired, damaged):
    world = World()
    sent_by_peer(world, SLOW, 150_000, damaged)
    out, board = run(
        world,
        LORARF + "setup({})\n".format("5, 6" if wired else "") + "t.request()\n"
        "print(t.wait(20), t.status() == t.STATUS_CRC_ERR, t.available(), t.signalRssi())\n"
        "print(t.get(t.available()).hex())\n",
        **wired,
    )
    assert out[0] == "True {} 20 {:.1f}".format(damaged, LEVEL_DBM)
    assert (bytes.fromhex(out[1]) == PACKET) != damaged
    assert violations(board) == [LORA_FIRST]


def test_wrong_lorarf_takes_the_bit_rate_for_the_deviation(run):
    """The upper two bytes of Fdev are those of the bit rate: asked for 50 kHz at 100 kBaud, it sends 10 kHz."""
    world = World()
    code = "setup(); t.setFskModulation(0x2800, t.PULSE_NO_FILTER, t.BW_312000, 0xCCCD); print(send(b'abc'))"
    out, board = run(world, LORARF + code)
    assert out == ["True"]
    one = world.air.log[-1]
    assert round(one.chip_rate_cps) == 100_000
    assert round(one.deviation_hz) == round(0x0028CD * 32e6 / 2**25) == 9961


def test_wrong_lorarf_ends_a_packet_as_lora(run):
    """endPacket sends the packet parameters of LoRa, which a chip in GFSK understands as: no payload, 20 bits of sync."""
    world = World()
    ours = peer(world, SLOW)
    transfer(ours, 0x34)
    code = "setup(); t.beginPacket(); t.put({!r}); print(t.endPacket(), t.wait(20))".format(PACKET)
    out, board = run(world, LORARF + code)
    assert out == ["True True"]
    assert board.chip.packet[:7] == bytes((0, 12, 0, 20, 0, 0, 0))
    assert len(world.air.log[-1].chips) == 12 + 20 + 8  # and a CRC of one byte
    assert transfer(ours, 0xFB, 0)[1] < len(PACKET)


def test_wrong_lorarf_sees_no_device_error(run):
    """It reads one byte of GetDeviceErrors, the upper one; and 5 ms for a TCXO are 10."""
    code = "t.begin(0, 0, 22, 23); print(t.getDeviceErrors())\n"
    out, board = run(World(), LORARF + code, tcxo_mv=1800)
    assert out == ["0"] and board.chip.errors == 0x20
    _, board = run(
        World(), LORARF + code + "t.setDio3TcxoCtrl(t.DIO3_OUTPUT_1_8, t.TCXO_DELAY_5)", tcxo_mv=1800
    )
    assert board.chip.tcxo[1] == 10_000_000


def test_wrong_lorarf_does_not_wake(run):
    """It waits for BUSY to fall, which is high while the chip sleeps, gives up and sends nothing; and it takes that for
    success. With its `wake` pin, a second wire to NSS, it would wake."""
    code = "SX126x.busyCheck.__defaults__ = (50,); setup(); t.sleep(t.SLEEP_WARM_START); print(t.standby())"
    out, board = run(World(), LORARF + code)
    assert out == ["None"] and board.chip.mode == "SLEEP"


def test_wrong_lorarf_takes_the_receive_status_for_a_level(run):
    """packetRssi and snr read GetPacketStatus as LoRa has it; signalRssi happens to be right."""
    world = World()
    sent_by_peer(world, SLOW, 150_000)
    out, _ = run(world, LORARF + "setup(); t.request(); t.wait(20); print(t.packetRssi(), t.signalRssi())")
    packet_rssi, signal_rssi = [float(word) for word in out[0].split()]
    assert packet_rssi > -5 and signal_rssi == LEVEL_DBM


# --- jetson-SX126X ---

JETSON = """
import sx1262_jetson
t = sx1262_jetson.radio()
def begin(tcxo=0, **more):
    setting = dict(freq=868.3, br=38.383, freqDev=47.6, rxBw=156.2, power=14, preambleLength=64, dataShaping=0.0,
                   syncWord=[0xD3, 0x91], crcInitial=0xFFFF, crcPolynomial=0x8005, crcInverted=False,
                   whiteningOn=False, tcxoVoltage=tcxo)
    return t.beginFSK(**dict(setting, **more))
"""
DETECTOR = "preamble detector longer than the sync word"  # while it builds up its parameters, one command after another


def test_jetson_initialises(run):
    out, board = run(
        World(),
        JETSON
        + "print(begin(), t.getPacketType(), t.getDeviceErrors(), t.getCurrentLimit(), hex(t.getStatus()))",
    )
    assert out == ["0 0 0 60.0 0xa2"]
    assert board.chip.errors == 0
    assert violations(board) == [DETECTOR]
    assert round(board.chip.frequency_hz()) == 868_299_999
    # sheet 6.1: 32 x 32 MHz / 38 383 Baud, 47.6 kHz x 2^25 / 32 MHz, 156.2 kHz
    assert bytes(board.chip.modulation).hex() == "0068360" + "0" + "1a" + "00c2f8"


@pytest.mark.parametrize("polarity", [0x55, 0xAA])
def test_jetson_sends_what_a_cc1101_hears(run, polarity):
    world = World()
    ours = peer(world, FAST)
    transfer(ours, 0x34)
    out, board = run(
        world,
        JETSON + "begin(); print(t.send({!r}), hex(t.getStatus()))".format(PACKET),
        {"preamble_polarity": polarity},
    )
    assert out == ["(20, 0) 0xa2"]
    assert receive(ours) == (PACKET, True)
    assert world.air.log[-1].power_dbm == 14
    assert violations(board) == [DETECTOR]


@pytest.mark.parametrize("damaged", [False, True])
def test_jetson_receives_what_a_cc1101_sent(run, damaged):
    world = World()
    sent_by_peer(world, FAST, 150_000, damaged)
    out, board = run(world, JETSON + "begin(); data, state = t.recv(); print(data.hex(), state, t.getRSSI())")
    data, state, rssi = out[0].split()
    assert (bytes.fromhex(data) == PACKET) != damaged
    assert int(state) == (-7 if damaged else 0)  # their ERR_CRC_MISMATCH
    assert float(rssi) == LEVEL_DBM
    assert violations(board) == [DETECTOR]


def test_jetson_two_of_them(run):
    """What one sends the other receives, with whitening and their own defaults."""
    world = World()
    options = "whiteningOn=True, crcInitial=0x1D0F, crcPolynomial=0x1021, crcInverted=True, dataShaping=0.5"
    run(world, JETSON + "begin({}); t.send({!r})".format(options, PACKET))
    one = world.air.log[-1]
    other = World(seed=2)
    one.start_ns, one.source = 150_000_000, "elsewhere"
    other.air.transmit(one)
    out, _ = run(other, JETSON + "begin({}); print(t.recv())".format(options))
    assert out == [repr((PACKET, 0))]


def test_wrong_jetson_calibrates_before_the_tcxo_runs(run):
    """... and never again, and combines the two bytes of GetDeviceErrors with `and`, so it sees no error. By the sheet
    (4.2, 4.3) such a chip does not send; that it is used nevertheless is an option of the model."""
    code = JETSON + "print(begin(1.8), t.getDeviceErrors(), t.send({!r})[1])\n".format(PACKET)
    world = World()
    out, board = run(world, code, tcxo_mv=1800)
    assert out == ["0 0 -5"]  # their ERR_TX_TIMEOUT
    assert board.chip.errors & 0x60 == 0x60  # XOSC_START, PLL_LOCK
    assert "SetTx without image calibration for the band" in violations(board)
    assert world.air.log == []
    for options, more in (
        ({"uncalibrated_pll": "works"}, ""),
        ({}, "t.SPIwriteCommand([0x89], 1, [0x7F], 1)\n"),
    ):
        world = World()
        ours = peer(world, FAST)
        transfer(ours, 0x34)
        code = JETSON + "begin(1.8)\n" + more + "t.setFrequency(868.3); print(t.send({!r}))".format(PACKET)
        out, board = run(world, code, options, tcxo_mv=1800)
        assert out == ["(20, 0)"]
        assert receive(ours) == (PACKET, True)


def test_wrong_jetson_forgets_the_length_of_fixed_packets(run):
    """startReceiveCommon sends the packet parameters once more with default length and detector: 255 bytes are received
    where 20 were asked for."""
    world = World()
    sent_by_peer(world, FAST, 150_000)
    out, board = run(world, JETSON + "begin(fixedPacketLength=True, packetLength=20); t.startReceive()")
    assert board.chip.packet[2] == 0x05 and board.chip.packet[5:7] == bytes((0, 255))
