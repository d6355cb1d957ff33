"""Configuration files that were cut, mistyped or shuffled: a ConfigError or a Config, nothing else."""

import pathlib
import tempfile

from hypothesis import example, given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import ConfigError
from omsnode.firmware.host import config

COLLECTOR = """\
[node]
role = "collector"
state_dir = "state"
[radio.main]
hat = "virtual"
mode = "T+C"
[[meter]]
name = "kitchen_water"
id = "12345678.M=KAM.V=1b.T=16"
"""
METER = """\
[node]
role = "meter"
[[meter]]
id = "12345678.M=KAM.V=1b.T=16"
mode = "C1"
frame_format = "B"
interval_s = 7.5
status = 4
[[meter.record]]
quantity = "volume"
unit = "m3"
value = 6.408
growth_per_hour = 1.5
field = "bcd8"
storage = 1
[[meter.record]]
quantity = "date and time"
value = "now"
[[meter.record]]
dib = "02"
vib = "FD17"
data = "0000"
"""
WORDS = st.sampled_from(
    [
        "5",
        "-1",
        "1.5",
        '""',
        '"x"',
        "true",
        "[]",
        "{}",
        "[[]]",
        "[{}]",
        '"é"',
        "nan",
        "inf",
        "1e30",
        "99999999999999999999",
        "2024-05-31",
        "=",
        "[",
        "]",
        '"',
        "#",
        "[meter]",
        "[[node]]",
        "[[radio]]",
        "[[meter]]",
        "[radio]",
        "[node.x]",
        "[meter.record]",
        "node.role",
        "record=[1]",
        '"0D"',
        '"FFFFFFFF"',
        '"8F"',
        'key="@."',
        'key="@/"',
        'key="@\\u0000"',
        'id=""',
        'value="**-13-99"',
        "qualifiers=[1]",
        "tariff=-1",
        "storage=99999999999999",
        "status=256",
        'function="error"',
        'field="real32"',
        'field="variable"',
        'field="none"',
        'field="int64"',
        "resolution=1e-9",
        "interval_s=true",
    ]
)


def load(text):
    with tempfile.TemporaryDirectory() as place:
        path = pathlib.Path(place) / "x.toml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            return config.load(path)
        except ConfigError as error:
            assert str(error).startswith(str(path))
            return None


def test_both_are_good():
    assert load(COLLECTOR).meters and load(METER).meters


@settings(max_examples=1500)
@given(st.sampled_from((COLLECTOR, METER)), st.data())
def test_words_put_in_place_of_others(text, data):
    for _ in range(data.draw(st.integers(1, 3))):
        words = text.split(" ")
        at = data.draw(st.integers(0, len(words) - 1))
        new = data.draw(WORDS)
        words[at] = new + ("\n" + words[at].partition("\n")[2] if "\n" in words[at] else "")
        text = " ".join(words)
    load(text)


@settings(max_examples=1000)
@given(st.sampled_from((COLLECTOR, METER)), st.integers(0, 400), st.integers(0, 60), st.text(max_size=6))
@example(METER, 0, 0, "\ud800")
def test_cut_and_mistyped(text, at, length, new):
    load(text[:at] + new + text[at + length :])
