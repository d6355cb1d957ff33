"""`omsnode collect` with several radios: configuration, and the meters of the demo heard by two."""

import json

import pytest
from omsnode.tools.cli import main

TWO = """\
[radio.north]
hat = "{}"
mode = "T+C"
[radio.south]
hat = "{}"
mode = "{}"
"""


@pytest.fixture
def config(tmp_path):
    def write(first="virtual", second="virtual", mode="T1", text=TWO):
        path = tmp_path / "two.toml"
        path.write_text(text.format(first, second, mode))
        return str(path)

    return write


def test_each_reading_names_the_radio_that_heard_it_better(config, capsys):
    assert main(["collect", "--config", config(), "--seconds", "3"]) == 0
    out, err = capsys.readouterr()
    readings = [json.loads(line) for line in out.splitlines()]
    names = {reading["name"] or reading["id"]: reading["radio"] for reading in readings}
    assert set(names.values()) <= {"north", "south"} and readings
    assert len({(one["id"], one["timestamp"]) for one in readings}) == len(readings)
    assert "merged=" in err and "north.frames=" in err and "south.frames=" in err


@pytest.mark.parametrize(
    ("settings", "options", "said"),
    [
        ({}, ["--hat", "virtual"], "for one radio"),
        ({}, ["--mode", "T1"], "for one radio"),
        ({"second": "cc1101-spi0"}, [], "is virtual, another is not"),
        ({"first": "cc1101-spi0", "second": "sx1262-spi0"}, [], "on one SPI device"),
        ({"second": "no-such"}, [], "no HAT no-such"),
        ({"text": "[radio.a]\nhat = 'virtual'\n[radio.b]\n"}, [], "radio b has no hat"),
    ],
)
def test_what_does_not_fit_together(config, capsys, settings, options, said):
    assert main(["collect", "--config", config(**settings), "--seconds", "1", *options]) == 2
    assert said in capsys.readouterr().err
