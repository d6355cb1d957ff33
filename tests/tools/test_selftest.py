"""`omsnode selftest`: every miswiring is named, a good board is never blamed, whatever the sheets leave open."""

import json

import pytest
from omsnode.board import hats
from omsnode.board.virtual import OPTIONS, World, miswiring
from omsnode.board.virtual.sx1262 import OPTIONS as SX1262_OPTIONS
from omsnode.drivers import selftest as findings
from omsnode.tools import cli
from omsnode.tools.cli import selftest

HATS = hats.names(hats.LINUX, hats.MICROPYTHON, hats.VIRTUAL)
CHIPS = {"cc1101": ("cc1101-spi0",), "sx1262": ("waveshare-lorawan-hat", "meshadv-pi", "meshadv-mini")}
CASES = [
    (hat, name) for name, row in miswiring.MISWIRINGS.items() for chip in row.chips for hat in CHIPS[chip]
]
# What the self-test tells of a chip that is odd in itself.
ODD = {
    "version": {"version"},
    "partnum": {"version"},
    "pll_lock_failures": {"calibration"},
    "odd_calibrations": {"calibration"},
}


def examined(name, fault=None, **settings):
    hat = hats.find(name)
    board = World().add_board(name.partition(",")[0], **settings)
    if fault:
        miswiring.apply(board, fault)
    return board, list(selftest.examine(board, hat))


def failures(found):
    return [one for one in found if one.verdict == findings.FAILED]


def test_there_are_enough():
    assert len({name for _, name in CASES}) >= 12


@pytest.mark.parametrize("name", HATS)
def test_no_false_alarm(name):
    board, found = examined(name)
    assert [one for one in found if one.verdict in (findings.FAILED, findings.WARNING)] == []
    assert list(board.chip.violations) == []
    steps = {one.step for one in found if one.verdict == findings.OK}
    assert {"spi", "version", "registers", "interrupt", "calibration", "receiver"} <= steps


@pytest.mark.parametrize(("name", "fault"), CASES)
def test_the_right_wire_is_named(name, fault):
    _, found = examined(name, fault)
    if fault == "slow-tcxo" and not hats.find(name).tcxo_mv:
        assert failures(found) == []
        return
    first = failures(found)[0]
    assert first.wires[0] in miswiring.MISWIRINGS[fault].names
    assert first.found and first.hint


@pytest.mark.parametrize(
    ("name", "option", "value"),
    # Without version 0, a chip that the driver refuses.
    [
        ("cc1101-spi0", row.name, value)
        for row in OPTIONS
        for value in row.choices
        if (row.name, value) != ("version", 0)
    ]
    + [("meshadv-pi", row.name, value) for row in SX1262_OPTIONS for value in row.choices],
)
def test_what_the_sheets_leave_open_is_no_fault(name, option, value):
    _, found = examined(name, options={option: value})
    assert failures(found) == []
    warned = {one.step for one in found if one.verdict == findings.WARNING}
    assert warned <= ODD.get(option, set())


@pytest.mark.parametrize("fault", sorted(miswiring.MISWIRINGS))
@pytest.mark.parametrize(
    "option",
    ["no_clock", "busy_miso", "status_idle", "refused_after_reset", "not_ready_miso", "empty_rx_read"],
)
def test_wires_are_named_whatever_the_sheets_leave_open(option, fault):
    for chip, rows in (("cc1101", OPTIONS), ("sx1262", SX1262_OPTIONS)):
        if chip not in miswiring.MISWIRINGS[fault].chips:
            continue
        for value in [value for row in rows if row.name == option for value in row.choices]:
            _, found = examined(CHIPS[chip][-1], fault, options={option: value})
            assert failures(found)[0].wires[0] in miswiring.MISWIRINGS[fault].names, value


def test_settings_of_a_hat_can_be_wrong():
    _, found = examined("waveshare-core1262-hat,tcxo_mv=0")
    assert failures(found)[0].wires == ("tcxo_mv",) and "tcxo_mv=1800" in failures(found)[0].hint
    _, found = examined("waveshare-core1262-hat,tcxo_mv=1600")
    assert failures(found)[0].wires == ("tcxo_mv",) and "tcxo_mv=1800" in failures(found)[0].hint


def test_command(capsys):
    assert cli.main(["selftest", "--hat", "virtual"]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
    assert (
        cli.main(["selftest", "--hat", "waveshare-lorawan-hat", "--virtual", "--fault", "busy-swapped"]) == 1
    )
    out = capsys.readouterr().out
    assert "BUSY (GPIO20, pin 38) or DIO1 (GPIO16, pin 36)" in out


def test_command_for_machines(capsys):
    assert cli.main(["selftest", "--hat", "cc1101-spi0", "--virtual", "--fault", "miso-open", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False and found["chip"] == "cc1101"
    assert found["steps"][0]["wires"] == ["miso"]
    assert found["steps"][0]["where"] == ["MISO (GPIO9, pin 21)"]


def test_dump(capsys):
    assert cli.main(["selftest", "--hat", "virtual", "--dump"]) == 0
    out = capsys.readouterr().out
    assert "MDMCFG4 0x10 = 5B  CHANBW_E=1 CHANBW_M=1 DRATE_E=11" in out  # sheet 10.2, T up
    assert cli.main(["selftest", "--hat", "meshadv-pi", "--virtual", "--dump"]) == 0
    assert "SYNC_WORD 0x06C0 = " in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong",
    [
        ["--hat", "cc1101-spi0", "--fault", "miso-open"],
        ["--hat", "virtual", "--fault", "no-such"],
        ["--hat", "virtual", "--fault", "busy-open"],
        ["--hat", "virtual", "--listen", "nan"],
        ["--hat", "cc1101-pico"],
    ],
)
def test_misuse(wrong, capsys):
    assert cli.main(["selftest", *wrong]) == 2
    assert capsys.readouterr().err


def test_listen(capsys):
    assert cli.main(["selftest", "--hat", "virtual", "--listen", "1"]) == 0
    assert "nothing heard" in capsys.readouterr().out
