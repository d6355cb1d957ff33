"""All record vectors beside the repository: structure, unit and value of each record, and encoding them again."""

import json
from fractions import Fraction

import pytest
from omsnode.firmware.application import record

FUNCTIONS = {"inst": "instantaneous", "max": "maximum", "min": "minimum", "err": "error"}

# Their unit names -> ours; units of dates and of what has none are None with us.
UNITS = {"degC": "°C", "hca_unit": "HCA", "": None, "date": None, "datetime": None, "deg": "°"}

# Units that the vectors leave out because the quantity says them.
IMPLIED = {"storage_interval_months": "month"}

# Where we decide against the file: (vector, record) -> unit, value and why.
DECIDED = {
    ("lb-example-data-01", 4): (
        "°C",
        Fraction(41737434, 10**6),
        "the file prints seven digits of a real, 41.73743, which names another float (21F32642)",
    ),
    ("oms-n13-taf7", 2): (
        None,
        "PT3S",
        "type M by its inferred layout, flagged as such; the duration is the one that OMS Annex N.13 prints",
    ),
    ("exm-lansen-smk2", 0): (
        None,
        Fraction(557472),
        "OMS-B MM15: DS3 is no unit but the status of a smoke alarm",
    ),
    ("exm-lansen-smk2", 7): (None, Fraction(112), "OMS-B AD05: #FT counts test button operations"),
    ("exm-lansen-smk2", 8): (None, Fraction(325), "OMS-B AD06: #AL counts alarms"),
}

# Where the four decoders of the file do not agree: vector -> {record: value that is right}, why, and whose word it is.
DISAGREEMENTS = {
    "oms-n2-gas": ({1: "2008-05-31T23:50"}, "day 31 is a day; every day is 0", "OMS-N N.2"),
    "oms-b4-volume-due": ({0: "12345678"}, "13h is litres, VIFE 7D times 1000", "OMS-B Table B.4"),
    "oms-k-tariff": ({0: "160"}, "FD 23 is unsigned; no tariff descriptor is negative", "OMS-P Annex K"),
    "oms-k-rflimit": ({0: "-100", 1: "-97"}, "FD 71 is signed dBm", "OMS-P 8.4.5.2"),
    "oms-n13-taf7": (
        {3: "1995", 5: "305"},
        "LVAR E2 has two bytes of data, then the next record; 1995 Wh is what the bytes and the expanded list say",
        "OMS-N N.13",
    ),
    "cmd-get-ownership": ({0: None}, "data field 0 is a record without data", "OMS-B Table B.2"),
    "cmd-arl-volume": ({0: None}, "data field 0 is a record without data", "OMS-B B.1.4"),
    "cmd-drl-volume": ({0: None}, "data field 0 is a record without data", "OMS-B B.1.4"),
    "cmd-set-ala": ({0: None}, "a 64-bit identification is an address, not a number", "OMS-B note 12"),
    "cmd-appselect-arl": ({1: None}, "data field 0 is a record without data", "OMS-M UC-14"),
    "mbdoc-set-full-id": ({0: None}, "a 64-bit identification is an address, not a number", "OMS-B note 12"),
    "en-f26-profile-registers": (
        {0: "2010-01-01T00:00:00", 3: "2010-03-25T13:12:11", 5: "2010-04-01T00:00:00"},
        "type I counts years from 2000, and six bytes are no type F",
        "EN 13757-3 F.2.6",
    ),
    "oms-g2-periodic-no-profile": ({1: "1"}, "one month is not 2629743.83 seconds", "OMS-P G.2"),
    "wmbm-supercom587": ({1: "****-01-01"}, "year 127 is every year", "EN 13757-3 type G; sheet 3.3"),
    "wmbm-date-6c-as-typeF": ({0: "2022-12-22T13:12"}, "the data field tells the type", "wmbusmeters test"),
    "wmbm-date-6c-as-typeI": (
        {0: "2022-12-22T13:12:45"},
        "the data field tells the type",
        "wmbusmeters test",
    ),
    "jm-p14-cal": ({0: "7880000000"}, "FB 0D is Mcal", "EN 13757-3 Table 14; OMS-B EC01"),
    "jm-p10-typeI": ({0: "2000-01-16T00:26:34"}, "type I counts years from 2000", "EN 13757-3 F.2.6"),
    "jm-omsb-ej03": ({0: "100000000000"}, "7D multiplies behind FB codes too", "OMS-B EJ03"),
    "jm-omsb-ej06": ({0: "100000000000"}, "7D multiplies behind FB codes too", "OMS-B EJ06"),
    "jm-omsb-ew09": ({0: "100000000"}, "7D multiplies behind FB codes too", "OMS-B EW09"),
    "jm-omsb-pd02": ({0: "0.1"}, "FB 2A is tenths of a degree", "OMS-B PD02"),
    "jm-omsb-pr02": ({0: "0.000001"}, "73 is 10**-3", "OMS-B PR02"),
    "jm-omsb-pr06": ({0: "0.000001"}, "73 is 10**-3, also behind a limit", "OMS-B PR06"),
    "jm-omsb-pw06": ({0: "0.001"}, "FB 78 is its own code and no additive constant", "OMS-B PW06"),
    "jm-omsb-vm06": ({0: "0.001"}, "7D is 10**3", "OMS-B VM06"),
    "jm-omsb-vm10": ({0: "0.001"}, "7D is 10**3", "OMS-B VM10"),
    "en-c2-plain-text": ({0: "75420.826"}, "VIFEs stand before the text", "EN 13757-3 Table C.2"),
    "exm-limit-exceed": ({4: None}, "FFFF is the invalid date", "EN 13757-3 type G; sheet 3.3"),
    "pm-elvaco-cma10": (
        {1: "45.64", 2: "45.52", 3: "58.12"},
        "here they stand behind it",
        "field; sheet 2.6",
    ),
    "pm-weptech": (
        {2: "30", 4: "53.1"},
        "FB 1A is tenths; 1Eh is +30 dBm by type B, and no standard knows the 2n-130 that would make it -70",
        "EN 13757-3 Table 14; OMS-P 8.4.5.2",
    ),
    "pm-hyd-heat": ({7: None, 8: None}, "digits A-F are no number", "EN 13757-3 type A; sheet 3.1"),
    "lb-abb-f95": ({2: None, 3: None}, "digits A-F are no number", "EN 13757-3 type A; sheet 3.1"),
    "lb-rel-relay-padpuls2": ({1: None}, "the IV bit says that the time is invalid", "EN 13757-3 type F"),
    "lb-landis-gyr-ultraheat-t230": (
        {19: None, 20: None, 21: "2011-08-26T20:50", 22: "2011-08-09T11:43", 32: "****-01-01T00:00"},
        "VIFE 6F makes the record a date, which four zero bytes do not set",
        "EN 13757-3 Table 15; sheet 2.5",
    ),
    "lb-sen-pollutherm": (
        {2: "302", 3: "54580", 4: "75.5", 5: "59.4", 6: "16.076"},
        "a malformed VIF costs its record and not the rest",
        "field; sheet 2.1",
    ),
    "lb-example-binary16-lvar": ({0: None}, "LVAR F0 is 16 bytes of binary", "EN 13757-3 Table 5"),
}


@pytest.fixture
def vectors(shared):
    return json.loads((shared / "vectors" / "application.json").read_text(encoding="utf-8"))


def expected_value(row):
    value = row["value"]
    if value is None:
        return None
    if value.startswith("0x"):
        return Fraction(int(value, 16))
    return value if row["type"] in ("F", "G", "I", "J", "LVAR-text") else Fraction(value)


def our_value(one):
    if one.mantissa is not None:
        return one.mantissa * Fraction(10) ** one.exponent
    return one.text


def compare(name, row, one):
    if "special" in row:
        assert one.quantity == "manufacturer data" and one.data.hex().upper() == row["data"]
        assert (one.flag == "more records follow") == row["special"].endswith("more_follows")
        return
    ours = (one.dib.hex().upper(), one.vib.hex().upper(), one.function, one.storage, one.tariff, one.subunit)
    theirs = (
        row["dib"],
        row["vib"],
        FUNCTIONS[row["function"]],
        row["storage"],
        row["tariff"],
        row["subunit"],
    )
    assert ours == theirs
    assert one.final_dife == row.get("final_dife", False)
    unit = IMPLIED.get(row["quantity"], UNITS.get(row["unit"], row["unit"]))
    value = expected_value(row)
    if (name, row["i"]) in DECIDED:
        unit, value, _ = DECIDED[name, row["i"]]
    assert one.unit == unit
    assert our_value(one) == value
    if value is None:
        assert one.flag
    if "bcd_digits_msd_first" in row:
        assert one.flag == "error digits " + row["bcd_digits_msd_first"]
    if "data" in row:
        assert one.data.hex().upper() == row.get("lvar", "") + row["data"]


def test_record_vectors(vectors):
    rows = 0
    for vector in vectors["vectors"]:
        data = bytes.fromhex(vector["hex"])
        records, undecoded = record.decode(data, vector["direction"] == "collector_to_meter")
        assert undecoded is None, vector["id"]
        assert len(records) == len(vector["records"]), vector["id"]
        for row, one in zip(vector["records"], records, strict=True):
            compare(vector["id"], row, one)
            rows += 1
    assert len(vectors["vectors"]) == 118 and rows == 442


def test_full_frames_of_the_compact_frame_pairs(vectors):
    checked = 0
    for vector in vectors["frame_vectors"]:
        if "full_after_ci" not in vector or "records" not in vector:
            continue
        records, undecoded = record.decode(bytes.fromhex(vector["full_after_ci"]))
        assert undecoded is None
        for row, one in zip(vector["records"], records, strict=True):
            compare(vector["id"], row, one)
        checked += 1
    assert checked


def test_every_disagreement_of_the_decoders_is_decided(vectors):
    """Each vector on which the four decoders differ, or which one of them cannot read, stands in the table; the value
    said to be right there is the file's (but for DECIDED) and ours."""
    seen = set()
    for vector in vectors["vectors"]:
        if all("agrees_on" in outcome for outcome in vector["cross_check"].values()):
            continue
        seen.add(vector["id"])
        decision, reason, source = DISAGREEMENTS[vector["id"]]
        assert reason and source
        records = record.decode(bytes.fromhex(vector["hex"]), vector["direction"] == "collector_to_meter")[0]
        for index, right in decision.items():
            row = vector["records"][index]
            assert row["value"] == right or Fraction(row["value"]) == Fraction(right), (vector["id"], index)
            value = our_value(records[index])
            assert value == (expected_value({"value": right, "type": row["type"]})), (vector["id"], index)
    assert seen == set(DISAGREEMENTS)
