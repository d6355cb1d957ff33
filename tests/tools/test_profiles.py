"""`--profiles`: load profiles put together over several telegrams, behind the end of input."""

import json

import pytest
from omsnode.firmware.application.telegram import decode
from omsnode.firmware.host.lines import rtlwmbus
from omsnode.firmware.link import telegram as link
from omsnode.firmware.link.address import Address
from omsnode.firmware.security import mode5
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import compose
from omsnode.tools.cli import main, profiles

KEY = "000102030405060708090A0B0C0D0E0F"
METER = "12345678.M=KAM.V=1b.T=07"
# OMS Vol.2 Annex G.4 and G.6: one profile of five months from either end; here cut into two telegrams that overlap.
FORWARD = "8C041365000000" + "82046C1F11" + "8D04931F06" + "7AFE44011402"
INVERSE = "8C041313100000" + "82046C1F15" + "8D0493130A" + "7AFE5802320314024401"  # all five
MONTHS = [
    ("2008-01-31", 0.065),
    ("2008-02-29", 0.209),
    ("2008-03-31", 0.423),
    ("2008-04-30", 0.755),
    ("2008-05-31", 1.013),
]


def telegram(records, meter=METER, key=None, number=1):
    body, address = bytes.fromhex(records), Address.parse(meter)
    if key is None:
        return link.build(0x44, address, compose.build(0x7A, number) + body)
    data = mode5.seal(key, address, number, body)
    return link.build(
        0x44,
        address,
        compose.build(0x7A, number, 0, compose.configuration(5, mode5.blocks(data))) + data,
    )


def decoded(tmp_path, capsys, telegrams, *options):
    path = tmp_path / "lines.txt"
    lines = [one if isinstance(one, str) else one.hex() for one in telegrams]
    path.write_text("\n".join(lines) + "\n")
    code = main(["decode", "--profiles", *options, str(path)])
    out, err = capsys.readouterr()
    return code, out.splitlines(), err


def told(out):
    return [json.loads(one) for one in out if one.startswith('{"profile"')]


def test_one_profile_of_two_telegrams(tmp_path, capsys):
    code, out, err = decoded(tmp_path, capsys, [telegram(INVERSE), telegram(FORWARD)])
    assert (code, err, len(out)) == (0, "", 3)
    (profile,) = told(out)
    assert [(one["time"], one["value"]) for one in profile.pop("points")] == MONTHS
    assert profile == {
        "profile": "volume",
        "meter": METER,
        "name": None,
        "unit": "m3",
        "function": "instantaneous",
        "tariff": 0,
        "subunit": 0,
        "final_dife": False,
        "duplicates": 3,
        "dropped": 0,
        "contradictions": [],
    }
    assert out[-1].startswith('{"profile"')  # behind the end of input


def test_contradiction(tmp_path, capsys):
    other = INVERSE.replace("13100000", "14100000")
    _, out, _ = decoded(tmp_path, capsys, [telegram(INVERSE), telegram(other)])
    (profile,) = told(out)
    assert profile["contradictions"][0] == {"time": "2008-05-31", "kept": 1.013, "refused": 1.014}
    assert profile["points"][-1]["value"] == 1.013


def test_each_meter_and_data_point_has_its_own(tmp_path, capsys):
    other = METER.replace("12345678", "00000001")
    backward = FORWARD.replace("8C0413", "8C04933C").replace("931F", "93BC1F")
    _, out, _ = decoded(tmp_path, capsys, [telegram(FORWARD), telegram(FORWARD, other), telegram(backward)])
    assert [(one["meter"], one["profile"]) for one in told(out)] == [
        (other, "volume"),
        (METER, "volume"),
        (METER, "volume, backward"),
    ]


def test_base_time_now(tmp_path, capsys):
    """Annex R: no date, but the time of reception and DP1! (5 s)."""
    text = rtlwmbus(telegram("0403E8030000" + "0D831304" + "61010101" + "017405"), "T1", "x", -60)
    text = text.replace("x", "2026-01-31 12:00:05.250", 1)
    _, out, err = decoded(tmp_path, capsys, [text])
    assert err == ""
    (profile,) = told(out)
    # nothing is stored under 0, so the current value is no point
    assert [(one["time"][11:], one["value"]) for one in profile["points"]] == [
        ("10:00:00", 998),
        ("11:00:00", 999),
    ]
    code, out, err = decoded(
        tmp_path, capsys, [telegram("0403E8030000" + "0D831304" + "61010101" + "017405")]
    )
    assert (code, told(out)) == (0, [])
    assert "2 values of profiles have no time" in err


def test_table(tmp_path, capsys):
    _, out, _ = decoded(tmp_path, capsys, [telegram(FORWARD)], "--format", "table")
    at = out.index("profile of " + METER + "  volume, m3")
    assert out[at + 1 : at + 4] == ["  2008-01-31  0.065", "  2008-02-29  0.209", "  2008-03-31  0.423"]


def test_units(tmp_path, capsys):
    _, out, _ = decoded(tmp_path, capsys, [telegram(FORWARD)], "--units", "l")
    (profile,) = told(out)
    assert profile["unit"] == "l"
    assert [one["value"] for one in profile["points"]] == [65, 209, 423]


def test_forged_values_of_a_meter_that_encrypts(tmp_path, capsys):
    key = Key.from_hex(KEY)
    forged = telegram(FORWARD.replace("65000000", "99999999"))
    sealed = telegram(FORWARD, key=key)
    for lines in ([sealed, forged], [forged, sealed]):
        _, out, _ = decoded(tmp_path, capsys, lines, "--key", KEY)
        (profile,) = told(out)
        assert [(one["time"], one["value"]) for one in profile["points"]] == MONTHS[:3]
        assert profile["contradictions"] == []


def test_with_gateway(tmp_path, capsys):
    _, out, _ = decoded(tmp_path, capsys, [telegram(FORWARD)], "--gateway")
    assert "gateway" in json.loads(out[0]) and len(told(out)) == 1


def test_bounded():
    """Strangers push out neither meters that rank higher nor each other without a word."""
    kept = profiles.Gathered(meters=3, points=12)
    key = Key.from_hex(KEY)
    kept.feed(decode(telegram(FORWARD, key=key), lambda *_: key), None)
    for number in range(10):
        stranger = METER.replace("12345678", "%08d" % number)
        kept.feed(decode(telegram(FORWARD, stranger)), None)
    meters = [json.loads(one)["meter"][:8] for one in kept.json()]
    assert meters == ["00000008", "00000009", "12345678"]
    assert kept.dropped == 8
    for number in range(10):
        kept.feed(decode(telegram("0413 08190000", METER.replace("12345678", "1%07d" % number))), None)
    assert len(kept) == 3  # what has no profile takes no room
    # 40 values at once: more than there is room for, and a stranger
    stranger = METER.replace("12345678", "99999999")
    kept.feed(
        decode(
            telegram("8C041365000000" + "82046C1F11" + "8D04931F" + "52" + "7AFE" + "0100" * 40, stranger)
        ),
        None,
    )
    assert [json.loads(one)["meter"][:8] for one in kept.json()] == ["12345678"]


@pytest.mark.parametrize("form", ["wmbusmeters", "homeassistant", "rtlwmbus"])
def test_misuse(tmp_path, capsys, form):
    code, _, err = decoded(tmp_path, capsys, [telegram(FORWARD)], "--format", form)
    assert code == 2
    assert "--profiles" in err


def test_collect(tmp_path, capsys):
    assert main(["collect", "--hat", "virtual", "--seconds", "3", "--profiles"]) == 0
    out = capsys.readouterr().out.splitlines()
    kinds = [list(json.loads(one))[0] for one in out]
    assert kinds == sorted(kinds) and "id" in kinds  # "id" before "profile"
