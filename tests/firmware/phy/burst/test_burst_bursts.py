"""Whole radio bursts in both directions, bit for bit: Annex Q's vectors, constructed ones, and a plain copy of the
clauses."""

import json
import random

import pytest
import support_burst_reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import LengthError, MisuseError
from omsnode.firmware.phy.burst import burst, decode, header, interleaver, precoding
from omsnode.firmware.phy.burst.header import Header
from support_burst_air import flip

MAKE = {"up": burst.uplink, "down": burst.downlink}
KINDS = [(direction, *kind) for direction in MAKE for kind in header.LEGAL[direction]]

UP = "401A02A73D785634121503ACB46271"
DOWN = "4C0104A73D785634121503650C99BA"
# Vectors Q.Z.4 to Q.Z.11: direction, payload, TIV, multi, type, chips on the air.
VECTORS = (
    (
        "up", UP, 89, 0, 0,
        "55555555C1FA4C6A07BC9633780D86DD58B19E8583B0E563C8B0E563C8B0E563C8821AC7583C2D48037B90FD9E0682327A114D18529B",
    ),
    (
        "up", UP, 26, 0, 2,
        "55555555C1FA4C6A0A51C80CEBF5074321089AC38DEC180A16B3A10A5C30E7DEDB451EB0E563C8B0E563C8B0E563C8"
        "822BB2F83E0E500357FC47DD5B87D087AE8606F0BA3B0D0964F4E151FBEB68F3C1ADEE",
    ),
    (
        "up", UP, 37, 1, 1,
        "55555555C1FA4C6A07BC9633780D86DD58B19E8583B0E563C8B0E563C8B0E563C8823BB3A83FE66E034C8996A48682327A114D18529B",
        "55555555C1FA4C6A07BC9602C9F1D64C04DF6A5D9530E563C8B0E563C8B0E563C8823BB3A83FE66E034C8996A44A54C6BF8D4575F478",
        "55555555C1FA4C6A07BC96112EA6ABF666229769B530E563C8B0E563C8B0E563C8823BB3A83FE66E034C8996A49097551F3CC62F465E",
    ),
    (
        "down", DOWN, 109, 1, 0,
        "55555555C1FA4C6A03F6C3902910A6024728538602541B861E254158D4379468E1241C17184A12",
        "55555555C1FA4C6A03F6C3902910A602472853862BBA6B3C572D9F0974A664AB47BB4792FAF4BE",
        "55555555C1FA4C6A03F6C3902910A60247285386397F999213CDB35549AB3E03002174DDF4D393",
    ),
)  # fmt: skip

# Sheet 4: chips of a burst of L_P = 5 and 255.
CHIPS = (
    ("up", 0, 0, 336, 2624), ("up", 0, 1, 368, 4368), ("up", 0, 2, 416, 6416), ("up", 1, 2, 336, 2624),
    ("down", 0, 0, 216, 2504), ("down", 0, 1, 248, 4248), ("down", 0, 2, 296, 6296), ("down", 1, 0, 216, 2504),
)  # fmt: skip

# Published vectors: the fields of burst.json that are whole bursts.
ON_AIR = {"up": "radio_burst_after_precoding", "down": "radio_burst"}


def check(direction, payload, tiv, multi, burst_type, chips):
    """Both ways: the chips of all bursts, and each received alone."""
    assert MAKE[direction](payload, tiv, multi, burst_type) == chips
    head = Header(len(payload), tiv, multi, burst_type)
    received = [burst.receive(one[8:], direction) for one in chips]
    assert [one[:2] for one in received] == [(head, 0)] * len(chips)
    assert all(burst.n_chips(head, direction) == 8 * len(one) for one in chips)
    for i, (_, _, data) in enumerate(received):
        index = i + 1 if multi else None
        assert decode.payload(head, [(index, data)], lambda found: found == payload) == payload


@pytest.mark.parametrize(
    "direction, payload, tiv, multi, burst_type, chips", [v[:5] + (v[5:],) for v in VECTORS]
)
def test_vectors(direction, payload, tiv, multi, burst_type, chips):
    check(direction, bytes.fromhex(payload), tiv, multi, burst_type, [bytes.fromhex(one) for one in chips])


def test_vector_file(shared):
    """Every field of the eight vectors that are frames."""
    n_bursts = 0
    for vector in json.loads((shared / "vectors" / "burst.json").read_text())["vectors"]:
        direction = "up" if vector["id"].startswith("uplink") else "down"
        fields = {
            name: int(field["bin"], 2) if "bin" in field else bytes.fromhex(field["hex"])
            for name, field in vector["fields"].items()
        }
        if "phy_payload" not in fields:
            continue
        multi = fields["burst_mode"]
        names = ["_{}l{}".format(direction[0], i) for i in (1, 2, 3)] if multi else [""]
        payload = fields["phy_payload"]
        chips = [fields[ON_AIR[direction] + name] for name in names]
        check(direction, payload, fields["timing_input_value"], multi, fields["burst_type"], chips)
        for name, one in zip(names, chips, strict=True):
            parts = burst.split(one[8:], direction)
            data = burst.data(parts, Header(15, fields["timing_input_value"], multi, fields["burst_type"]))
            assert data == fields["data" + name]
            assert interleaver.deinterleave(data) == fields["coded_payload" + name]
            if direction == "down":
                assert parts.header == fields["coded_header"]
                continue
            bits = precoding.unprecode(one, 0)
            assert bits == fields["radio_burst" + name]
            middle = 11 + len(parts.data_a)
            assert bits[8:11] == fields["cl"] and bits[middle : middle + 12] == fields["midamble"]
            assert (
                bits[11:middle] == fields["data_a" + name] and bits[middle + 24 :] == fields["data_b" + name]
            )
            assert precoding.unprecode(parts.header, 1) == fields["coded_header"]
        n_bursts += len(chips)
    assert n_bursts == 12


@pytest.mark.parametrize("number", (1, 2))
def test_vectors_of_the_precoding(shared, number):
    """They carry fictive contents: header and data do not fit, so they are precoded and split only."""
    fields = next(
        vector["fields"]
        for vector in json.loads((shared / "vectors" / "burst.json").read_text())["vectors"]
        if vector["id"] == "precoding-{}".format(number)
    )
    parts = [
        bytes.fromhex(fields[name]["hex"])
        for name in ("preamble", "sync", "cl", "data_a", "midamble", "coded_header", "data_b")
    ]
    chips = bytes.fromhex(fields["precoded_uplink_radio_burst"]["hex"])
    assert precoding.precode(b"".join(parts)) == chips
    split = burst.split(chips[8:], "up")
    assert [len(part) for part in split] == [len(part) for part in parts[2:]]
    assert precoding.unprecode(split.data_a, parts[2][-1] & 1) == parts[3]
    assert header.uplink(split.header) == (Header(13, 40, 0, 1), 0)
    with pytest.raises(LengthError):
        burst.data(split, Header(15, 40, 0, 0))


def test_constructed_bursts(shared):
    vectors = json.loads((shared / "vectors" / "lpwan.json").read_text())
    frames = {frame["id"]: bytes.fromhex(frame["bytes"]) for frame in vectors["frames"]}
    assert len(vectors["constructed_bursts"]) == 10
    for row in vectors["constructed_bursts"]:
        payload = frames[row["frame"]]
        kind = row["timing_input_value"], row["burst_mode"], row["burst_type"]
        assert header.build(Header(len(payload), *kind)) == bytes.fromhex(row["coded_header"])
        check(row["direction"], payload, *kind, [bytes.fromhex(one) for one in row["on_air"]])


def test_on_air_times(shared):
    """Appendix Q.C, by the chips of section 4 (the annex's own figures differ where trap 8 of the sheet says why)."""
    rows = json.loads((shared / "vectors" / "lpwan.json").read_text())["on_air_times"]
    assert len(rows) == 72
    rates = {"UL-B1..B3": 10, "UL-B4": 125, "DL-B1": 2, "DL-B2": 4, "DL-B3": 8, "DL-B4": 24}  # kcps
    for row in rows:
        multi = int(row["burst"] == "multi")
        head = Header(
            row["payload_bytes"], 0, multi, 0 if multi else ("7/8", "1/2", "1/3").index(row["rate"])
        )
        chips = burst.n_chips(head, "up" if row["sub_mode"].startswith("UL") else "down")
        assert chips == row["chips"]
        if row["agrees"]:
            assert abs(chips / rates[row["sub_mode"]] - row["table_ms"]) <= 0.01 * row["table_ms"]


@pytest.mark.parametrize("direction, multi, burst_type, shortest, longest", CHIPS)
def test_chips_of_a_burst(direction, multi, burst_type, shortest, longest):
    for length, expected in ((5, shortest), (255, longest)):
        assert burst.n_chips(Header(length, 0, multi, burst_type), direction) == expected
        for one in MAKE[direction](bytes(length), 0, multi, burst_type):
            assert 8 * len(one) == expected


@settings(max_examples=60)
@given(
    kind=st.sampled_from(KINDS),
    length=st.integers(5, 255),
    tiv=st.integers(0, 127),
    seed=st.integers(0, 1 << 30),
)
def test_against_the_clauses(kind, length, tiv, seed):
    payload = random.Random(seed).randbytes(length)
    direction, multi, burst_type = kind
    chips = ref.bursts(direction, payload, tiv, multi, burst_type)
    check(direction, payload, tiv, multi, burst_type, chips)


@pytest.mark.parametrize("direction, multi, burst_type", KINDS)
def test_every_length(direction, multi, burst_type):
    rng = random.Random(repr((direction, multi, burst_type)))
    for length in range(5, 256):
        payload = rng.randbytes(length)
        head = Header(length, length & 127, multi, burst_type)
        for i, chips in enumerate(MAKE[direction](payload, *head[1:])):
            assert burst.n_chips(head, direction) == 8 * len(chips)
            found, distance, data = burst.receive(chips[8:], direction, (head.tiv,))
            assert (found, distance) == (head, 0)
            if i == 0:
                assert decode.payload(head, [(None, data)], lambda got: got == payload) == payload  # noqa: B023


def test_nothing_but_the_header_is_needed_in_front_of_the_data():
    """CL, midamble and 9 chips of the header wrong: the data are un-precoded from what the header says."""
    payload = bytes(range(20))
    chips = burst.uplink(payload, 3, 0, 2)[0][8:]
    parts = burst.split(chips, "up")
    assert len(parts.data_a) == 31
    broken = bytes(3) + parts.data_a + bytes(12) + flip(parts.header, range(5, 14)) + parts.data_b
    head, distance, data = burst.receive(broken, "up")
    assert (head, distance) == (Header(20, 3, 0, 2), 9)
    assert decode.payload(head, [(None, data)], lambda found: found == payload) == payload


def test_what_cannot_be_sent():
    for direction, make in MAKE.items():
        for arguments in (
            (bytes(4), 0, 0, 0),
            (bytes(256), 0, 0, 0),
            (bytes(9), 128, 0, 0),
            (bytes(9), 0, 0, 3),
        ):
            with pytest.raises(MisuseError):
                make(*arguments)
        with pytest.raises(MisuseError):
            make(bytes(9), 0, 1, 3 if direction == "up" else 1)


@pytest.mark.parametrize("direction", MAKE)
def test_truncated_bursts(direction):
    """Cut anywhere: refused, as too short, as no header or as another length than the header says."""
    whole = MAKE[direction](bytes(range(40)), 9, 0, 1)[0][8:]
    refused = {"length": 0, None: 0}
    for n in list(range(len(whole))) + [len(whole) + 2, 800]:
        try:
            assert burst.receive((whole + bytes(800))[:n], direction) is None
            refused[None] += 1
        except LengthError as error:
            refused[error.code] += 1
    assert refused["length"] > 12 and sum(refused.values()) == len(whole) + 2


@settings(max_examples=60)
@given(frame=st.binary(max_size=120), direction=st.sampled_from(["up", "down"]))
def test_anything_may_come_from_the_air(frame, direction):
    try:
        found = burst.receive(frame, direction)
    except LengthError:
        return
    assert found is None or found[1] <= 18
