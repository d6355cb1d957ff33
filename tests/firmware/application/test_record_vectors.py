"""All record vectors beside the repository: structure, unit and value of each record, and encoding them again."""

import json
from fractions import Fraction

import pytest
from omsnode.firmware.application import builder, record

FUNCTIONS = {"inst": "instantaneous", "max": "maximum", "min": "minimum", "err": "error"}

# Their unit names -> ours; units of dates and of what has none are None with us.
UNITS = {"degC": "°C", "hca_unit": "HCA", "": None, "date": None, "datetime": None, "deg": "°"}

# Units that the vectors leave out because the quantity says them.
IMPLIED = {"storage_interval_months": "month"}

# Where we decide against the file: (vector, record) -> our value and why.
DECIDED = {
    ("lb-example-data-01", 4): (
        Fraction(41737434, 10**6),
        "the file prints seven digits of a real, 41.73743, which names another float (21F32642)",
    ),
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
    assert one.unit == unit
    value = DECIDED[name, row["i"]][0] if (name, row["i"]) in DECIDED else expected_value(row)
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


def test_every_vector_is_encoded_again(vectors):
    for vector in vectors["vectors"]:
        for one in record.decode(bytes.fromhex(vector["hex"]))[0]:
            if not one.vib:
                continue
            whole = one.dib + one.vib + one.data
            assert builder.record(one.dib, one.vib, one.data) == whole
            if one.mantissa is not None:
                assert builder.record(one.dib, one.vib, one.mantissa, one.exponent) == whole
            elif one.text is not None and one.flag is None and len(one.data) != 6:
                again = record.decode(builder.record(one.dib, one.vib, one.text))[0][0]
                assert again.text == one.text
