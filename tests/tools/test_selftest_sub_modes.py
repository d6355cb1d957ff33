"""`omsnode selftest --sub-modes`: achieved values beside the limits, for a HAT's chip and crystal; and the README's table."""

import json
import pathlib

import pytest
from omsnode.drivers import selftest
from omsnode.tools import cli

README = pathlib.Path(__file__).parents[2] / "README.md"


def shown(capsys, *more):
    assert cli.main(["selftest", "--sub-modes", *more]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("hat", "lines"),
    (
        # LPWAN sheet 2 and 22
        (
            "cc1101-spi0",
            (
                "UL-B4    sent   chip rate, mchip/s            124969482  124996250  125003750  OUTSIDE",
                "UL-B4    sent   deviation, Hz                     31738      31200      31300  OUTSIDE",
                "DL-B3    sent   deviation, Hz                      3967       3950       4050  inside",
                "DL-B1    heard  filter, Hz                        58035       4400      17600  OUTSIDE",
            ),
        ),
        (
            "meshadv-pi",
            (
                "DL-B4    sent   chip rate, mchip/s             23999813   23999280   24000720  inside",
                "UL-B4    heard  filter, Hz                       234300     227500     910000  inside",
                "largest PHY payload sent up, bytes, by rate: 7/8 and multi burst 198, 1/2 113, 1/3 75",
            ),
        ),
        (
            "waveshare-lora-hat-spi",  # a crystal
            ("UL-B4    heard  filter, Hz                       312000     227500     910000  inside",),
        ),
    ),
)
def test_text(capsys, hat, lines):
    out = shown(capsys, "--hat", hat).splitlines()
    for line in lines:
        assert line in out
    assert all(line.startswith(("sub-mode", "UL-B", "DL-B", "  ", "largest")) for line in out)


def test_json(capsys):
    found = json.loads(shown(capsys, "--hat", "cc1101-pico", "--json"))
    assert (found["hat"], found["chip"]) == ("cc1101-pico", "cc1101")
    by = {(one["sub_mode"], one["side"]): one for one in found["sub_modes"]}
    assert len(by) == 16
    assert by["DL-B4", "heard"]["beyond_limits"] is None
    assert "86 ppm" not in by["DL-B4", "sent"]["beyond_limits"]
    assert "chip rate" in by["DL-B4", "sent"]["beyond_limits"]
    (rate, *_) = by["DL-B4", "sent"]["rows"]
    assert rate["lowest"] == 23999280 and rate["inside"] is False


def table():
    """Lines of the README: what each chip sends, and what is outside in brackets."""
    lines = []
    found = {
        (chip, name, side): rows
        for chip in ("cc1101", "sx1262")
        for name, side, rows, _ in selftest.sub_modes(chip)
    }
    for name in [name for chip, name, side in found if (chip, side) == ("cc1101", "tx")]:
        cells = [name]
        for chip in ("cc1101", "sx1262"):
            rate, deviation = found[chip, name, "tx"][:2]
            nominal = (rate.lowest + rate.highest) // 2
            ppm = (rate.achieved - nominal) * 1e6 / nominal
            for text, row in (("{:+.0f} ppm".format(ppm or 0.0), rate), (deviation.achieved, deviation)):
                cells.append("{}".format(text) if row.inside else "**{}**".format(text))
            rows = found[chip, name, "rx"]
            text = "{:.1f}".format(rows[0].achieved / 1000)
            cells.append(text if all(row.inside for row in rows) else "**{}**".format(text))
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def test_readme():
    """Print `table()` and paste it, if this fails."""
    text = README.read_text()
    for line in table():
        assert line in text, line
