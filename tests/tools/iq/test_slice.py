"""The slicer: what goes into a recording comes out of it, with errors of rate and carrier, filtered, in noise."""

import random
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.board.virtual import World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.node import Node
from omsnode.firmware.roles.collector import Collector
from omsnode.tools.iq.render import render
from omsnode.tools.iq.slice import slice_iq

RATE = 1_600_000

# EN 13757-4 sample telegram as chips on the air (link sheet 12.1 to 12.3): header, coded data, trailer.
T = "55555555543D 5A971C9B25B44EC65A2DC34E58D59371C7134EC5A334B70B699B133726B1 55"
S = "555555547696 AA559A9A6656AA5A956A9996A59AA9A6AAA9AA959A9A9A95956AAA65A9A59AA596996A95A9569659 55"
C_A = "55555555 543D54CD 0F44AE0C7856341201074447780B134365871E6D"
C_B = "55555555 543D543D 1444AE0C7856341201078C2027780B134365877AC5"


def sending(
    text, rate_cps=100_000, frequency_hz=868_950_000, deviation_hz=50_000, start_ns=0, modulation="2-FSK"
):
    chips = [value >> bit & 1 for value in bytes.fromhex(text) for bit in range(7, -1, -1)]
    return SimpleNamespace(
        start_ns=start_ns,
        chips=chips,
        chip_rate_cps=float(rate_cps),
        frequency_hz=float(frequency_hz),
        deviation_hz=float(deviation_hz),
        modulation=modulation,
        power_dbm=10.0,
    )


def holds(burst, sent):
    """All chips from the middle of the preamble on are there, and nothing but a little noise behind them."""
    found, wanted = bytes(burst.chips), bytes(sent.chips[20:])
    at = found.find(wanted)
    return 0 <= at <= 20 and len(found) - at - len(wanted) < 24


@pytest.mark.parametrize("ecn0_db", [None, 20])
@pytest.mark.parametrize(
    "sent",
    [
        sending(T),
        sending(T, rate_cps=88_000, deviation_hz=40_000),
        sending(T, rate_cps=112_000, deviation_hz=80_000),
        sending(T, frequency_hz=868_995_000),
        sending(C_A, deviation_hz=45_000),
        sending(C_B, deviation_hz=33_750, frequency_hz=868_928_000),
        sending(S, rate_cps=32_768),
        sending(S, rate_cps=32_768 * 1.02, deviation_hz=40_000),
        sending(C_A, rate_cps=50_000, deviation_hz=25_000, modulation="2-GFSK"),
    ],
    ids=["T", "T-88k", "T-112k", "T+45kHz", "C-A", "C-B", "S", "S+2%", "C-down"],
)
def test_round_trip(sent, ecn0_db):
    recording = render([sent], RATE, 868_950_000, ecn0_db=ecn0_db, amplitude=60)
    (burst,) = slice_iq(recording, RATE, 868_950_000, full_scale_dbm=-20)
    assert holds(burst, sent)
    assert burst.chip_rate_cps == pytest.approx(sent.chip_rate_cps, rel=0.004)
    assert burst.frequency_hz == pytest.approx(sent.frequency_hz, abs=2_500)
    assert burst.deviation_hz == pytest.approx(sent.deviation_hz, rel=0.2)
    assert burst.power_dbm == pytest.approx(-20 - 6.5, abs=1)
    assert 2_000_000 <= burst.start_ns <= 2_000_000 + 20 * 1e9 / sent.chip_rate_cps


def test_several_in_order():
    sent = [sending(T), sending(S, 32_768, start_ns=4_000_000), sending(C_B, start_ns=20_000_000)]
    bursts = slice_iq(render(sent, RATE, 868_950_000, ecn0_db=25), RATE, 868_950_000)
    assert [holds(burst, one) for burst, one in zip(bursts, sent, strict=True)] == [True] * 3
    assert bursts[1].start_ns - bursts[0].start_ns == pytest.approx(4_000_000, abs=300_000)


def test_beside_the_centre():
    """S and T in one recording centred between them, as for rtl-wmbus."""
    sent = [sending(T), sending(S, 32_768, 868_300_000, start_ns=4_000_000)]
    bursts = slice_iq(render(sent, RATE, 868_625_000, ecn0_db=25), RATE, 868_625_000)
    assert [holds(burst, one) for burst, one in zip(bursts, sent, strict=True)] == [True] * 2
    assert [round(burst.frequency_hz / 1e4) for burst in bursts] == [86895, 86830]


def test_lengths_do_not_drift_apart():
    """The longest frame, with long runs: the clock follows the edges."""
    source = random.Random(7)
    text = "55555555543D" + bytes(source.choice((0x0F, 0xF0, 0x01, 0x7E, 0xAA)) for _ in range(435)).hex()
    for rate_cps in (88_000, 100_000, 112_000):
        (burst,) = slice_iq(render([sending(text, rate_cps)], RATE, ecn0_db=22), RATE)
        assert holds(burst, sending(text))


def test_silence_noise_and_carriers_are_no_bursts():
    source = random.Random(3)
    assert slice_iq(b"", RATE) == []
    assert slice_iq(bytes([128]) * 200_000, RATE) == []
    assert slice_iq(source.randbytes(400_000), RATE) == []
    assert slice_iq(render([sending("FF" * 60)], RATE), RATE) == []
    assert slice_iq(render([sending("0F" * 60)], RATE), RATE) == []  # 25 kc/s is no chip rate of ours


def test_too_few_samples():
    with pytest.raises(MisuseError):
        slice_iq(b"", 250_000)


@settings(max_examples=60)
@given(st.binary(max_size=4000), st.integers(0, 40), st.binary(max_size=300))
def test_any_bytes_at_all(noise, silence, cut):
    data = bytes([127]) * 64 * silence + noise * 3 + cut
    for burst in slice_iq(data, 1_000_000):
        assert set(burst.chips) <= {0, 1}


def test_a_recording_played_into_the_virtual_air_is_received():
    """A Techem telegram as it was on the air (link sheet 12, 9a): -9 kHz, 99.75 kc/s, a low tone behind the trailer."""
    frame = bytes.fromhex(
        "294468502300207172F03840A0009F21000000A07D220200010000005B9400000000000000000400030203020000 2B75"
    )
    words = [
        "16",
        "0D",
        "0E",
        "0B",
        "1C",
        "19",
        "1A",
        "13",
        "2C",
        "25",
        "26",
        "23",
        "34",
        "31",
        "32",
        "29",
    ]  # 3-of-6, link sheet 2.2
    coded = "".join("{:06b}".format(int(words[int(digit, 16)], 16)) for digit in frame.hex())
    chips = "01" * 19 + "0000111101" + coded + "01" + "0" * 16
    sent = sending("", 99_750, 868_941_000, 47_000)
    sent.chips = list(map(int, chips))
    world = World()
    board = world.add_board(name="collector")
    readings = []
    node = Node(
        board,
        Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"]),
        Collector(),
        deliver=readings.append,
    )
    for burst in slice_iq(render([sent], RATE, 868_950_000, ecn0_db=22, lead_ms=20), RATE, 868_950_000):
        world.air.transmit(burst)
    world.run([node], 100_000)
    (reading,) = readings
    assert reading.telegram.address.ident == "71200023"
    assert reading.raw == frame[:10] + frame[12:28] + frame[30:46]
