"""Profiles made: the standards' worked examples byte for byte, every mode, spacing and element against the reader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application import builder, profile, record
from omsnode.firmware.application.profile_builder import DIRECTIONS, MODES
from omsnode.firmware.application.profile_builder import profile as make
from omsnode.firmware.errors import MisuseError

MONTH = (1, "month")


def hexed(*arguments, **more):
    return make(*arguments, **more).hex().upper()


@pytest.mark.parametrize(
    "made, expected",
    [
        # OMS Vol.2 G.7: 1013 l, then 755, 423, 209, 65
        (
            hexed(b"\x13", [755, 423, 209, 65], MONTH, "inverse", "increments", "bcd4", base=1013, storage=8),
            "8D0493130A7AFE5802320314024401",
        ),
        # G.4, forward
        (
            hexed(b"\x13", [209, 423, 755, 1013], MONTH, "forward", "increments", "bcd4", base=65, storage=8),
            "8D04931F0A7AFE4401140232035802",
        ),
        # EN 13757-3 F.2.6: absolute, register numbers
        (
            hexed(b"\x03", [100000, 130000], MONTH, "registers", "absolute", "int32", storage=32, tariff=1),
            "8D908100831E0A34FEA0860100D0FB0100",
        ),
        # F.2.7 and F.2.8: hourly BCD increments of tenths
        (
            hexed(
                b"\x15",
                [123003, 123005, 123016],
                (1, "h"),
                "forward",
                "increments",
                "bcd2",
                123000,
                storage=8,
            ),
            "8D04951F056901030211",
        ),
        (
            hexed(
                b"\x15",
                [123005, 123003, 123000],
                (1, "h"),
                "inverse",
                "increments",
                "bcd2",
                123016,
                storage=8,
            ),
            "8D049513056901110203",
        ),
        # the other modes, spacings and markers: sheet 7.2
        (hexed(b"\x13", [995, 988], MONTH, base=1000), "0D93130672FE05000700"),
        (hexed(b"\x13", [1005, 1012], MONTH, mode="decrements", base=1000), "0D931306B2FE05000700"),
        (hexed(b"\x13", [1005, 998], MONTH, mode="signed", base=1000), "0D931306F2FEFBFF0700"),
        (hexed(b"\x13", [995, 988], MONTH, "forward", "decrements", base=1000), "0D931F06B2FE05000700"),
        (hexed(b"\x13", [995, None], MONTH, base=1000), "0D93130672FE0500FFFF"),
        (hexed(b"\x13", [995, None], MONTH, mode="signed", base=1000), "0D931306F2FE05000080"),
        (hexed(b"\x13", [5, None, -5], MONTH, mode="absolute"), "0D93130832FE05000080FBFF"),
        (hexed(b"\x13", [5, None], MONTH, mode="absolute", element="bcd2"), "0D93130439FE05FF"),
        (
            hexed(b"\x13", [1, None], (8, "s"), mode="absolute", element="real32"),
            "0D93130A05080000803F0000C07F",
        ),
        (hexed(b"\x6c", ["2020-12-31"], (3, "month"), mode="absolute"), "0DEC130422FE9F2C"),
        (hexed(b"\x13", [1], (15, "min"), mode="absolute", element="int8"), "0D931303110F01"),
        (hexed(b"\x13", [1], (250, "d"), mode="absolute", element="int8"), "0D93130331FA01"),
        (hexed(b"\x13", [1], (6, "month"), mode="absolute", element="int8"), "0D93130311FE01"),
        (hexed(b"\x13", [1], (1, "half month"), mode="absolute", element="int8"), "0D93130331FD01"),
        (hexed(b"\x13", [1, 2, 3], (0, 3), mode="absolute", element="int8"), "0D9313052100010203"),
        (
            hexed(b"\xfb\x80\x3c", [7], MONTH, mode="absolute", element="int8", subunit=1),
            "8D40FB80BC130331FE07",
        ),
    ],
)
def test_bytes(made, expected):
    assert made == expected


@pytest.mark.parametrize(
    "arguments, more",
    [
        ((b"\x13", [1], MONTH), dict()),  # no base
        ((b"\x13", [1], MONTH), dict(mode="squared", base=1)),
        ((b"\x13", [1], MONTH), dict(direction="sideways", base=1)),
        ((b"\x13", [1], MONTH), dict(element="variable", base=1)),
        ((b"\x13", [1], MONTH), dict(element="none", base=1)),
        ((b"\x13", [1], (2, "month")), dict(base=1)),
        ((b"\x13", [1], (251, "s")), dict(base=1)),
        ((b"\x13", [1], (0, "s")), dict(base=1)),
        ((b"\x13", [1], (0, 5)), dict(base=1)),
        ((b"\x13", [2], MONTH), dict(base=1)),  # it would have to go down
        ((b"\x13", [None, 2], MONTH), dict(base=1)),
        ((b"\x13", [70000], MONTH), dict(mode="absolute")),
        ((b"\x13", [1] * 200, MONTH), dict(mode="absolute", element="int8")),
        ((b"\x93", [1], MONTH), dict(mode="absolute")),
        ((b"\x7c\x01A", [1], MONTH), dict(mode="absolute")),
        ((b"", [1], MONTH), dict(mode="absolute")),
    ],
)
def test_what_cannot_be_said_is_refused(arguments, more):
    with pytest.raises(MisuseError):
        make(*arguments, **more)


INTERVALS = [(1, "month"), (3, "month"), (6, "month"), (1, "half month"), (0, 1), (0, 2), (0, 3), (0, 4)]
INTERVALS += [(8, "s"), (15, "min"), (1, "h"), (250, "d")]
RANGE = {
    "int8": 127,
    "int16": 32767,
    "int24": 2**23 - 1,
    "int32": 2**31 - 1,
    "int48": 2**47 - 1,
    "int64": 2**63 - 1,
}
RANGE.update({"bcd2": 9, "bcd4": 999, "bcd6": 99999, "bcd8": 9999999, "bcd12": 10**11 - 1})


@given(
    st.sampled_from(sorted(DIRECTIONS)),
    st.sampled_from(MODES),
    st.sampled_from(sorted(RANGE)),
    st.sampled_from(INTERVALS),
    st.lists(st.integers(0, 1000), min_size=1, max_size=20),
    st.integers(0, 10**6),
    st.integers(0, 200),
)
def test_what_was_put_in_comes_out(direction, mode, element, interval, steps, base, storage):
    """Values that the mode can say: rising or falling as it wants them, by steps that fit the element."""
    up = (direction != "inverse") != (mode == "decrements")
    values = []
    now = base
    for index, step in enumerate(steps):
        step %= RANGE[element]
        now += step if up != (mode in ("signed", "absolute") and index % 2 == 1) else -step
        values.append(now if mode != "absolute" else (step if index % 2 else -step))
    head = dict(storage=storage, tariff=1)
    made = make(
        b"\x13", values, interval, direction, mode, element, None if mode == "absolute" else base, **head
    )
    dib, vib = builder.build("volume", "m3", -3, "bcd8", final_dife=direction == "registers", **head)
    records, undecoded = record.decode(builder.record(dib, vib, base) + made)
    assert undecoded is None
    found = profile.expand(records)[2:]
    assert [one.mantissa for one in found] == values
    assert [one.storage for one in found] == [storage + 1 + index for index in range(len(values))]
    assert {one.exponent for one in found} == {-3}
    columns = interval[1] if interval[0] == 0 else 1
    named = [one.qualifiers for one in found]
    assert named == [("column %d" % (i % columns + 1),) if columns > 1 else () for i in range(len(values))]
