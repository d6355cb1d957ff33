"""Transport header: Annex N headers read and built, the CI table against the sheet's rules, cut headers."""

import pytest
from omsnode.firmware.errors import MisuseError, TransportError
from omsnode.firmware.transport import ci, ci_names, compose, header

# Annex N: bytes, kind, direction, address, access number, status, configuration field, mode, N
HEADERS = [
    ("7A2A002025", "short", "up", None, 0x2A, 0, 0x2520, 5, 2),
    ("72887766559344550800041005", "long", "up", "55667788.M=QDS.V=55.T=08", 0, 4, 0x0510, 5, 1),
    ("6C44227592934400077D001005", "long", "down", "92752244.M=QDS.V=00.T=07", 0x7D, 0, 0x0510, 5, 1),
    ("8016685438386B190751170000", "long", "down", "38546816.M=ZYX.V=19.T=07", 0x51, 0x17, 0, 0, 0),
    ("8B44227592934400077D020000", "long", "up", "92752244.M=QDS.V=00.T=07", 0x7D, 2, 0, 0, 0),
    ("6E02020000", "short", "up", None, 2, 2, 0, 0, 0),
]


@pytest.mark.parametrize("row", HEADERS, ids=[row[0][:2] for row in HEADERS])
def test_both_ways(row):
    data, kind, direction, address, number, status, field, mode, blocks = row
    data = bytes.fromhex(data)
    tpl = header.parse(b"\xff" + data + b"\x01", 1)
    assert (tpl.kind, tpl.direction, tpl.ci) == (kind, direction, data[0])
    assert (tpl.access_number, tpl.status, tpl.configuration_field) == (number, status, field)
    assert (tpl.mode, tpl.blocks, tpl.offset, tpl.payload_offset) == (mode, blocks, 1, 1 + len(data))
    assert (str(tpl.address) if tpl.address else None) == address
    assert compose.build(data[0], number, status, field, tpl.address) == data


def test_no_header():
    tpl = header.parse(bytes.fromhex("780B13"), 0)
    assert (tpl.kind, tpl.mode, tpl.status, tpl.payload_offset) == ("none", None, None, 1)


# Annex N: 17h = -84, 19h = -80, 20h = -66 dBm; 0 says nothing.
@pytest.mark.parametrize("status, level", [(0x17, -84), (0x19, -80), (0x20, -66), (0, None)])
def test_level_of_the_gateway(status, level):
    tpl = header.parse(bytes.fromhex("8016685438386B190751") + bytes((status, 0, 0)), 0)
    assert tpl.level_dbm() == level and tpl.status_flags() == []


@pytest.mark.parametrize(
    "status, flags",
    [
        (0x00, []),
        (0x01, ["application busy"]),
        (0x02, ["application error"]),
        (0x03, ["alarm"]),
        (0x04, ["low power"]),
        (0x1C, ["low power", "permanent error", "temporary error"]),
        (0xE0, ["manufacturer specific 1", "manufacturer specific 2", "manufacturer specific 3"]),
    ],
)
def test_status_of_the_meter(status, flags):
    tpl = header.parse(bytes((0x7A, 1, status, 0, 0)), 0)
    assert tpl.status_flags() == flags and tpl.level_dbm() is None


@pytest.mark.parametrize(
    "data, extension",
    [
        ("7A750020071058", "10"),  # mode 7: CFE
        ("7A75002007500358", "5003"),  # mode 7 with a key version
        ("7A7500112A1001B30A000058", "1001B30A0000"),  # mode 10 of Annex N.2.5: CFE and counter
        ("7A7500FF0D0058", "00"),  # mode 13
        ("7A750010055858", ""),
    ],
)
def test_what_follows_the_configuration_field(data, extension):
    data, extension = bytes.fromhex(data), bytes.fromhex(extension)
    tpl = header.parse(data, 0)
    assert tpl.configuration_extension == extension and tpl.payload_offset == 5 + len(extension)
    for cut in range(1, tpl.payload_offset):
        with pytest.raises(TransportError) as caught:
            header.parse(data[:cut], 0)
        assert caught.value.position == cut


def test_every_ci_code_has_a_row():
    kinds = {"none": 0, "short": 0, "long": 0}
    for code in range(256):
        kind, direction, content = ci.row(code)
        name = ci_names.name(code)
        assert direction in ("up", "down", None) and name and name.strip() == name
        kinds[kind] += 1
        if content in (ci.RECORDS, ci.ERROR):
            assert direction
    assert kinds["long"] > 25 and kinds["short"] > 20


# Security sheet section 2: codes with records, and ranges.
def test_rows_of_the_sheet():
    records = [code for code in range(256) if ci.row(code)[2] == ci.RECORDS]
    assert records == [0x51, 0x5A, 0x5B, 0x72, 0x78, 0x7A]
    assert all(ci_names.name(code) == "manufacturer specific" for code in range(0xA0, 0xB8))
    reserved = [*range(0x20, 0x50), 0x63, 0x76, 0x77, 0x91, *range(0x94, 0x9E), *range(0xD0, 0x100)]
    assert all(ci.row(code)[2] == ci.REFUSED and ci_names.name(code) == "reserved" for code in reserved)
    assert ci.row(0xC4) == ("short", "up", ci.OTHER)
    assert ci_names.name(0xC4) == "security information transfer response"


def test_rows_and_names_are_of_the_same_codes():
    listed = [[line[:2] for line in table.strip().split("\n")] for table in (ci._CODES, ci_names._NAMES)]
    assert listed[0] == listed[1] and len(listed[0]) > 60


@pytest.mark.parametrize(
    "arguments",
    [
        (0x7A, 256, 0, 0, None),
        (0x7A, 1, -1, 0, None),
    ],
)
def test_misuse(arguments):
    with pytest.raises(MisuseError):
        compose.build(*arguments)


def test_configuration_field():
    # Annex N: 2520h is synchronous with two blocks, 0548h static data with four; R12 of real meters: 8560h.
    assert compose.configuration(5, 2, synchronous=True) == 0x2520
    assert compose.configuration(5, 4, content=2) == 0x0548
    assert compose.configuration(5, 6, bidirectional=True) == 0x8560
    assert compose.configuration(0) == 0
    for wrong in ((7, 2), (5, 16), (5, -1)):
        with pytest.raises(MisuseError):
            compose.configuration(*wrong)
