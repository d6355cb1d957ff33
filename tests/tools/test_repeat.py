"""`omsnode repeat`: on the virtual board, its configuration, and what it refuses."""

import subprocess
import sys

import pytest
from omsnode.tools.cli import main

OMSNODE = [sys.executable, "-m", "omsnode.tools.cli"]
CONFIG = """\
[node]
role = "repeater"
state_dir = "state"
[radio.main]
hat = "virtual"
mode = "T+C"
[repeater]
id = "87654321.M=OMS.V=02.T=32"
"""


def omsnode(here, *arguments):
    return subprocess.run([*OMSNODE, *arguments], cwd=here, capture_output=True, text=True, timeout=240)


def test_it_repeats_the_meters_of_the_demo(tmp_path):
    (tmp_path / "repeater.toml").write_text(CONFIG)
    done = omsnode(tmp_path, "repeat", "--config", "repeater.toml", "--count", "8", "-v")
    assert done.returncode == 0, done.stderr
    assert "87654321.M=OMS.V=02.T=32 repeats T+C on virtual" in done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) >= 8 and {line[1] for line in lines} == {"T1", "C1"}
    for _, _, digits in lines:
        telegram = bytes.fromhex(digits)
        if telegram[4:8] == bytes.fromhex("21436587"):
            continue  # of the repeater itself, whose turn comes by chance
        hop = telegram[11] & 0x10 if telegram[10] == 0x8C else telegram[13] & 0x01
        assert telegram[1] == 0x44 and hop, digits
    # The collector knows them for what they are.
    (tmp_path / "sent.txt").write_text("\n".join(line[2] for line in lines))
    assert '"hops": 1' in omsnode(tmp_path, "decode", "sent.txt").stdout
    assert not (tmp_path / "state").exists()  # what is simulated uses up no access numbers


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["repeat"], "no radio module is named"),
        (["repeat", "--hat", "cc1101-spi0"], "needs an address of its own"),
        (["repeat", "--hat", "virtual", "--id", "12345678"], "device type 32"),
        (["repeat", "--hat", "virtual", "--id", "12345678.M=OMS.V=01.T=07"], "device type 32"),
        (["repeat", "--hat", "virtual", "--id", "nobody"], "omsnode: "),
    ],
)
def test_misuse(arguments, said, capsys):
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "before, after, said",
    [
        ('"87654321.M=OMS.V=02.T=32"', '"87654321"', ":8: "),
        ('"87654321.M=OMS.V=02.T=32"', '"87654321.M=OMS.V=02.T=07"', "device type 32"),
        ("[repeater]", '[[meter]]\nid = "12345678"\n[repeater]', "a repeater knows no meter"),
        ("[repeater]", '[radio.two]\nhat = "virtual"\n[repeater]', "a repeater has one radio"),
        ('id = "87654321.M=OMS.V=02.T=32"', "", "id"),
        ('"repeater"\n', '"collector"\n', "this command is a repeater"),
    ],
)
def test_configuration_that_is_wrong(before, after, said, tmp_path, capsys):
    path = tmp_path / "repeater.toml"
    path.write_text(CONFIG.replace(before, after, 1))
    assert path.read_text() != CONFIG
    assert main(["repeat", "--config", str(path)]) == 2
    err = capsys.readouterr().err
    assert said in err and "repeater.toml" in err


def test_another_role_has_no_repeater_table(tmp_path, capsys):
    path = tmp_path / "collector.toml"
    path.write_text(CONFIG.replace('"repeater"', '"collector"'))
    assert main(["config", str(path)]) == 2
    assert "a collector is no repeater" in capsys.readouterr().err


def test_config_prints_it(tmp_path, capsys):
    path = tmp_path / "repeater.toml"
    path.write_text(CONFIG)
    assert main(["config", str(path)]) == 0
    assert 'id = "87654321.M=OMS.V=02.T=32"' in capsys.readouterr().out
