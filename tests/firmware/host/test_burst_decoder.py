"""The decoder of uplink bursts: against every possible word on a small code, against the figures of LPWAN sheet 23, and the
worker process that dies, hangs or is not there.

The bursts are made by the encoder (phy/burst), the checks by the MAC layer; neither shares anything with the decoder but the
list of fields in a coded payload.
"""

import itertools
import json
import math
import os
import select
import sys

import pytest

np = pytest.importorskip("numpy")

from omsnode.firmware.errors import LengthError, MisuseError  # noqa: E402
from omsnode.firmware.host import burst_decoder, burst_joint  # noqa: E402
from omsnode.firmware.host.burst_decoder import Budget, Capture, Decoder, Stage  # noqa: E402
from omsnode.firmware.link.lpwan import mac  # noqa: E402
from omsnode.firmware.phy.burst import burst, fec  # noqa: E402
from omsnode.firmware.phy.burst.header import Header  # noqa: E402

SOAK = bool(os.environ.get("OMSNODE_SOAK"))
TIV = 89


def frame(random, length):
    body = random.bytes(length - 4)
    return body + mac.crc(body)


def sent(random, payload, multi, burst_type, which, rate):
    """(header, bursts 1.. of `which` with wrong chips behind the sync)"""
    bursts = []
    chips = burst.uplink(payload, TIV, multi, burst_type)
    for index in which:
        clean = np.frombuffer(chips[index - 1][8:], np.uint8)
        wrong = np.packbits(random.random(8 * len(clean)) < rate)
        bursts.append((index, (clean ^ wrong).tobytes()))
    return Header(len(payload), TIV, multi, burst_type), bursts


def losses(rate, length, multi, burst_type, which, frames):
    random = np.random.default_rng(20261)
    lost = 0
    for _ in range(frames):
        payload = frame(random, length)
        capture = sent(random, payload, multi, burst_type, which, rate)
        found, _ = burst_decoder.decode(*capture, now=lambda: 0)
        assert found in (payload, None)
        lost += found is None
    return lost


def figure(lost, frames, length, multi, burst_type, which, rate, percent):
    kind = "bursts {} of 3".format(which) if multi else ("7/8", "1/2", "1/3")[burst_type]
    what = "uplink of {} bytes, {}, {:g} % wrong chips".format(length, kind, 100 * rate)
    return what, "{} of {} lost (sheet: {:g} %)".format(lost, frames, percent)


def test_outer_code_against_all_its_words():
    random = np.random.default_rng(1)
    values = random.normal(0, 2, (4, 14, 3))
    values[3, 3:] = 0
    sums = np.zeros((4, 14, 2, 3))
    for word in range(256):
        bodies, tails = fec.encode(bytes([word]))
        bits = np.array([[int(c) for c in "{:08b}{:06b}".format(bodies[j], tails[j])] for j in range(4)])
        likely = np.exp((values * (0.5 - bits[:, :, None])).sum((0, 1)))
        for bit in (0, 1):
            sums[:, :, bit] += (bits == bit)[:, :, None] * likely
    exact = np.log(sums[:, :, 0] / sums[:, :, 1])
    assert np.allclose(burst_joint.outer(values), exact, atol=1e-3)


@pytest.mark.parametrize("end", [0.0, 3.0, -3.0])
def test_precoder_against_all_its_words(end):
    e, length = 0.1, 6
    values = np.random.default_rng(2).normal(0, 1, (length, 1, 1))
    sums = np.zeros((length, 2))
    for inverted in itertools.product((0, 1), repeat=length):
        flips = sum(a != b for a, b in zip((0, *inverted), inverted, strict=False))
        for n in range(length):
            known = sum(values[i, 0, 0] * (0.5 - inverted[i]) for i in range(length) if i != n)
            likely = known + end * (0.5 - inverted[-1]) + flips * math.log(e / (1 - e))
            sums[n, inverted[n]] += math.exp(likely)
    found = burst_joint.inner(values, np.array([e / (1 - e)]), np.full((1, 1), end))
    assert np.allclose(found[:, 0, 0], np.log(sums[:, 0] / sums[:, 1]))


# multi, type; the published bursts of annex Q.Z.4 with payloads of 15 bytes
def test_published_bursts(shared):
    vectors = json.loads((shared / "vectors" / "burst.json").read_text())["vectors"]
    kinds = {"uplink-single-7-8": 0, "uplink-single-1-2": 1, "uplink-single-1-3": 2}
    seen = 0
    for vector in vectors:
        fields = vector["fields"]
        if vector["id"] in kinds:
            chips = bytes.fromhex(fields["radio_burst_after_precoding"]["hex"])[8:]
            tiv = int(fields["timing_input_value"]["bin"], 2)
            header = Header(15, tiv, 0, kinds[vector["id"]])
            found, effort = burst_decoder.decode(header, [(None, chips)])
            assert found == bytes.fromhex(fields["phy_payload"]["hex"])
            assert effort.stage == 0 and effort.round == 0
            seen += 1
    assert seen == 3


# LPWAN sheet 23, last column (15 bytes, hard chips): multi, type, bursts received, chip error rate, loss in percent.
FIGURES = [
    (0, 0, (1,), 0.001, 1),
    (0, 0, (1,), 0.003, 5),
    (0, 1, (1,), 0.003, 2.5),
    (0, 1, (1,), 0.01, 13),
    (0, 2, (1,), 0.01, 0.3),
    (0, 2, (1,), 0.03, 5),
    (0, 2, (1,), 0.05, 23),
    (1, 0, (1, 3), 0.03, 5),
    (1, 1, (2, 3), 0.05, 24),
    (1, 2, (1, 2, 3), 0.05, 7),
    (1, 2, (1, 2, 3), 0.07, 18),
]


@pytest.mark.parametrize(("multi", "burst_type", "which", "rate", "percent"), FIGURES)
def test_losses(multi, burst_type, which, rate, percent, record_property):
    frames = 1000 if SOAK else 24
    lost = losses(rate, 15, multi, burst_type, which, frames)
    record_property(*figure(lost, frames, 15, multi, burst_type, which, rate, percent))
    assert lost <= percent / 100 * frames


# The same sheet, 71 bytes.
LONG = [(0, 0, (1,), 0.001, 2), (0, 1, (1,), 0.003, 15), (0, 2, (1,), 0.003, 9), (1, 0, (1, 2, 3), 0.02, 14)]


@pytest.mark.parametrize(("multi", "burst_type", "which", "rate", "percent"), LONG)
def test_losses_of_long_frames(multi, burst_type, which, rate, percent, record_property):
    frames = 200 if SOAK else 5
    lost = losses(rate, 71, multi, burst_type, which, frames)
    record_property(*figure(lost, frames, 71, multi, burst_type, which, rate, percent))
    assert lost <= (percent / 100 * frames if SOAK else 1)


@pytest.mark.parametrize("which", [(1,), (2,), (3,), (1, 2), (1, 3), (2, 3), (1, 2, 3)])
@pytest.mark.parametrize("known", [True, False])
def test_every_subset_with_and_without_its_indices(which, known):
    random = np.random.default_rng(5)
    for length in (5, 20):
        payload = frame(random, length)
        header, bursts = sent(random, payload, 1, 1, which, 0.002)
        if not known:
            bursts = [(None, chips) for _, chips in bursts]
        assert burst_decoder.decode(header, bursts)[0] == payload


def test_orders():
    assert burst_decoder.orders([(None, b"")], 3) == [(0,), (1,), (2,)]
    assert burst_decoder.orders([(None, b""), (3, b"")], 3) == [(0, 2), (1, 2)]
    assert burst_decoder.orders([(3, b""), (None, b"")], 3) == []
    assert burst_decoder.orders([(2, b""), (2, b"")], 3) == []


def test_what_is_no_capture_is_refused():
    random = np.random.default_rng(6)
    header, bursts = sent(random, frame(random, 15), 0, 1, (1,), 0)
    with pytest.raises(LengthError):
        burst_decoder.decode(header._replace(length=16), bursts)
    with pytest.raises(LengthError):
        burst_decoder.decode(header, [(1, b"")])
    for wrong in ([], [(2, bursts[0][1])], bursts * 2):
        with pytest.raises(MisuseError):
            burst_decoder.decode(header, wrong)


def test_noise_is_no_frame_and_ends_with_the_budget():
    random = np.random.default_rng(7)
    header = Header(15, TIV, 0, 1)
    bursts = [(None, random.bytes(27 + burst.data_bytes(header)))]
    checked = []

    def check(payload):
        checked.append(payload)
        return False

    budget = Budget((Stage((0.02, 0.1), (), 3, 0), Stage((0.05,), (), 2, 2)), 1000)
    assert burst_decoder.decode(header, bursts, budget, check, now=lambda: 0)[0] is None
    assert 0 < len(checked) <= 2 * 3 + 4 * 2
    assert all(len(payload) == 15 and any(payload) for payload in checked)
    # Time that has passed is looked at after each round.
    checked.clear()
    clock = iter(range(10))
    _, effort = burst_decoder.decode(header, bursts, budget, check, now=lambda: next(clock))
    assert effort.round == 0 and len(checked) <= 2


# ---- the process


def wait(decoder):
    """Until the worker says something or is gone."""
    assert select.select([decoder._worker.stdout], [], [], 60)[0]


def told(decoder, now_us=0):
    """What comes next."""
    found = decoder.look(now_us)
    while not found:
        wait(decoder)
        found = decoder.look(now_us)
    return found


def capture(number, deadline_us, payload=None):
    random = np.random.default_rng(number)
    header, bursts = sent(random, payload or frame(random, 15), 0, 2, (1,), 0.01)
    return Capture(number, header, [(None, chips) for _, chips in bursts], deadline_us)


@pytest.fixture
def made():
    """A Decoder with a program of its own as worker; None for the real one."""
    decoders = []

    def make(program=None, **options):
        command = program and [sys.executable, "-S", "-c", program]
        decoders.append(Decoder(command=command, **options))
        return decoders[-1]

    yield make
    for decoder in decoders:
        decoder.close()


def test_captures_go_out_and_payloads_come_back(made):
    decoder = made()
    payloads = {}
    for number in range(3):
        payloads[number] = frame(np.random.default_rng(100 + number), 15)
        decoder.put(capture(number, 10**9, payloads[number]))
    noise = capture(3, 2 * 10**9)._replace(bursts=[(None, bytes(range(74)))])
    decoder.put(noise)
    decoder.put(noise._replace(number=4, deadline_us=3 * 10**9, bursts=[(None, b"short")]))
    found = []
    while decoder.busy:
        found += told(decoder)
    assert {one.number: one.payload for one in found} == {**payloads, 3: None, 4: None}
    assert decoder.counters["captures"] == 5
    assert decoder.counters["decoded"] == 3 and decoder.counters["undecoded"] == 2
    assert decoder.counters["started"] == 1


def test_too_many_captures_cost_those_with_the_nearest_deadline(made):
    decoder = made("import sys; sys.stdin.read()", waiting=2)
    for number, deadline_us in enumerate((4000000, 1000000, 3000000, 2000000)):
        decoder.put(capture(number, deadline_us))
    assert [one.number for one in decoder.look(0)] == [1, 3]
    assert decoder.counters["dropped"] == 2


def test_what_is_too_late_is_not_decoded(made):
    decoder = made("import sys; sys.stdin.read()")
    decoder.put(capture(1, 1000))
    assert [(one.number, one.payload) for one in decoder.look(1000)] == [(1, None)]
    assert decoder.counters["late"] == 1
    assert not decoder.busy


ANSWER = "import json, sys\nfor line in sys.stdin: print(json.dumps({}), flush=True)"


def test_an_answer_that_comes_too_late_is_none(made):
    decoder = made(
        ANSWER.format('{"number": json.loads(line)["number"], "payload": "00", "effort": [0, 0, 1]}')
    )
    decoder.put(capture(1, 1000))
    assert decoder.look(0) == []
    assert [(one.number, one.payload) for one in told(decoder, 1000)] == [(1, None)]
    assert decoder.counters["late"] == 1 and decoder.counters["decoded"] == 0


def test_a_worker_that_hangs_is_ended_and_another_one_started(made):
    decoder = made("import sys; sys.stdin.read()")
    decoder.put(capture(1, 10**8))
    decoder.put(capture(2, 2 * 10**8))
    limit_us = 1000 * burst_decoder.BUDGET.limit_ms + burst_decoder.GRACE_US
    assert decoder.look(0) == [] and decoder.look(limit_us - 1) == []
    first = decoder._worker
    assert [one.number for one in decoder.look(limit_us)] == [1]
    assert decoder.counters["stalled"] == decoder.counters["lost"] == 1
    assert decoder.look(burst_decoder.RESTART_US) == []
    assert decoder._worker and decoder._worker is not first
    assert decoder.counters["started"] == 2
    decoder.close()
    assert first.poll() is not None


@pytest.mark.parametrize(
    "program",
    [
        "pass",
        "import sys; sys.stdin.readline()",
        ANSWER.format("[]"),
        ANSWER.format('{"number": 99, "payload": None, "effort": [0, 0, 0]}'),
        ANSWER.format('{"number": 1, "payload": "no digits", "effort": [0, 0, 0]}'),
        ANSWER.format('{"number": 1, "payload": None, "effort": []}'),
        "print('what?', flush=True)\nimport sys; sys.stdin.read()",
        "print('x' * 5000, end='', flush=True)\nimport sys; sys.stdin.read()",
    ],
)
def test_a_worker_that_dies_or_talks_nonsense_costs_one_capture(made, program):
    decoder = made(program)
    decoder.put(capture(1, 10**8))
    assert [(one.number, one.payload) for one in told(decoder)] == [(1, None)]
    assert decoder.counters["died"] == decoder.counters["lost"] == 1
    # Not again and again: a program that cannot start would cost all the time there is.
    decoder.put(capture(2, 10**8))
    assert decoder.look(burst_decoder.RESTART_US - 1) == [] and decoder.counters["started"] == 1
    decoder.look(burst_decoder.RESTART_US)
    assert decoder.counters["started"] == 2


def test_a_program_that_cannot_be_started(made):
    decoder = made()
    decoder._command = ["/nonexistent/python"]
    decoder.put(capture(1, 10**8))
    assert decoder.look(0) == []
    assert decoder.counters["died"] == decoder.counters["started"] == 1
    assert [one.number for one in decoder.look(10**8)] == [1]


def test_without_numpy_nothing_waits(made):
    decoder = made('print(\'{"missing": "numpy"}\', flush=True)\nimport sys; sys.stdin.read()')
    decoder.put(capture(1, 10**8))
    decoder.put(capture(2, 10**8))
    assert sorted(one.number for one in told(decoder)) == [1, 2]
    decoder.put(capture(3, 10**8))
    assert [one.number for one in decoder.look(10**7)] == [3]
    assert decoder.counters["missing"] == 1 and decoder.counters["started"] == 1
    assert not decoder.busy


def test_the_worker_says_that_numpy_is_missing(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "omsnode.firmware.host.burst_joint", None)
    monkeypatch.delattr("omsnode.firmware.host.burst_joint")
    monkeypatch.setattr(os, "nice", lambda by: None)
    burst_decoder.main()
    assert json.loads(capsys.readouterr().out) == {"missing": "numpy"}
