"""Keys out of the files of makers and other programs. Where the KEM files come from: support_kem.py."""

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import ConfigError
from omsnode.firmware.host import key_check, key_import
from omsnode.firmware.host.key_store import Row
from omsnode.firmware.link.address import Address
from omsnode.firmware.security.keys import Key
from support_kem import KEM, KEM2, PASSWORD, PASSWORD_2, PUBLISHED, WRAP

ONE, TWO = "3B5A0F1122C4D5E697886F5E4D3C2B1A", "91A2B37CD5E6F718192A3B4C5D6E0F81"


def zipped(name, text):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return data.getvalue()


def keys(found):
    assert not found.refused, found.refused
    return [(str(row.pattern), row.key) for row in found.rows]


def rows(text, password=None):
    data = text if isinstance(text, bytes) else text.encode()
    return keys(key_import.read(data, password and (lambda: password)))


MULTICAL = [("57722719.M=KAM", Key.from_hex("C2E387277E39C9D821F3B05E1616F87C"))]
FLOWIQ = [
    ("61234567.M=KAM", Key.from_hex("5E0D7A41C39B8826F1470AB3D9E26C85")),
    ("61234568", Key.from_hex("A9F3067BDC1582E64B70C8D35A1E9F24")),
]


def test_xml_as_published():
    assert rows(PUBLISHED) == MULTICAL


def test_kem():
    assert rows(KEM, PASSWORD) == MULTICAL
    assert rows(zipped("57722719.kem", KEM), PASSWORD) == MULTICAL
    assert key_import.read(KEM.encode(), lambda: PASSWORD).form == "kem"


def test_kem2():
    assert rows(KEM2, PASSWORD_2) == FLOWIQ
    assert rows(zipped("order/4711.KEM2", KEM2), PASSWORD_2[:16]) == FLOWIQ


@pytest.mark.parametrize("password", ["", "0310482", "0310482w", "ü" * 9])
def test_kem_with_another_password(password):
    with pytest.raises(ConfigError) as caught:
        rows(KEM, password or "\0")
    assert "password" in caught.value.message and (not password or password not in caught.value.message)


def test_kem_without_a_password():
    with pytest.raises(ConfigError) as caught:
        rows(KEM)
    assert "encrypted" in caught.value.message


LISTS = {
    "list": "12345678.M=KAM {}\n87654321 {}  # cellar\n".format(ONE, TWO),
    "header": "Serial number;Type;AES key;Manufacturer\n12345678;water;{};KAM\n87654321;heat;{};\n".format(
        ONE, TWO
    ),
    "any order": "AES-Key,Meter ID,Manufacturer\n{},12345678,KAM\n{},87654321,\n".format(ONE, TWO),
    "german": "Hersteller;Zählernummer;Schlüssel\nKAM;12345678;{}\n;87654321;{}\n".format(ONE, TWO),
    "bare": "KAM;12345678;{}\n;87654321;{}\n".format(ONE, TWO),
    "bare, turned": "{}\t12345678\tKAM\n{}\t87654321\t\n".format(ONE, TWO),
    "dashes": "id;key;vendor\n12345678;{};KAM\n87654321;{};\n".format(
        "-".join(ONE[i : i + 2] for i in range(0, 32, 2)),
        " ".join(TWO[i : i + 2].lower() for i in range(0, 32, 2)),
    ),
    "spreadsheet": '"Serial","Key"\r\n"12345678.M=KAM","=""{}"""\r\n"87654321","0x{}"\r\n'.format(ONE, TWO),
    "title": "Delivery 4711;;\n;;\nSerial No.;Key;Vendor\n12345678;{};KAM\n87654321;{};\n".format(ONE, TWO),
    "wmbusmeters": "name=a\ndriver=auto\nid=12345678.M=KAM\nkey={}\n\nname=b\nid=87654321\nkey={}\n".format(
        ONE, TWO
    ),
    "xml": '<order><m id="1"><Serial>12345678</Serial><Vendor>KAM</Vendor><AESKey>{}</AESKey></m>'
    '<m serial-number="87654321" key="{}"/></order>'.format(ONE, TWO),
}


@pytest.mark.parametrize("name", LISTS)
def test_shapes(name):
    expected = [("12345678.M=KAM", Key.from_hex(ONE)), ("87654321", Key.from_hex(TWO))]
    assert rows(LISTS[name]) == expected
    assert rows(b"\xef\xbb\xbf" + LISTS[name].encode()) == expected
    if name == "german":
        assert rows(LISTS[name].encode("cp1252")) == expected
    if name != "xml":
        assert rows(LISTS[name].encode("utf-16")) == expected


@pytest.mark.parametrize(
    "serial, pattern",
    [
        ("12345678/18/21", "12345678"),
        ("7KAM1B12345678", "12345678.M=KAM.V=1b"),  # DIN 43863-5
        ("7 KAM 1B 1234 5678", "12345678.M=KAM.V=1b"),
        ("HYD-12345678", "12345678.M=HYD"),
        ("DME12345678", "12345678.M=DME"),
        ("12345678.M=KAM.V=1b.T=16", "12345678.M=KAM.V=1b.T=16"),
        ("345678", "00345678"),
    ],
)
def test_serial_numbers(serial, pattern):
    found = key_import.read("serial;key\n{};{}\n".format(serial, ONE).encode())
    assert keys(found) == [(pattern, Key.from_hex(ONE))]
    assert bool(found.notes) == (serial == "345678")


def test_key_id_and_version():
    row = key_import.read("serial;key;key ID;key version\n12345678;{};1;3\n".format(ONE).encode()).rows[0]
    assert (row.key_id, row.version) == (1, 3)


def test_one_bad_row_does_not_hide_the_others():
    text = (
        "serial;key\n12345678;{}\n12345679;{}\n1234567890123;{}\n;{}\n12345670;\n{};{}\n87654321;{}\n".format(
            ONE, ONE[:-1], ONE, ONE, ONE, TWO, TWO
        )
    )
    found = key_import.read(text.encode())
    assert [str(row.pattern) for row in found.rows] == ["12345678", "87654321"]
    assert [where for where, _ in found.refused] == ["line 3", "line 4", "line 5", "line 6", "line 7"]
    assert "31" in found.refused[0][1] and "id" in found.refused[1][1] and "no key" in found.refused[3][1]
    for _, why in found.refused:
        assert ONE[:12] not in why and TWO[:12] not in why


@pytest.mark.parametrize(
    "text, word",
    [
        ("", "no key"),
        ("# nothing\n\n", "no key"),
        ("serial;colour\n12345678;red\n", "columns"),
        ("<a><b>", "well-formed"),
        ("<a><serial>12345678</serial></a>", "no element"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
        (WRAP.format("AAAA"), "blocks"),
        (WRAP.format(""), "blocks"),
        (b"PK\3\4rubbish", "zip"),
        (zipped("a.kem", KEM)[:200], "zip"),
        (b"\x81\x8d\x00", "text"),
        ("<a>" * 5000 + "</a>" * 5000, "deep"),
    ],
)
def test_files_that_are_none(text, word):
    with pytest.raises(ConfigError) as caught:
        rows(text, "password")
    assert word in caught.value.message


def test_an_archive_of_two(tmp_path):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a.kem", KEM)
        archive.writestr("b.kem", KEM2)
    with pytest.raises(ConfigError) as caught:
        rows(data.getvalue(), PASSWORD)
    assert "2 files" in caught.value.message


@settings(max_examples=300)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.text("12345678;,\tabcdefKEY<>/=\"'\n# ", max_size=200).map(str.encode),
        st.tuples(
            st.sampled_from([KEM, PUBLISHED, LISTS["header"], LISTS["xml"]]),
            st.integers(0, 900),
            st.binary(max_size=4),
        ).map(lambda one: one[0].encode()[: one[1]] + one[2] + one[0].encode()[one[1] + len(one[2]) :]),
    )
)
def test_damage_is_refused_by_name(data):
    try:
        key_import.read(data, lambda: PASSWORD)
    except ConfigError as error:
        assert ONE[:12] not in error.message


@pytest.mark.parametrize(
    "key, word",
    [
        ("00" * 16, "public"),
        ("51728910E66D83F851728910E66D83F8", "public"),
        ("FF" * 16, "equal"),
        ("000102030405060708090A0B0C0D0E0F", "count"),
        ("0F0E0D0C0B0A09080706050403020100", "count"),
        ("00112233445566778899AABBCCDDEEFF", "count"),
        ("0102030405060708090A0B0C0D0E0F11", "count"),
        ("A1B2C3D4E5F60718A1B2C3D4E5F60718", "half"),
        ("4B75636865" + "6E" * 11, "text"),
        ("12345678901234567890123456789012", "digits"),
        (ONE, None),
        (TWO, None),
        ("82B0551191F51D66EFCDAB8967452301", None),
    ],
)
def test_weak_keys(key, word):
    found = key_check.weakness(Key.from_hex(key))
    assert found is None if word is None else word in found
    assert key[:8].lower() not in (found or "").lower()


def test_repeated_keys():
    one, two, again, version = (
        Row(Address.parse("12345678"), Key.from_hex(ONE)),
        Row(Address.parse("87654321"), Key.from_hex(ONE)),
        Row(Address.parse("11111111"), Key.from_hex(TWO)),
        Row(Address.parse("11111111"), Key.from_hex(TWO), 0, 1),
    )
    assert list(key_check.repeated([one, two, again, version]).values()) == [[one, two]]
