"""Decoded records encoded again, and random records over the whole tables encoded and decoded.

What a random record has to mean is worked out here from the text of the tables, by a reading of its own."""

import collections
import json
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.application import builder, record, telegram, texts, units
from omsnode.firmware.application.fields import SIZES
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import ci
from omsnode.tools import corpus_check

PLACE = ("function", "storage", "tariff", "subunit", "final_dife")
MEANING = PLACE + ("quantity", "unit", "qualifiers", "text", "flag")


def value(one):
    return None if one.mantissa is None else one.mantissa * Fraction(10) ** one.exponent


def meaning(one):
    return [getattr(one, name) for name in MEANING] + [value(one)]


def without_form(one, field=None):
    """The record as somebody would describe it: no bytes but the data field, and not even this if `field` is None."""
    copy = record.Record(0, b"" if field is None else bytes([field]), b"", b"", one.quantity)
    for name in MEANING + ("mantissa", "exponent"):
        setattr(copy, name, getattr(one, name))
    return copy


# --- every record of the vector files ---

# A set typed here, for where the files are not: OMS Annex N and B, EN 13757-3, captures named in the sheet.
TYPED = (
    "0C1427048502046D32371F1502FD170000",  # N.2
    "0C06270485020C13763470004C0619544401426CFF0C0B3B2701000B2A9732000A5A43040A5E510202FD170000",
    "0DFD0C0434474B420AFD0D05010AFD0E01010AFD0F0001",  # N.7
    "0E026099010000000E823C513000000000CD016DE20330CE01039519000000008D018313037AFE05",  # N.13, shortened
    "868081006D0000A04111358490810003F04902008D908100831E0A34FEA086010060EA0000",  # F.2.6
    "8C04131310000082046C1F158D0493130A7AFE5802320314024401",  # OMS-P G.7
    "9410AD6F000000009410DA6F32147A18848F0F6D0000E1F1",  # Landis+Gyr T230
    "3C2ADDB4EBDD0C7B020300000C2C5854000002FC0348522574D411",  # ABB, Sensus, Elvaco
    "0CFCA27304" + "6C61676926084275" + "81 30FD23A0 21FD719C 02FD9F1D4032 07790403020124400104",
    "055B22F32642 4C937D78563412 0CE8C87301000000 0CFB80FDFC1001000000 C28200FB007B00 0FAABB",
)


def check(records, to_meter, count):
    for one in records:
        if not one.dib:  # an entry of a compact profile
            continue
        whole = one.dib + one.vib + one.data
        assert builder.encode_record(one, to_meter) == whole
        count["to the same bytes"] += 1
        if not one.vib:
            continue
        # From the meaning alone, to bytes that mean the same; where other ones, why.
        try:
            bare = builder.encode_record(without_form(one, one.dib[0] & 0x0F), to_meter)
        except MisuseError:
            # Raw data, profiles, type L: no meaning to encode.
            assert one.mantissa is None and one.text is None, one
            assert "raw data" in one.flag or "type L" in one.flag or "profile" in one.qualifiers[-1], one
            count["only the bytes say it"] += 1
            continue
        if bare == whole:
            count["from the meaning alone, to the same bytes"] += 1
            continue
        (again,), undecoded = record.decode(bare, to_meter)
        assert undecoded is None and meaning(again) == meaning(one)
        if again.dib != one.dib:
            assert len(again.dib) < len(one.dib)
            count["fewer DIFE"] += 1
        elif again.vib != one.vib:
            count["an equivalent VIB"] += 1
        else:
            assert one.text or one.mantissa == 0 or one.flag in ("invalid", "not a number"), one
            count["with spare bits of a date, a zero or an invalid value differently"] += 1


def test_typed_records_are_encoded_to_the_same():
    count = collections.Counter()
    for text in TYPED:
        records, undecoded = record.decode(bytes.fromhex(text))
        assert undecoded is None
        check(records, False, count)
    assert count["to the same bytes"] == 45
    assert count["from the meaning alone, to the same bytes"] >= 28


def test_every_record_of_the_vector_files_is_encoded_to_the_same(shared, record_property):
    files = shared / "vectors"
    count = collections.Counter()
    content = json.loads((files / "application.json").read_text(encoding="utf-8"))
    for vector in content["vectors"]:
        to_meter = vector["direction"] == "collector_to_meter"
        check(record.decode(bytes.fromhex(vector["hex"]), to_meter)[0], to_meter, count)
    for vector in content["frame_vectors"]:
        if "full_after_ci" in vector:
            check(record.decode(bytes.fromhex(vector["full_after_ci"]))[0], False, count)
    for example in json.loads((files / "annex-n.json").read_text(encoding="utf-8"))["examples"]:
        if example.get("application_data"):
            data = bytes.fromhex(example["application_data"])
            check(record.decode(data)[0], False, count)
    for entry in json.loads((files / "corpus.json").read_text(encoding="utf-8"))["telegrams"]:
        check(corpus_check.decode(entry).records, False, count)
    secured = json.loads((files / "security.json").read_text(encoding="utf-8"))
    for entry in secured["telegrams"] + secured["constructed"]:
        if entry.get("telegram_hex"):
            key = Key.from_hex(entry["key"]) if entry.get("key") else None
            told = telegram.decode(bytes.fromhex(entry["telegram_hex"]), lambda *_, key=key: key)
            check(told.records, told.tpl is not None and told.tpl.direction == ci.DOWN, count)
    for name in sorted(count):
        record_property("records of the vector files encoded " + name, count[name])
    assert count["to the same bytes"] > 2200
    assert count["from the meaning alone, to the same bytes"] > 1900


# --- random records ---


def rows(table):
    """[(code, low bits, fields)] of every code of a table."""
    out = []
    for line in table.strip("\n").split("\n"):
        head, _, rest = line.partition(" ")
        code, _, bits = head.partition(":")
        for low in range(1 << int(bits)):
            out.append((int(code, 16) + low, low, (rest.split("|") + ["", "", ""])[:4]))
    return out


class Meant:
    """What VIF and VIFEs say, as the comments of units.py explain their rows."""

    def __init__(self, quantity, unit, exponent, kind):
        self.quantity, self.unit, self.exponent, self.kind = quantity, unit or None, exponent, kind
        self.step = Fraction(1)
        if kind == "Q":
            self.step, self.kind = Fraction(1, 4096), "C"
        self.names = []  # qualifiers to ask for
        self.shown = []  # qualifiers that the record has
        self.constant = Fraction(0)
        self.flag = self.error = None

    def apply(self, code, low, fields):
        name, effect, argument = fields[:3]
        self.names.append(name or SILENT[code])
        if effect == "F":
            self.error = name
            return
        if name:
            self.shown.append(name)
        if effect == "P":
            self.unit = (self.unit or "1") + argument
        elif effect in ("U", "O"):
            self.unit = argument.split(",")[low] or None
            self.exponent, self.step, self.kind = 0, Fraction(1), "" if effect == "U" else "C"
        elif effect == "T":
            self.unit, self.exponent, self.step, self.kind = None, 0, Fraction(1), "T"
        elif effect == "E":
            self.factor = int(argument) + low
        elif effect == "A":
            self.constant += Fraction(10) ** (int(argument) + low)
        elif effect == "N":
            self.unit, self.flag = None, name
        elif effect == "S":
            self.kind = self.kind if self.quantity == "error flags" else "X"
        elif effect:
            self.kind = effect

    factor = 0


SILENT = {0: "no error", 0x7D: "times 10^3", 0x7C11: "unsigned", 0x7C12: "bits"}
SILENT.update((0x70 + n, "times 10^%d" % (n - 6)) for n in range(8))
SILENT.update((0x78 + n, "plus 10^%d" % (n - 3)) for n in range(4))

VIFS = [
    (fields[0], fields[1].split(",")[low] if "," in fields[1] else fields[1], "," in fields[1], low, fields)
    for table in (units.PRIMARY, units.FB, units.FD, units.FD_FD)
    for _, low, fields in rows(table)
]
TEXT_ROWS = [(line.split("|") + ["", "", ""])[1:5] for line in texts.TEXTS.strip("\n").split("\n")]
VIFES = rows(units.VIFE) + [(0x7C00 + code, low, fields) for code, low, fields in rows(units.FC)]
ACTIONS = rows(units.ACTIONS)
SETS = {"fields": (1, 2, 3, 4, 6, 7, 9, 10, 11, 12, 14), "dates": (2, 3, 4, 6, 13)}

two = "{:02d}".format


@st.composite
def vibs(draw, to_meter):
    if draw(st.integers(0, 9)):
        quantity, unit, listed, low, fields = draw(st.sampled_from(VIFS))
        meant = Meant(quantity, unit, int(fields[2] or 0) + (0 if listed else low), fields[3])
        meant.plain = False
    else:
        quantity, unit, exponent, kind = draw(st.sampled_from(TEXT_ROWS))
        meant = Meant(quantity, unit, int(exponent or 0), kind)
        meant.plain = True
    for code, low, fields in draw(
        st.lists(st.sampled_from(VIFES), max_size=4, unique_by=lambda row: row[2][0])
    ):
        # One multiplier, one error; errors have the codes of actions in the other direction; a silent VIFE cannot stand
        # before one that sets the kind of data anew, because a record does not tell about it.
        if (
            (fields[1] == "E" and meant.factor)
            or (fields[1] == "F" and (meant.error or to_meter))
            or code == 0
        ):
            continue
        meant.apply(code, low, fields)
    if to_meter:
        meant.apply(*draw(st.sampled_from(ACTIONS)))
    meant.exponent += meant.factor
    return meant


def limits(field, kind):
    size = SIZES[field]
    if field >= 9:
        return 1 - 10 ** (2 * size - 1), 100**size - 1
    if kind in ("C", "D"):
        return 0, 256**size - (2 if kind == "C" else 1)
    return -(256**size // 2) + 1, 256**size // 2 - 1


@st.composite
def dates(draw):
    """(data field, text, flag) of types F, G, I, J and M, with wildcards."""
    field = draw(st.sampled_from(SETS["dates"]))
    year = draw(st.integers(*{2: (2000, 2099), 6: (2000, 2099), 4: (1981, 2299)}.get(field, (1971, 2100))))
    day = draw(st.dates().map(lambda day: day.replace(year=2000)))  # February 29 only every year
    if day.month == 2 and day.day == 29 and (year % 4 or (year % 100 == 0 and year % 400)):
        day = day.replace(day=28)
    year, month, day = "%04d" % year, two(day.month), two(day.day)
    clock = [two(draw(st.integers(0, 23))), two(draw(st.integers(0, 59))), two(draw(st.integers(0, 59)))]
    if field == 13:
        if draw(st.booleans()):
            number = draw(st.integers(0, 256**8))
            return field, "PT%dS" % number, "inferred layout"
        offset = draw(st.sampled_from(("Z", "+01:00", "-12:00", "+14:00")))
        part = draw(st.sampled_from(("", ".5", ".00390625", ".000030517578125")))
        return (
            field,
            "{}-{}-{}T{}{}{}".format(year, month, day, ":".join(clock), part, offset),
            "inferred layout",
        )
    every = draw(st.sets(st.sampled_from("ymdHMS"))) if draw(st.booleans()) else ()
    if "y" in every and (month, day) == ("02", "29"):
        day = "28"
    date = "-".join(
        ["****" if "y" in every else year, "**" if "m" in every else month, "**" if "d" in every else day]
    )
    clock = ["**" if name in every else text for name, text in zip("HMS", clock, strict=True)]
    text = {
        2: date,
        3: ":".join(clock),
        4: date + "T" + ":".join(clock[:2]),
        6: date + "T" + ":".join(clock),
    }[field]
    return field, text, "wildcard" if "*" in text else None


@st.composite
def cases(draw):
    """(record without bytes, arguments of build, value for the data, whether the direction is to the meter)."""
    to_meter = draw(st.booleans())
    meant = draw(vibs(to_meter))
    one = record.Record(0, b"", b"", b"", meant.quantity)
    one.function = draw(st.sampled_from(("instantaneous", "maximum", "minimum", "error")))
    one.storage = draw(st.sampled_from((0, 1, 2, 31, 32, 2**41 - 1)) | st.integers(0, 2**41 - 1))
    one.tariff = draw(st.sampled_from((0, 1, 2**20 - 1)) | st.integers(0, 2**20 - 1))
    one.subunit = draw(st.sampled_from((0, 1, 2**10 - 1)))
    one.final_dife = draw(st.booleans())
    one.unit, one.qualifiers, one.flag = meant.unit, tuple(meant.shown), meant.flag
    kind = meant.kind
    number = None
    if meant.error:
        field, data, one.flag = 4, bytes(4), meant.error
    elif kind in ("X", "L"):
        body = draw(st.binary(max_size=30))
        field, data = 13, builder.container(body)
        one.flag = "raw data" if kind == "X" else "data field does not fit"
    elif kind == "T":
        field, data, flag = draw(dates())
        one.text, one.flag = data, flag or meant.flag
    elif kind == "K":
        numbers = draw(st.tuples(*[st.integers(1, 12)] * 2, *[st.integers(1, 28)] * 2, st.integers(0, 3)))
        data = "{:02d}-{:02d}T{}/{:02d}-{:02d} {}{} GMT+{} {}".format(
            numbers[0],
            numbers[2],
            draw(st.sampled_from(("00", "23", "**"))),
            numbers[1],
            numbers[3],
            draw(st.sampled_from("+-")),
            numbers[4],
            draw(st.sampled_from(("00", "01", "23", "**"))),
            draw(st.sampled_from(("on", "off"))),
        )
        field, one.text, one.flag = 4, data, "inferred layout"
    elif draw(st.integers(0, 5)) == 0:
        field, data = 13, draw(st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=191))
        one.text = data
    elif draw(st.integers(0, 5)) == 0:
        field = 13
        bits = 8 * draw(st.integers(1, 15))
        low, high = (0, 2**bits - 2) if kind in ("C", "D") else (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1)
        number = data = draw(st.sampled_from((low, high)) | st.integers(low, high))
    elif draw(st.integers(0, 5)) == 0:
        field = 5
        data = (draw(st.integers(-(10**6), 10**6)), draw(st.integers(-9, 9)))
        number = data[0] * Fraction(10) ** data[1]
    else:
        field = draw(st.sampled_from(SETS["fields"]))
        if field == 7 and meant.quantity == "identification":
            field = 4
        low, high = limits(field, kind)
        number = data = draw(st.sampled_from((low, high)) | st.integers(low, high))
    if number is not None:
        exact = number * meant.step * Fraction(10) ** meant.exponent + meant.constant
        one.exponent = -40
        one.mantissa = exact * 10**40
        assert one.mantissa.denominator == 1
        one.mantissa = int(one.mantissa)
    arguments = dict(
        quantity=meant.quantity,
        unit=meant.unit,
        exponent=meant.exponent,
        data_field=field,
        qualifiers=meant.names,
        to_meter=to_meter,
        plain_text=meant.plain,
        **{name: getattr(one, name) for name in PLACE},
    )
    return one, arguments, data, meant, to_meter


@settings(max_examples=600)
@given(cases())
def test_random_records_over_the_whole_tables(case):
    """Built from what the tables say, decoded to just that; encoded from the meaning, decoded to the meaning."""
    one, arguments, data, meant, to_meter = case
    dib, vib = _built(arguments, meant)
    if isinstance(data, tuple):
        whole = builder.record(dib, vib, *_real(data, meant), to_meter)
    else:
        whole = builder.record(dib, vib, data, to_meter=to_meter)
    assert read(whole, to_meter) == meaning(one)
    if meant.error is None and meant.kind in ("X", "L"):
        with pytest.raises(MisuseError):
            builder.encode_record(one, to_meter)
        return
    decoded = record.decode(whole, to_meter)[0][0]
    assert builder.encode_record(decoded, to_meter) == whole
    if not meant.constant:  # which is in the value, and not told otherwise
        assert read(builder.encode_record(one, to_meter), to_meter) == meaning(one)


def _built(arguments, meant):
    # In the order drawn: an order of Annex B would make another record of the same VIFEs.
    from omsnode.firmware.application import dib, reverse

    place = [arguments[name] for name in PLACE]
    head = dib.build(arguments["data_field"], *place)
    names = [
        arguments[name] for name in ("quantity", "unit", "exponent", "qualifiers", "to_meter", "plain_text")
    ]
    return head, reverse.vib(*names, ordered=True)


def _real(data, meant):
    """(mantissa, exponent) of the physical value."""
    exact = data[0] * Fraction(10) ** data[1] * meant.step * Fraction(10) ** meant.exponent + meant.constant
    return int(exact * 10**40), -40


def read(data, to_meter):
    records, undecoded = record.decode(data, to_meter)
    assert undecoded is None and len(records) == 1
    return meaning(records[0])


# --- what it is good for ---


def test_a_changed_record_keeps_its_form():
    one = record.decode(bytes.fromhex("CC80800093FD3C08640000"))[0]
    assert [r.mantissa for r in one] == [6408]
    one[0].mantissa = 6409
    assert builder.encode_record(one[0]).hex().upper() == "CC80800093FD3C09640000"
    one[0].storage = 2
    assert builder.encode_record(one[0]).hex().upper() == "8C810093FD3C09640000"
    one[0].unit = "acre feet"
    with pytest.raises(MisuseError):
        builder.encode_record(one[0])


def test_a_described_record_is_sent_the_shortest_way():
    one = record.Record(0, b"", b"", b"", "volume")
    one.unit, one.mantissa, one.exponent = "m3", 6408, -3
    assert builder.encode_record(one).hex().upper() == "02130819"
    one.mantissa, one.exponent = 5, 4  # OMS-B VM02
    assert builder.encode_record(one).hex().upper() == "01FB1132"
    one.mantissa, one.exponent = 1, -9
    assert builder.encode_record(one).hex().upper() == "01907301"
    one = record.Record(0, b"", b"", b"", "model version")
    one.text = "BKG4"
    assert builder.encode_record(one).hex().upper() == "0DFD0C0434474B42"
    one = record.Record(0, b"", b"", b"", "date and time")
    one.text = "2008-05-31T23:50"
    assert builder.encode_record(one).hex().upper() == "046D32371F15"
    one.text = None
    one.flag = "invalid"
    assert builder.encode_record(one).hex().upper() == "026DFFFF"
