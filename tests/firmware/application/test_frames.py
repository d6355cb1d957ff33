"""Full, compact and format frames: published pairs both ways, what is learnt from whom, what is dropped."""

import json

import pytest
import support_telegram
import support_wired
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.application import frames, known_formats, profile, record
from omsnode.firmware.application.frames import Formats
from omsnode.firmware.application.telegram import decode, decode_message
from omsnode.firmware.errors import (
    ApplicationError,
    FormatMismatchError,
    OmsError,
    UnknownFormatError,
)
from omsnode.firmware.host.explain import explain
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.link.crc import crc16
from omsnode.firmware.security import mode5
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import compose

METER = Address.parse("12345678.M=CEN.V=01.T=02")
SAME_MODEL = Address.parse("87654321.M=CEN.V=01.T=02")
OTHER_MODEL = Address.parse("12345678.M=CEN.V=02.T=02")
KEY = Key.from_hex(support_telegram.KEY_0)

# EN 13757-3:2018 G.5.2 (as exmbus has it): full, format, compact frame behind the CI; 123.4 Wh, 567.8 m3, 901.2 W.
G5 = ("0202D20402152E16022A3423", "08313B02020215022A", "313B42A6D2042E163423")
# (full, compact) of real meters. jMBus ShortTelegramTest; wmbusmeters kamwater tests.
PAIRS = (
    (G5[0], G5[2]),
    (
        "02F9FF15011104061765000004EEFF07BFA8000004EEFF08D24F00000414B1FB000002FD170000026CE919426CFF184406F7640000"
        "4414E8FA0000043B0B0000000259DB11025D1C0B",
        "DD829283011117650000BFA80000D24F0000B1FB00000000E919FF18F7640000E8FA00000B000000DB111C0B",
    ),
    (
        "0406A60B000004FF074E11000004FF08130700000414C91A000002FD170000043B000000000259B10B025D6709",
        "C4D788B0A60B00004E11000013070000C91A0000000000000000B10B6709",
    ),
    ("02FF207100041308190000441308190000615B7F616713", "EDA86AB6710008190000081900007F13"),
    ("02FF20000004132F4E000092013B3D01A1015B028101E7FF0F03", "12C40DFF00002F4E00003D010203"),
    ("0306ED24004306E7230003142E5E00426CBF2C022D0D0001FF2100", "E7F1A3FCED2400E723002E5E00BF2C0D0000"),
)
# A format that nobody published: energy 3 bytes, volume, date.
UNPUBLISHED = "03037B000004131500000042 6CBF2C".replace(" ", "")


def message(ci, body, formats, address=METER):
    return decode_message(bytes((ci,)) + body, address, formats=formats)


def parts_of(records):
    return [(one.dib, one.vib, one.data, one.mantissa, one.exponent, one.text) for one in records]


@pytest.mark.parametrize("full, compact", PAIRS)
def test_published_pairs_both_ways(full, compact):
    full, compact = bytes.fromhex(full), bytes.fromhex(compact)
    assert frames.compact(full) == compact
    formats = Formats()
    expected = message(0x78, full, formats)
    told = message(0x79, compact, formats)
    assert told.error is None and told.undecoded is None and told.verdict == "plain"
    assert parts_of(told.records) == parts_of(expected.records)
    at = 4
    for one in told.records:
        assert one.offset == at and compact[at : at + len(one.data)] == one.data
        at += len(one.data)
    assert at == len(compact)


def test_example_of_the_standard():
    formats = Formats()
    told = message(0x69, bytes.fromhex(G5[1]), formats)
    assert told.error is None and told.records == [] and told.undecoded is None
    assert [field[2:4] for field in told.protocol.fields] == [
        ("length", 8),
        ("signature", "3B31"),
        ("record_1", "0202"),
        ("record_2", "0215"),
        ("record_3", "022A"),
    ]
    assert frames.format_frame(bytes.fromhex(G5[0])).hex().upper() == G5[1]
    told = message(0x79, bytes.fromhex(G5[2]), formats)
    values = [(one.mantissa, one.exponent, one.unit) for one in told.records]
    assert values == [(1234, -1, "Wh"), (5678, -1, "m3"), (9012, -1, "W")]


def test_all_published_pairs(shared):
    vectors = json.loads((shared / "vectors" / "application.json").read_text())["frame_vectors"]
    done = 0
    for vector in vectors:
        if vector["kind"] == "compact_frame_pair":
            full, compact = (bytes.fromhex(vector[name]) for name in ("full_after_ci", "compact_after_ci"))
            head = bytes.fromhex(vector["format_header_bytes"])
            assert frames.compact(full) == compact and frames.rebuild(head, compact, 4) == full
            form = frames.format_frame(full)
            assert frames.read_format(form) == head
            assert form.hex().upper() == vector.get("format_frame_after_ci", form.hex().upper())
            assert crc16(head) == int(vector["format_signature"], 16)
            done += 1
        elif vector["kind"] == "format_signature":
            assert crc16(bytes.fromhex(vector["header"])) == int(vector["signature"], 16)
            done += 1
    assert done >= 7


def test_every_known_format_has_its_signature():
    rows = known_formats._FORMATS.split("\n")[1:-1]
    assert len(rows) >= 22
    for row in rows:
        signature, source, text = row.split()
        head = bytes.fromhex(text)
        assert crc16(head) == int(signature, 16) and source in "wje" and frames.parts(head)
        assert known_formats.find(int(signature, 16)) == head
    assert known_formats.find(0x1234) is None


# --- what is learnt, from whom, for whom ---


def unpublished():
    full = bytes.fromhex(UNPUBLISHED)
    return full, frames.compact(full)


def test_an_unknown_format_is_refused_and_learnt_later():
    full, compact = unpublished()
    formats = Formats()
    told = message(0x79, compact, formats)
    assert isinstance(told.error, UnknownFormatError) and told.error.code == "unknown_format"
    assert told.verdict == "plain" and told.undecoded.data == compact and told.error.hint
    message(0x78, full, formats)
    assert message(0x79, compact, formats).error is None
    assert isinstance(message(0x79, compact, None).error, UnknownFormatError)


def test_formats_of_the_same_model_serve_and_others_do_not():
    full, compact = unpublished()
    formats = Formats()
    message(0x78, full, formats, SAME_MODEL)
    assert message(0x79, compact, formats).error is None
    assert isinstance(message(0x79, compact, formats, OTHER_MODEL).error, UnknownFormatError)
    assert isinstance(message(0x79, compact, formats, None).error, UnknownFormatError)


def sealed(ci, body, address=METER, number=1):
    data = mode5.seal(KEY, address, number, body)
    payload = compose.build(ci, number, 0, compose.configuration(5, mode5.blocks(data))) + data
    return link_telegram.build(0x44, address, payload)


def plain(ci, body, address=METER, number=1):
    return link_telegram.build(0x44, address, compose.build(ci, number) + body)


def test_encrypted_data_is_not_read_with_a_format_that_came_in_the_clear():
    """Both check words can be computed by anybody for a layout with another meaning (they are no MAC)."""
    full, compact = unpublished()
    formats = Formats()
    decode(plain(0x7A, full), formats=formats)
    told = decode(sealed(0x7B, compact), lambda address: KEY, formats=formats)
    assert isinstance(told.error, UnknownFormatError) and told.verdict == "decrypted"
    assert told.payload[2 : 2 + len(compact)] == compact  # what was decrypted can be looked at
    # Learnt with a key that everybody knows is as good as in the clear.
    decode(sealed(0x7A, full), None, lambda address: [KEY], formats)
    assert decode(sealed(0x7B, compact), lambda address: KEY, formats=formats).error is not None
    decode(sealed(0x7A, full), lambda address: KEY, formats=formats)
    told = decode(sealed(0x7B, compact), lambda address: KEY, formats=formats)
    assert told.error is None and len(told.records) == 3
    assert all(told.payload[one.offset : one.offset + len(one.data)] == one.data for one in told.records)
    # What is trusted more serves what is trusted less, and is not replaced by it.
    assert decode(plain(0x7B, compact), formats=formats).error is None
    decode(plain(0x7A, full), formats=formats)
    assert decode(sealed(0x7B, compact), lambda address: KEY, formats=formats).error is None


def test_a_check_byte_is_no_signature_and_a_signature_no_check_byte():
    """A signature whose first byte is 2F is read behind the check bytes, and in the clear."""
    heads = (
        bytes((0x04, 0x13, 0x04, 0xFD, low, 0x02, high))
        for low in range(8, 0x17)
        for high in range(0x58, 0x70)
    )
    head = next(head for head in heads if crc16(head) & 0xFF == 0x2F)
    full = frames.rebuild(head, bytes(14), 4)
    compact = frames.compact(full)
    assert compact[0] == 0x2F
    for trial in (plain, sealed):
        formats = Formats()
        decode(trial(0x7A, full), lambda address: KEY, formats=formats)
        assert decode(trial(0x7B, compact), lambda address: KEY, formats=formats).error is None


def test_wrong_crc_is_dropped():
    full, compact = unpublished()
    formats = Formats()
    message(0x78, full, formats)
    for at in range(2, len(compact)):
        damaged = bytearray(compact)
        damaged[at] ^= 0x10
        told = message(0x79, bytes(damaged), formats)
        assert isinstance(told.error, FormatMismatchError) and told.records == []
        assert told.error.code == "format_mismatch" and told.error.hint
    for body in (compact[:-1], compact + b"\0", compact[:3], b""):
        assert isinstance(message(0x79, body, formats).error, FormatMismatchError)
    assert message(0x79, compact + b"\x2f\x2f", formats).error is None


def test_a_public_telegram_that_was_altered():
    """wmbusmeters drivers/src/kamwater.xmq, meter 23813076: its author changed the flow from 0 to 0.035 m3/h; ELL CRC
    right, CRC over the full frame not. With 00 in place of 23 it is the meter's own."""
    compact = bytes.fromhex("050954800008000000000000000008900008F0FFC12B0A1B23001F0F000013")
    assert isinstance(message(0x79, compact, None).error, FormatMismatchError)
    restored = compact[:24] + b"\0" + compact[25:]
    told = message(0x79, restored, None)
    assert told.error is None and (told.records[-2].mantissa, told.records[-2].exponent) == (3871, -3)


def test_lvar_travels_with_the_data():
    full = bytes.fromhex("0D78033332310413150000000DFD1105" + "3534333231")
    compact = frames.compact(full)
    assert compact[4:].hex() == "03333231" + "15000000" + "053534333231"
    formats = Formats()
    message(0x78, full, formats)
    # Another length of the text, the same format.
    longer = bytes.fromhex("0D7805353433323104131600000" + "00DFD110131")
    told = message(0x79, frames.compact(longer), formats)
    assert [one.text or one.mantissa for one in told.records] == ["12345", 22, "1"]
    assert isinstance(message(0x79, compact[:4] + b"\xff" + compact[5:], formats).error, FormatMismatchError)


def test_profiles_and_manufacturer_data_in_a_compact_frame():
    """OMS Vol.2 Annex G.7 and bytes behind DIF 0F, in a compact frame."""
    full = bytes.fromhex("8C041313100000" + "82046C1F15" + "8D0493130A7AFE5802320314024401" + "0FAABBCC")
    compact = frames.compact(full)
    formats = Formats()
    expected = message(0x78, full, formats).records
    told = message(0x79, compact, formats)
    assert [(one.storage, one.mantissa, one.time, one.data) for one in told.records] == [
        (one.storage, one.mantissa, one.time, one.data) for one in expected
    ]
    assert all(compact[one.offset : one.offset + len(one.data)] == one.data for one in told.records)
    assert told.records[-1].quantity == "manufacturer data"


def test_both_orders_of_a_plain_text_unit():
    """The standard's (EN 13757-3 Table C.2, "igal" per h) and that of Elvaco ("%RH")."""
    for text in (
        "0CFCA273046C616769" + "12345678" + "0413" + "15000000",
        "02FC0348522574" + "C409" + "0413" + "15000000",
    ):
        full = bytes.fromhex(text)
        formats = Formats()
        expected = message(0x78, full, formats)
        told = message(0x79, frames.compact(full), formats)
        assert told.error is None and parts_of(told.records) == parts_of(expected.records)


# --- memory ---


def test_only_what_has_served_is_exported_and_a_restart_keeps_it():
    full, compact = unpublished()
    formats = Formats()
    message(0x78, full, formats)
    assert not formats.changed and formats.export() == []
    message(0x79, compact, formats)
    assert formats.changed
    state = json.loads(json.dumps(formats.export()))
    assert state == [[METER.link_bytes().hex(), 0, frames.header(record.decode(full)[0]).hex()]]
    assert not formats.changed
    message(0x79, compact, formats)
    assert not formats.changed
    again = Formats(state=state)
    assert message(0x79, compact, again).error is None and not again.changed


@pytest.mark.parametrize(
    "state",
    [
        None,
        5,
        "x",
        [1],
        [["00", 0, "0413"]],
        [["00" * 8, "a", "0413"]],
        [["00" * 8, 0, "zz"]],
        [["00" * 8, 0, "ff"]],
    ],
)
def test_damaged_state_is_left_out(state):
    assert Formats(state=state).export() == []


def test_memory_is_bounded_and_what_serves_stays():
    full, compact = unpublished()
    formats = Formats(size=4)
    message(0x78, full, formats)
    message(0x79, compact, formats)
    for number in range(50):  # meters without compact frames
        stranger = Address(0x0421, "%08d" % number, 1, 7)
        message(0x78, bytes.fromhex(G5[0]), formats, stranger)
    assert message(0x79, compact, formats).error is None
    assert len(formats._fresh) <= 4 and len(formats._proven) <= 4
    for number in range(50):
        stranger = Address(0x0421, "%08d" % number, 1, 7)
        message(0x78, bytes.fromhex(G5[0]), formats, stranger)
        message(0x79, bytes.fromhex(G5[2]), formats, stranger)
    assert len(formats.export()) == 4


# A header of another layout with the signature of UNPUBLISHED.
FORGED = "C4100204170113"


def forged_full():
    head = bytes.fromhex(FORGED)
    assert crc16(head) == crc16(frames.header(record.decode(bytes.fromhex(UNPUBLISHED))[0]))
    return frames.rebuild(head, bytes(9 + 4), 4)


def tell(telegram, formats):
    return decode(telegram, lambda address: KEY, formats=formats)


@pytest.mark.parametrize("first", [(), ("7A",), ("7A", "7B")])
@pytest.mark.parametrize("send", [plain, sealed])
def test_a_forged_format_does_not_keep_a_right_compact_frame_from_being_read(first, send):
    """One signature, two headers: the CRC over the full frame tells which. The forger speaks first, or last, and what he
    taught may even have served."""
    full, compact = unpublished()
    forged = {"7A": plain(0x7A, forged_full()), "7B": plain(0x7B, frames.compact(forged_full()))}
    for behind in ((), ("7A",), ("7A", "7B")):
        formats = Formats()
        for name in first:
            assert tell(forged[name], formats).error is None
        tell(send(0x7A, full), formats)
        for name in behind:
            tell(forged[name], formats)
        told = tell(send(0x7B, compact), formats)
        assert told.error is None and len(told.records) == 3, (first, behind)
        again = Formats(state=json.loads(json.dumps(formats.export())))
        assert tell(send(0x7B, compact), again).error is None


def test_a_forged_format_shadows_neither_a_public_one_nor_that_of_the_same_model():
    full, compact = (bytes.fromhex(text) for text in PAIRS[-1])
    head = bytes.fromhex("842C0E04030113")
    assert crc16(head) == crc16(frames.header(record.decode(full)[0]))
    formats = Formats()
    message(0x78, frames.rebuild(head, bytes(4 + 9), 4), formats)
    assert message(0x79, compact, formats).error is None
    full, compact = unpublished()
    formats = Formats()
    message(0x78, forged_full(), formats, SAME_MODEL)
    message(0x78, full, formats, Address.parse("22222222.M=CEN.V=01.T=02"))
    assert message(0x79, compact, formats).error is None


@pytest.mark.parametrize("served", [False, True])
def test_a_flood_of_plain_telegrams_does_not_push_out_what_came_encrypted(served):
    full, compact = unpublished()
    formats = Formats(size=4)
    tell(sealed(0x7A, full), formats)
    if served:
        tell(sealed(0x7B, compact), formats)
    for number in range(20):
        stranger = Address(0x0421, "%08d" % number, 1, 7)
        tell(plain(0x7A, bytes.fromhex(G5[0]), stranger), formats)
        tell(plain(0x7B, bytes.fromhex(G5[2]), stranger), formats)
    assert tell(plain(0x7B, bytes.fromhex(G5[2]), stranger), formats).error is None
    assert len(formats._fresh) <= 4 and len(formats._proven) <= 4
    assert tell(sealed(0x7B, compact), formats).error is None
    # And where all are trusted more, a plain one still finds no place, nor does it take one.
    for number in range(4):
        other = Address(0x0CAE, "%08d" % number, 1, 2)
        tell(sealed(0x7A, full, other), formats)
        tell(sealed(0x7B, compact, other), formats)
    for _ in range(2):
        tell(plain(0x7A, bytes.fromhex(G5[0]), stranger), formats)
        assert tell(plain(0x7B, bytes.fromhex(G5[2]), stranger), formats).error is None
    assert [row[1] for row in formats.export()] == [1] * 4


def test_a_format_that_has_served_comes_first():
    head, other = bytes.fromhex(UNPUBLISHED[:4] + "0413426C"), bytes.fromhex(FORGED)
    formats = Formats()
    formats.learn(METER, other, 2)
    formats.learn(METER, head)
    assert formats.candidates(METER, crc16(head)) == [head, other]  # the youngest first
    formats.prove(METER, other, 2)
    assert formats.candidates(METER, crc16(head)) == [other, head]
    assert formats.candidates(METER, crc16(head), 2) == [other]


def test_format_frames_that_contradict_themselves():
    body = bytes.fromhex(G5[1])
    for damaged in (b"", body[:1], body[:-1], body + b"\0", b"\x02" + body[1:3], body[:1] + b"\0" + body[2:]):
        told = message(0x69, damaged, None)
        assert told.error is not None or not damaged
        assert not damaged or isinstance(told.error, FormatMismatchError)
    assert message(0x69, body + b"\x2f\x2f", None).error is None
    nonsense = bytes.fromhex("0F0413")
    damaged = bytes((5,)) + bytes((crc16(nonsense) & 0xFF, crc16(nonsense) >> 8)) + nonsense
    assert type(message(0x69, damaged, None).error) is ApplicationError


def test_what_cannot_be_built():
    with pytest.raises(ApplicationError):
        frames.compact(bytes.fromhex("0413"))
    with pytest.raises(ApplicationError):
        frames.format_frame(bytes.fromhex("0078") * 127)


def test_compact_frame_on_the_wire():
    """CI 73 with its long header; 16 bytes behind the CI would be the fixed data structure of old meters."""
    full, compact = unpublished()
    formats = Formats()
    header = METER.tpl_bytes() + bytes(4)
    assert decode(support_wired.long_frame(b"\x72" + header + full), formats=formats).error is None
    assert decode(support_wired.long_frame(b"\x73" + header + compact), formats=formats).error is None
    told = decode(support_wired.long_frame(b"\x73" + header + compact[:4]), formats=formats)
    assert told.error.code == "unsupported_ci" and "fixed data structure" in told.error.message


@settings(max_examples=300)
@given(st.binary(max_size=60), st.sampled_from([0x79, 0x69, 0x78]), st.booleans())
def test_nothing_but_typed_outcomes(body, ci, with_signature):
    formats = Formats()
    message(0x78, bytes.fromhex(UNPUBLISHED), formats)
    if with_signature:
        body = unpublished()[1][:2] + body
    told = message(ci, body, formats)
    assert told.error is None or isinstance(told.error, OmsError)
    assert sum(span.end - span.start for span in explain(told)) == len(told.raw)


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from(["0413", "02FD17", "0D78", "426C", "8C0413", "01FF21", "7C", "FC03"]), max_size=12
    ),
    st.data(),
)
def test_any_layout_comes_back(texts, data):
    """decode(compact(full)) is decode(full) for whatever can be read."""
    full = b""
    for text in texts:
        full += bytes.fromhex(text) + data.draw(st.binary(max_size=5))
    records, undecoded = record.decode(full)
    if undecoded is not None or not records:
        return
    formats = Formats()
    expected = message(0x78, full, formats)
    told = message(0x79, frames.compact(full), formats)
    if told.error is None:
        assert (
            parts_of(told.records)
            == parts_of(profile.expand(record.decode(full)[0]))
            == parts_of(expected.records)
        )
    else:  # an LVAR record or text unit that can be read in two ways: refused, never misread
        assert isinstance(told.error, (FormatMismatchError, UnknownFormatError, ApplicationError))
