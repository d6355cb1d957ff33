"""Command records: built by a gateway, read and executed by a meter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application import builder, commands, record
from omsnode.firmware.application.commands import Register
from omsnode.firmware.errors import MisuseError, OmsError

PROFILES = (0x13, 0x1E, 0x1F)


def hexed(text):
    return bytes.fromhex(text)


def parse(text):
    found, error = commands.parse(hexed(text))
    assert error is None
    return found


# application.json cmd-* (OMS Annex B Tables B.3, B.4; Annex M UC-00, UC-14, UC-20a, UC-20b), Annex N.12.2 (plain APDU), and the
# application-layer page of the old documentation (no action code): bytes, then action, DIB, VIB of the data point, value.
VECTORS = (
    ("0BFD9100563412", "set", "0B", "FD11", 123456),  # setID4!
    ("00FD910F", "get", "00", "FD11", None),  # getID4!
    ("40900C", "arl", "40", "10", None),  # arlVM1!D
    ("4093FD0D", "drl", "40", "937D", None),  # drlVM1!D
    ("04860078000000", "set", "04", "06", 120),  # setEW1! 120 kWh
    ("0A93016703", "add", "0A", "13", 367),  # addVM1! 367 l
    ("07F900785634123A630A07", "set", "07", "79", hexed("785634123A630A07")),  # setID2!
    ("00FDBC0C", "arl", "00", "FD3C", None),  # arlDP3!
    ("01FDFD800070", "set", "01", "FDFD00", 0x70),  # setMM6!
    ("40EC0F", "get", "40", "6C", None),  # getDT2!D
    ("40ECFE0F", "get", "40", "EC7E", None),  # getDT2!N
    ("42ECFE003F1C", "set", "42", "EC7E", "2009-12-31"),  # setDT2!N
    ("00FD979D07", "clr", "00", "FD971D", None),  # clrMM3!
    ("02FD97060400", "not", "02", "FD17", 4),  # notMM2!
)


@pytest.mark.parametrize("text, action, dib, vib, value", VECTORS)
def test_published_commands(text, action, dib, vib, value):
    (command,) = parse(text)
    assert (command.action, command.dib.hex().upper(), command.vib.hex().upper()) == (action, dib, vib)
    assert commands.build(hexed(dib), hexed(vib), action, value) == hexed(text)


@pytest.mark.parametrize(
    "text, action, dib, vib, value",
    (
        ("01FD1F00", "set", "01", "FD1F", 0),  # XDC1!, OMS Annex N.12.2
        ("02FD9F1D4032", "set", "02", "FD9F1D", hexed("4032")),  # XCT1!
        ("017A08", "set", "01", "7A", 8),  # primary address
        ("0C7978563412", "set", "0C", "79", 12345678),
        ("087E", "get", "08", "7E", None),
    ),
)
def test_commands_without_an_action(text, action, dib, vib, value):
    (command,) = parse(text)
    assert (command.action, command.dib.hex().upper(), command.vib.hex().upper()) == (action, dib, vib)
    assert commands.build(hexed(dib), hexed(vib), None, value) == hexed(text)


def test_global_readout():
    (command,) = parse("7F")
    assert command.action == "get" and command.dib == b"\x7f"


@pytest.mark.parametrize(
    "vib, action, expected",
    (
        ("10", "set", "9000"),
        ("13", "arl", "930C"),
        ("FD17", "not", "FD9706"),
        ("FDFD00", "get", "FDFD800F"),
        ("FD1F", "get", "FD9F0F"),  # its second byte is no profile
        ("FB00", "add", "FB8001"),
        ("9013", "get", "908F13"),  # the profile VIFE stays last
        ("901E", "arl", "908C1E"),
        ("937D", "drl", "93FD0D"),
        ("90FC01", "set", "90FC8100"),  # phase L1: its second byte is no action
        ("90FC1E", "set", "90FC9E00"),  # and no profile
        ("7C036B5748", "set", "FC00036B5748"),
        ("FC74036B5748", "add", "FCF401036B5748"),
    ),
)
def test_where_the_action_stands(vib, action, expected):
    assert commands.command_vib(hexed(vib), action).hex().upper() == expected
    assert commands.split_vib(hexed(expected)) == (hexed(vib), action)
    assert commands.split_vib(hexed(vib)) == (hexed(vib), None)


@given(vib=st.binary(min_size=1, max_size=6), action=st.sampled_from(sorted(commands.ACTIONS)))
def test_any_vib_comes_back(vib, action):
    if vib[0] & 0x7F == 0x7C:
        return
    vib = bytes([byte | 0x80 for byte in vib[:-1]] + [vib[-1] & 0x7F])
    try:
        made = commands.command_vib(vib, action)
    except MisuseError:
        codes = [byte & 0x7F for byte in vib]
        assert 0x7F in codes or codes[0] in (0x6F, 0x7B, 0x7D) or 0x7C in codes or codes[-1] in PROFILES
        return
    assert commands.split_vib(made) == (vib, action)


@given(st.binary(max_size=40))
def test_no_payload_raises_anything_but_our_errors(payload):
    found, error = commands.parse(payload)
    assert error is None or 0 <= error <= 0xFF
    registers = meter()
    result = commands.execute(found, registers, limit_bytes=60)
    if result.error is None:
        assert sum(map(len, result.answers)) <= 60
        assert record.decode(b"".join(result.answers))[1] is None


@pytest.mark.parametrize(
    "payload, code", (("04", 4), ("0F1234", 0x11), ("84" + "80" * 11, 5), ("0490" + "90" * 11 + "00", 6))
)
def test_a_telegram_that_cannot_be_read_is_an_error_code(payload, code):
    assert commands.parse(hexed(payload))[1] == code


def test_builder_refuses():
    for arguments in (
        (b"\x04", b"\x13", "double", 1),
        (b"\x04", b"\x13", "get", 1),
        (b"\x04", b"\x13", "add"),
        (b"\x04", b"\x7f", "set", 1),
        (b"\x04", b"", "set", 1),
        (b"\x01", b"\x13", "set", 1000),
    ):
        with pytest.raises(OmsError):
            commands.build(*arguments)


# --- the meter ---

WRITE = ("set", "add", "sub")


def meter():
    return [
        Register(b"\x0c", b"\x13", 1234, WRITE),  # volume, litres
        Register(b"\x4c", b"\x13", 1000, ("freeze",)),  # of the due date
        Register(b"\x42", b"\xec\x7e", hexed("3F1C"), ("set",), True, future),  # next due date
        Register(b"\x02", b"\xfd\x97\x1d", 0x0105, ("clr", "not", "bor", "and", "xor"), True),  # error flags
        Register(b"\x01", b"\xfd\xfd\x00", 0x10, ("set",)),  # selected application
        Register(b"\x07", b"\x79", hexed("785634123A630A07"), ("set", "clr")),
    ]


def future(_old, new):
    """As a meter would: no date before 2010 (its clock's day)."""
    return None if new[1] >> 4 << 3 | new[0] >> 5 >= 10 else 0x15


def execute(text, registers=None, **options):
    return commands.execute(parse(text), registers or meter(), **options)


def test_get_answers_with_the_tag_and_its_value():
    result = execute("00900F")
    assert result == ((hexed("0C1334120000"),), None, {}, ())
    assert execute("00950F").error is None  # another resolution of the same data point
    assert execute("00860F").error == 0x12  # energy: there is none


def test_arithmetic_is_in_the_registers_resolution():
    assert execute("0A93016703").writes == {0: 1601}  # 367 l
    assert execute("0194" + "0101").writes == {0: 1244}  # 1 * 10 l
    assert execute("0A92" + "01" + "3412").error == 0x15  # 123.4 l: not exact in litres
    assert execute("0A92" + "01" + "3012").writes == {0: 1357}


def test_out_of_range_is_ignored_with_error_15():
    registers = [Register(b"\x0a", b"\x13", 9000, WRITE, check=lambda old, new: 0x15 if new < 0 else None)]
    assert execute("0A93012010", registers).error == 0x15  # 9000 + 1020 does not fit four digits
    assert execute("0A93020190", registers).error == 0x15  # 9000 - 9001 < 0
    assert execute("0A93020090", registers).writes == {0: 0}
    assert registers[0].value == 9000


def test_all_or_nothing():
    result = execute("0A93016703" + "00FD910F")
    assert result == ((), 0x12, {}, ())
    result = execute("0A93016703" + "0A93016703" + "00900F")
    assert result.writes == {0: 1968} and result.answers == (hexed("0C1368190000"),)


def test_unknown_and_forbidden_commands():
    assert execute("0BFD9100563412").error == 0x11  # no such data point to write
    assert execute("0C93" + "03" + "01000000").error == 0x11  # or: not allowed on a register
    assert execute("0C93" + "08" + "01000000").error == 0x11
    assert execute("00FDBC0C").error is None  # UC-14: unimplemented points are ignored


def test_secured_commands_need_a_secured_container():
    assert execute("00FD979D07").error == 0x22
    assert execute("00FD979D07", secured=True).writes == {3: 0}
    assert execute("42ECFE003F1C", secured=True).error == 0x15  # 2009-12-31 is past
    assert execute("42ECFE005F1C", secured=True).writes == {2: hexed("5F1C")}


@pytest.mark.parametrize(
    "code, mask, expected",
    (("03", "F000", 0xF5 | 0x100), ("04", "0F01", 0x0105), ("05", "FF00", 0x1FA), ("06", "0500", 0x100)),
)
def test_bits(code, mask, expected):
    assert execute("02FD979D" + code + mask, secured=True).writes == {3: expected}


def test_freeze_copies_the_present_value():
    assert execute("40930B").writes == {1: 1234}
    assert execute("0A93016703" + "40930B").writes == {0: 1601, 1: 1601}


def test_addresses_are_set_as_bytes():
    result = execute("07F900785634123A630A06")
    assert result.writes == {5: hexed("785634123A630A06")}
    assert result.answers == (hexed("0779785634123A630A06"),)
    assert execute("0CF90078563412").error == 0x15
    assert execute("00F907").writes == {5: bytes(8)}


def test_readout_list():
    result = execute("00930C" + "40900C")  # the VIF and the one with n = 0
    assert result.readout == (0, 1) and len(result.answers) == 2
    assert execute("40930D", readout=(0, 1)).readout == (0,)
    assert execute("00FE0C", readout=()).readout == (0, 1, 2, 3, 4, 5)
    assert execute("7F").answers == tuple([one.record(one.value) for one in meter()])
    assert execute("7F", limit_bytes=20) == ((), 0x03, {}, ())
    assert execute("00FE0C", limit_bytes=20, readout=(1,)) == ((), 0x03, {}, (1,))


def test_application_selected_by_a_record():
    """UC-14: setMM6! then arl; the answer holds all points of the selection and MM6!."""
    offered = {0: (0, 1), 7: (2,)}
    result = execute("01FDFD800070" + "00930C", offered=offered)
    assert result.readout == (2, 0) and result.writes == {4: 0x70}
    assert result.answers == (hexed("42EC7E3F1C"), hexed("0C1334120000"), hexed("01FDFD0070"))
    assert execute("01FDFD800030", offered=offered).readout == (0, 1)  # not offered: standard
    assert execute("00FDFD8000", offered=offered).readout == (0, 1)  # no data: reset


@given(
    action=st.sampled_from(("set", "add", "sub")),
    value=st.integers(-999999, 999999),
    present=st.integers(-999999, 999999),
)
def test_built_commands_do_what_they_say(action, value, present):
    registers = [Register(b"\x0c", b"\x13", present, WRITE)]
    body = commands.build(*builder.build("volume", "m3", -3, "int32"), action, value)
    result = commands.execute(commands.parse(body)[0], registers)
    expected = {"set": value, "add": present + value, "sub": present - value}[action]
    if -9999999 <= expected <= 99999999:
        assert result.writes == {0: expected}
        assert record.decode(result.answers[0])[0][0].mantissa == expected
    else:
        assert result.error == 0x15
