"""VIB tables: sheet en13757-3-application 2.1-2.6; examples from OMS Annex B as the sheet and its sources print them."""

import pytest
from omsnode.firmware.application import vif
from omsnode.firmware.errors import ApplicationError


def meaning(text, to_meter=False):
    return vif.resolve(bytes.fromhex(text), to_meter)


def known(head):
    """The codes that the table behind these bytes gives a meaning."""
    return {code for code in range(0x80) if meaning(head + "%02X" % code).flag is None}


def codes(ranges):
    out = set()
    for part in ranges.split():
        first, _, last = part.partition("-")
        out |= set(range(int(first, 16), int(last or first, 16) + 1))
    return out


def test_every_code_of_the_tables_is_there_and_no_other():
    primary = {c for c in range(0x80) if c not in (0x7C,) and meaning("%02X" % c).flag is None}
    assert primary == codes("00-6E 70-7A 7E 7F")
    assert known("FB") == codes("00-05 08-09 0C-11 14-1B 20-26 28-31 34-37 58-6E 70-7F")
    assert known("FD") == codes("00-76")
    assert known("FDFD") == codes("00-03 10-25 27 2C-34 38-3B 3E 40-44")
    assert known("EF") == set()
    assert known("80") == codes("00-07 0B-0F 12 13 15-18 1C-3C 3E-43 46-4B 4E-7B 7D-7F")
    assert known("80FC") == codes("01-0C 10-12 14-15")


@pytest.mark.parametrize(
    "vib, quantity, unit, exponent",
    [
        ("00", "energy", "Wh", -3),
        ("07", "energy", "Wh", 4),
        ("08", "energy", "J", 0),
        ("0F", "energy", "J", 7),
        ("13", "volume", "m3", -3),
        ("1F", "mass", "kg", 4),
        ("21", "on time", "min", 0),
        ("27", "operating time", "d", 0),
        ("2B", "power", "W", 0),
        ("37", "power", "J/h", 7),
        ("38", "volume flow", "m3/h", -6),
        ("47", "volume flow", "m3/min", 0),
        ("48", "volume flow", "m3/s", -9),
        ("57", "mass flow", "kg/h", 4),
        ("5B", "flow temperature", "°C", 0),
        ("5C", "return temperature", "°C", -3),
        ("62", "temperature difference", "K", -1),
        ("65", "external temperature", "°C", -2),
        ("69", "pressure", "bar", -2),
        ("6E", "heat cost allocation", "HCA", 0),
        ("72", "averaging duration", "h", 0),
        ("74", "actuality duration", "s", 0),
        ("FB01", "energy", "Wh", 6),
        ("FB03", "reactive energy", "varh", 4),
        ("FB0D", "energy", "cal", 6),
        ("FB1A", "relative humidity", "%", -1),
        ("FB21", "volume", "ft3", -1),
        ("FB2A", "phase angle voltage to voltage", "°", -1),
        ("FB2F", "frequency", "Hz", 0),
        ("FB77", "cold or warm temperature limit", "°C", 0),
        ("FB78", "cumulated maximum of active power", "W", -3),
        ("FD40", "voltage", "V", -9),
        ("FD4F", "voltage", "V", 6),
        ("FD5C", "current", "A", 0),
        ("FD29", "storage interval", "year", 0),
        ("FD3C", "nominal transmission period", "s", 0),
        ("FD6C", "battery operating time", "h", 0),
        ("FDFD02", "remaining battery life", "month", 0),
        ("FDFD11", "CO2 concentration", "ppm", 1),
        ("FDFD1C", "particles PM1", "1/m3", 5),
        # OMS Annex B: multipliers combine
        ("937D", "volume", "m3", 0),
        ("FB887D", "energy", "J", 11),
        ("FB80FDFC10", "energy", "Wh", 8),
        ("E8F33E", "pressure", "bar", -6),
        ("E8C873", "pressure", "bar", -6),
        ("90F0FD3E", "volume", "m3", -9),
        # per unit and duration
        ("A222", "on time", "h/h", 0),
        ("FD3A", "dimensionless", None, 0),
        ("BB56", "volume flow", "h", 0),
        ("93C1" + "7D", "volume", None, 3),
        ("8649", "energy", None, 0),
        ("7C03252525", "plain text unit", "%%%", 0),
        ("FCA273046C616769", "plain text unit", "igal/h", -3),  # EN 13757-3 Table C.2
        ("FC0348522574", "plain text unit", "%RH", -2),  # Elvaco CMa10
    ],
)
def test_quantity_unit_and_scale(vib, quantity, unit, exponent):
    found = meaning(vib)
    assert (found.quantity, found.unit, found.exponent, found.flag) == (quantity, unit, exponent, None)


@pytest.mark.parametrize(
    "vib, qualifiers",
    [
        ("833C", ("backward",)),
        ("FB88FD3C", ("backward",)),
        ("FDD0FC02", ("phase L2",)),
        ("FBAAFC06", ("L2-L3",)),
        ("FB80FC10", ("absolute",)),
        ("DA6F", ("end of last",)),
        ("BB56", ("duration of last lower limit exceed",)),
        ("ED7E", ("future",)),
        ("FDC9FF01", ("manufacturer 01",)),
        ("FDC9FF8102", ("manufacturer 01", "manufacturer 02")),
        ("FF8102", ("manufacturer 01", "manufacturer 02")),
        ("FF20", ("manufacturer 20",)),
    ],
)
def test_qualifiers(vib, qualifiers):
    assert meaning(vib).qualifiers == qualifiers


@pytest.mark.parametrize(
    "vib, kind",
    [
        ("6C", "T"),
        ("DA6F", "T"),
        ("9339", "T"),
        ("FD97" + "1D", "D"),
        ("FD9F1D", "X"),
        ("931F", "X"),
        ("FD23", "C"),
    ]
    + [("FD17", "D"), ("7A", "C"), ("FD71", ""), ("EEFC11", "C"), ("EEFC12", "D"), ("FF20", "N")]
    + [("FD3B", "X"), ("FD72", "K"), ("FD73", "L"), ("EC56", "")],
)
def test_kind_of_data(vib, kind):
    assert meaning(vib).kind == kind


@pytest.mark.parametrize(
    "vib, error, action",
    [
        ("8301", "too many DIFE", "add to value"),
        ("830F", "action not implemented", "get"),
        ("8300", None, "write"),
    ],
)
def test_low_codes_depend_on_the_direction(vib, error, action):
    assert (meaning(vib).error, meaning(vib).qualifiers) == (error, ())
    assert (meaning(vib, True).error, meaning(vib, True).qualifiers) == (None, (action,))


def test_record_errors_stay_errors_to_the_meter_where_no_action_has_the_code():
    assert meaning("8315", True).error == "no data available"


@pytest.mark.parametrize(
    "vib, quantity, flag",
    [
        ("7B", "unknown VIF 7B", "malformed VIF"),
        ("7D", "unknown VIF 7D", "malformed VIF"),
        ("6F", "unknown VIF 6F", "unknown VIF"),
        ("EF85" + "3C", "unknown VIF EF05", "unknown VIF"),
        ("FDF7" + "3C", "unknown VIF FD77", "unknown VIF"),
        ("FB06", "unknown VIF FB06", "unknown VIF"),
        ("FDFD0A", "unknown VIF FDFD0A", "unknown VIF"),
        ("8311", "energy", "unknown VIFE 11"),
        ("83FC0D", "energy", "unknown VIFE FC0D"),
        ("837C", "energy", "unknown VIFE 7C"),
        ("933D", "volume", "non-metric units"),  # the unit is not public
        ("9314", "volume", "relative deviation"),  # of what, and in which unit, is not public
    ],
)
def test_what_is_not_known_is_named(vib, quantity, flag):
    assert (meaning(vib).quantity, meaning(vib).flag) == (quantity, flag)


def end(text, fits=None):
    data = bytes.fromhex(text)
    return vif.scan(data, 0, len(data), fits)


def test_where_a_vib_ends():
    assert end("1311") == (1, 0)
    assert end("FB80FDFC10FF") == (5, 0)
    assert end("93" + "FD" * 9 + "3C") == (11, 0)
    assert end("7C0257500D") == (4, 1)
    assert end("FCA273046C61676926") == (8, 3)
    assert end("FC0348522574D411") == (6, 1)


def test_the_rest_of_the_payload_decides_between_two_readings_of_a_unit():
    both = "FC01017402"  # VIFE 01, length 1, text 74?  or  length 1, text 01: not printable
    assert end(both) == (4, 2)
    both = "FC02222241" + "41"  # length 2, text 22 22, VIFE 41  or  VIFE 02, length 22: too long
    assert end(both) == (5, 1)
    both = "FC0C0A" + "41" * 10 + "4141" + "12" + "00"  # VIFE 0C, length 10
    assert end(both) == (13, 2)
    both = "FC2202" + "4141" + "00"
    assert end(both, lambda at: False) == (5, 2)


@pytest.mark.parametrize(
    "text, reason, position",
    [
        ("", "truncated before the VIF", 0),
        ("93", "truncated in the VIB", 1),
        ("FD", "truncated in the VIB", 1),
        ("93" + "80" * 11, "too many VIFE", 11),
        ("93" + "FD" * 10 + "3C", "too many VIFE", 11),
        ("7C", "plain-text unit unreadable", 0),
        ("7C05414141", "plain-text unit unreadable", 0),
        ("7C0107", "plain-text unit unreadable", 0),
        ("FC", "plain-text unit unreadable", 0),
        ("FC" + "80" * 12, "plain-text unit unreadable", 0),
    ],
)
def test_reasons(text, reason, position):
    with pytest.raises(ApplicationError) as caught:
        end(text)
    assert (caught.value.message, caught.value.position) == (reason, position)


def test_results_are_remembered_within_bounds():
    for a in range(0x80):
        for b in range(0x80):
            meaning("83%02X%02X" % (a | 0x80, b))
    assert len(vif._memo) <= vif._MEMO_SIZE
