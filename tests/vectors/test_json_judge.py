"""The published vectors through the command line: an own comparer on the JSON, written from the vectors' conventions.

Whoever wrote this did not write the decoder and did not read it: annex-n.json and application.json say what is right;
the units and names below are those of the published JSON.
"""

import json
import subprocess
import sys
from decimal import Decimal

import pytest

FUNCTIONS = {"inst": "instantaneous", "max": "maximum", "min": "minimum", "err": "error"}
UNITS = {"degC": "°C", "hca_unit": "HCA", "deg": "°"}
# Quantity of a vector -> what the JSON calls it, where that is not the same with blanks.
QUANTITIES = {
    "date_time": ("date and time",),
    "hca": ("heat cost allocation",),
    "fabrication_no": ("fabrication number",),
    "other_sw_version": ("other software version",),
    "metrology_fw_version": ("metrology firmware version",),
    "unique_message_id": ("unique message identification",),
    "tariff_subunit_descriptor": ("tariff and subunit descriptor",),
    "nominal_transmit_period": ("nominal transmission period",),
    "storage_interval_months": ("storage interval",),
    "tariff_duration": ("duration of tariff",),
    "parameter_activation_state": ("parameter activation state",),
    "battery_life": ("remaining battery life",),
    "phase_uu": ("phase angle voltage to voltage",),
    "max_power_cum": ("cumulated maximum of active power",),
    "plain_text_unit": (
        "plain text unit",
        "smoke status",
        "test button operations",
        "alarms",
        "relative humidity",
    ),
    "reserved": ("unknown VIF 7B",),
}
# Combinable VIFE of a vector -> the word for it behind the quantity; None: it changes the value only.
WORDS = {
    "compact_profile": "compact profile",
    "compact_profile_registers": "compact profile with register numbers",
    "compact_profile_inverse": "inverse compact profile",
    "standard_content": "standard conform",
    "accum_positive": "forward",
    "accum_abs_negative": "backward",
    "accum_absolute": "absolute",
    "delta_import_export": "delta between import and export",
    "base_conditions": "at base conditions",
    "uncorrected": "at measurement conditions",
    "upper_limit": "upper limit",
    "future": "future",
    "date_of_end_last": "end of last",
    "duration_of_last_lower_exceed_h": "duration of last lower limit exceed",
    "per_h": "per hour",
    "L2": "phase L2",
    "L3": "phase L3",
    "L2-L3": "L2-L3",
    "manufacturer": None,
    "x10^3": None,
    "x10^-2": None,
    "x10^-3": None,
}
# The same code as an action, in what a collector sends.
ACTIONS = {
    "error:none": "write",
    "error:action_not_implemented": "get",
    "error:illegal_vif_group": "add to readout list",
    "error:illegal_vif_exponent": "delete from readout list",
    "error:too_many_dife": "add to value",
}


def decode(telegrams, *options):
    """JSON objects of `omsnode decode`."""
    done = subprocess.run(
        [sys.executable, "-m", "omsnode.tools.cli", "decode", *options],
        input="\n".join(telegrams),
        capture_output=True,
        encoding="utf-8",
        timeout=240,
    )
    assert done.stderr == ""
    objects = [json.loads(line, parse_float=Decimal) for line in done.stdout.splitlines()]
    assert len(objects) == len(telegrams)
    return objects


def differences(found, expected, **texts):
    """["name: found, expected"] of what differs. texts: name = what is expected there, or a tuple of what may be."""
    out = []
    for name, wanted in {**expected, **texts}.items():
        allowed = wanted if isinstance(wanted, tuple) else (wanted,)
        if found[name] not in allowed:
            out.append("{}: {!r}, expected {!r}".format(name, found[name], wanted))
    return out


def common(found, expected):
    data = expected.get("lvar", "") + expected["data"] if "data" in expected else found["data"]
    return differences(
        found,
        {name: expected[name] for name in ("dib", "vib", "storage", "tariff", "subunit")},
        function=FUNCTIONS.get(expected["function"], expected["function"]),
        data=data,
    )


def same(found, text):
    """Whether a JSON value is this decimal string or text, exactly."""
    if isinstance(found, (int, Decimal)):
        return text is not None and Decimal(found) == Decimal(
            int(text, 16) if text.startswith("0x") else text
        )
    return found == text


def own(records):
    """Records of the telegram itself: those that a compact profile stands for have no VIB and no DIB."""
    return [one for one in records if one["dib"]]


def expanded(records, profile):
    """The JSON records that follow a profile record."""
    at = next(n for n, one in enumerate(records) if one is profile) + 1
    out = []
    while at < len(records) and not records[at]["dib"]:
        out.append(records[at])
        at += 1
    return out


# --- OMS Vol.2 Annex N ---


def key_of(example):
    keys = example.get("keys", {})
    return keys.get("key") or keys.get("master_key")


def annex_record(found, expected):
    out = common(found, expected)
    value, unit = expected["value"], expected["unit"]
    if isinstance(value, dict):  # a compact profile
        return out + differences(found, {"value": None, "flag": "values follow"})
    if unit == "raw":  # type M: its layout is inferred, and marked so
        return out + differences(found, {"flag": "inferred layout"})
    if unit in ("m3", "Wh", "HCA", "s"):
        out += differences(found, {"unit": unit, "flag": None})
    else:
        out += differences(found, {"unit": None, "flag": None})
    if not same(found["value"], value):
        out.append("value: {!r}, expected {!r}".format(found["value"], value))
    return out


def annex_tags(found, expected):
    """OBIS and data point: only what the annex has, the first of two."""
    tags, codes = expected.get("oms_tags") or [None], expected.get("obis") or [None]
    out = differences(found, {"data_point": tuple(tags)})
    if found["obis"] not in codes:
        out.append("obis: {!r}, expected {!r}".format(found["obis"], codes))
    return out


@pytest.fixture
def annex(shared):
    return json.loads((shared / "vectors" / "annex-n.json").read_text(encoding="utf-8"))["examples"]


_objects: dict[str, dict] = {}


def annex_objects(annex):
    """{id: JSON}, by one run of the command for each key. What it tells with the last of several telegrams is the
    message's."""
    whole = {part: example for example in annex for part in example.get("fragments", ())}
    objects, runs = _objects, {}
    for example in annex if not objects else ():
        assert example["status"] == "verified"
        raw = example.get("bytes_without_crc") or example.get("bytes_on_bus")
        if raw:
            key = key_of(whole.get(example["id"], example))
            runs.setdefault(key, []).append((example["id"], raw))
    for key, run in runs.items():
        found = decode([raw for _, raw in run], *(["--key", key] if key else []))
        objects.update(zip([ident for ident, _ in run], found, strict=True))
    for example in annex if runs else ():
        if "fragments" in example:
            objects[example["id"]] = objects[example["fragments"][-1]]
    return objects


def test_annex_n(annex, record_property):
    """Every verified example whose security is built, wireless and wired, with every record, its value and unit."""
    objects = annex_objects(annex)
    wrong, compared, closed = [], 0, []
    parts = {part for example in annex for part in example.get("fragments", ())}
    last = {example["fragments"][-1] for example in annex if "fragments" in example}
    for example in annex:
        one, ident = objects[example["id"]], example["id"]
        code = one["error"] and one["error"]["code"]
        if ident in parts:
            assert code == (None if ident in last else "incomplete"), ident
            continue
        if one["security"]["verdict"] == "unsupported":
            closed.append(ident)  # its security is not built
            continue
        if example.get("tpl", {}).get("ci") in ("C3", "C4") and not one["records"]:
            # a block of its own security, whose MAC is not checked here: its record is told, but is no reading
            for theirs in example.get("records", []):
                fields = one["protocol"]["fields"]
                told = fields["apdu"], fields["apdu_meaning"]
                if told != (theirs["dib"] + theirs["vib"] + theirs["data"], "remote control 0"):
                    wrong.append("{}: {!r}".format(ident, told))
                compared += 1
            continue
        if code:
            wrong.append("{}: {}".format(ident, code))
            continue
        if "bytes_on_bus" in example:
            assert one["link"]["format"] == "wired" and one["link"]["address"] is None
        expected = example.get("records", [])
        found = own(one["records"])
        if len(found) != len(expected):
            wrong.append("{}: {} records, expected {}".format(ident, len(found), len(expected)))
            continue
        for ours, theirs in zip(found, expected, strict=True):
            compared += 1
            for text in annex_record(ours, theirs):
                wrong.append(
                    "{} record {} ({} {}): {}".format(ident, theirs["n"], theirs["dib"], theirs["vib"], text)
                )
        wrong += annex_profile(ident, one["records"], example)
    record_property(
        "annex N", "{} records compared, not open: {}".format(compared, " ".join(closed) or "none")
    )
    assert not wrong, "\n".join(wrong)
    assert compared >= 64


def test_annex_n_headers(annex):
    """Addresses, access number, status, CI, mode and kind of frame; of a fragment only what stands in front of it."""
    objects, wrong = annex_objects(annex), []
    for example in annex:
        one, tpl = objects[example["id"]], example.get("tpl") or {}
        expected, link = {}, example.get("link_address")
        meter = tpl.get("application_address") or link
        if meter and not (one["error"] and "a_field" in example):
            expected.update({name: meter[name] for name in ("id", "manufacturer", "version")})
            expected["type_code"] = int(meter["type_code"], 16)
        if tpl and not one["error"]:
            expected["ci_field"] = tpl["ci"]
            expected["access_number"] = int(tpl["access_number"], 16)
        wrong += [(example["id"], text) for text in differences(one, expected)]
        if tpl and not one["error"]:
            found = (one["status"]["byte"], one["security"]["mode"])
            if found != (int(tpl["status"], 16), tpl["security_mode"]):
                wrong.append((example["id"], found))
        if "fragments" in example:
            continue
        expected = {"c_field": example["message_type"]}
        if "a_field" in example:
            expected.update(primary_address=int(example["a_field"], 16), address=None, format="wired")
        if link:
            expected["address"] = "{}.M={}.V={:02x}.T={}".format(
                link["id"], link["manufacturer"], link["version"], link["type_code"].lower()
            )
        wrong += [(example["id"], text) for text in differences(one["link"], expected)]
    assert not wrong


def test_annex_n_data_points_and_obis(annex):
    """What the annexes A and B have for a record stands in the JSON, and nothing else."""
    objects, wrong, named = annex_objects(annex), [], 0
    for example in annex:
        records = own(objects[example["id"]]["records"])
        for ours, theirs in zip(records, example.get("records", [])):  # noqa: B905  their number: test_annex_n
            named += ours["data_point"] is not None
            for text in annex_tags(ours, theirs):
                wrong.append("{} ({} {}): {}".format(example["id"], theirs["dib"], theirs["vib"], text))
    assert not wrong, "\n".join(wrong)
    assert named >= 50


def annex_profile(ident, records, example):
    """Differences of the values that stand in a compact profile."""
    profile = example.get("expanded_profile")
    if not profile:
        return []
    values = [one for one in records if not one["dib"]]
    if "values_m3" in profile:
        ours = [(one["time"], one["value"]) for one in values]
        theirs = [(time, Decimal(value)) for time, value in profile["values_m3"]]
        return [] if ours == theirs else ["{} profile: {!r}, expected {!r}".format(ident, ours, theirs)]
    out = []
    for name, theirs in profile.items():
        if name.endswith("_Wh"):
            backward = "export" in name
            ours = [one["value"] for one in values if ("backward" in one["quantity"]) == backward]
            if [Decimal(x) for x in ours] != [Decimal(str(x)) for x in theirs]:
                out.append("{} {}: {!r}, expected {!r}".format(ident, name, ours, theirs))
    times = ["-PT{}S".format(profile["spacing_s"] * (n + 1)) for n in range(len(values) // 2)]
    if [one["time"] for one in values if "backward" not in one["quantity"]] != times:
        out.append("{}: times of the profile".format(ident))
    return out


# --- application.json ---


def vector_telegram(vector):
    """A telegram without security around the bytes of a vector: CI 78, or 51 for what a collector sends."""
    down = vector["direction"] == "collector_to_meter"
    body = bytes.fromhex("53" if down else "44") + bytes.fromhex("9315785634123303")
    body += bytes([0x51 if down else 0x78]) + bytes.fromhex(vector["hex"])
    return (bytes([len(body)]) + body).hex()


def vector_record(found, expected, down):
    if "special" in expected:
        more = expected["special"].endswith("more_follows")
        return differences(
            found,
            {
                "quantity": "manufacturer data",
                "dib": "1F" if more else "0F",
                "vib": "",
                "data": expected["data"],
            },
            flag="more records follow" if more else "raw data",
        )
    out = common(found, expected)
    words = found["quantity"].split(", ")
    names = QUANTITIES.get(expected["quantity"], (expected["quantity"].replace("_", " "),))
    if words[0] not in names:
        out.append("quantity: {!r}, expected {!r}".format(words[0], names))
    for name in expected.get("vife", ()):
        word = ACTIONS[name] if down and name.startswith("error:") else WORDS.get(name, name)
        if name[0] == "m" and name[1:].isalnum() and len(name) == 3:
            word = "manufacturer " + name[1:]
        if word is not None and word not in words[1:]:
            out.append("quantity: {!r} without {!r}".format(found["quantity"], word))
    unit = expected["unit"]
    if (
        unit in ("", "date", "datetime", "DS3", "#FT", "#AL")
        or expected["type"] in ("raw", "profile")
        and not unit
    ):
        unit = None
    if expected["quantity"] == "storage_interval_months":
        unit = "month"  # in its name there
    if unit == "%RH":
        unit = ("%", "%RH")
    out += differences(found, {}, unit=UNITS.get(unit, unit) if isinstance(unit, str) else unit)
    return out + vector_value(found, expected)


def vector_value(found, expected):
    value, flag = expected["value"], found["flag"]
    if expected["type"] == "profile":
        return []  # compared with its values
    if expected["type"] == "M":
        return differences(found, {"flag": "inferred layout"})
    if (
        expected["type"] == "H" and found["value"] is not None
    ):  # the vector has seven digits, not the same 32 bits
        found = {**found, "value": Decimal(found["value"]).quantize(Decimal(value))}
    out = [] if same(found["value"], value) else ["value: {!r}, expected {!r}".format(found["value"], value)]
    if "bcd_digits_msd_first" in expected:
        return out + differences(found, {"flag": "error digits " + expected["bcd_digits_msd_first"]})
    if expected.get("invalid"):
        return out + differences(found, {"flag": "invalid"})
    if value is None:
        return out + (
            [] if flag in ("raw data", "no data", "not set") else ["flag: {!r} of a null".format(flag)]
        )
    wanted = "wildcard" if "*" in value else "malformed VIF" if expected["quantity"] == "reserved" else None
    return out + differences(found, {"flag": wanted})


def vector_profiles(ident, records, vector):
    """Differences of expanded profiles."""
    out = []
    profiles = [one for one in records if "compact profile" in one["quantity"]]
    expected = vector.get("profile_expanded", [])
    if len(profiles) != len(expected):
        return ["{}: {} profiles, expected {}".format(ident, len(profiles), len(expected))]
    for one, theirs in zip(profiles, expected, strict=True):
        if one["dib"] + one["vib"] != theirs["of"]:
            out.append("{}: profile {} {}, expected {}".format(ident, one["dib"], one["vib"], theirs["of"]))
        values = expanded(records, one)
        if theirs.get("rejected"):
            if values or one["flag"] in (None, "values follow"):
                out.append("{}: a profile that is to be rejected: {!r}".format(ident, one))
            continue
        if len(values) != len(theirs["entries"]):
            out.append("{}: {} values, expected {}".format(ident, len(values), len(theirs["entries"])))
            continue
        for ours, entry in zip(values, theirs["entries"], strict=True):
            if not same(ours["value"], entry["value"]) or ours["unit"] != entry["unit"]:
                out.append("{}: {!r}, expected {!r}".format(ident, ours, entry))
            if ours["storage"] != entry["storage"]:
                out.append("{}: storage {}, expected {!r}".format(ident, ours["storage"], entry))
            time = entry.get("time")
            if "offset_s" in entry:
                time = "{}PT{}S".format("-" if entry["offset_s"] < 0 else "", abs(entry["offset_s"]))
            if time and ours["time"] not in (time, time + ":00"):  # seconds where the base time has them
                out.append("{}: time {!r}, expected {!r}".format(ident, ours["time"], entry))
    return out


@pytest.fixture
def vectors(shared):
    return json.loads((shared / "vectors" / "application.json").read_text(encoding="utf-8"))


def test_application_records(vectors, record_property):
    """All record vectors: every record with DIB, VIB, data, numbers, quantity, qualifiers, unit, value and flag."""
    wrong, compared = [], 0
    objects = decode([vector_telegram(vector) for vector in vectors["vectors"]])
    for vector, one in zip(vectors["vectors"], objects, strict=True):
        ident, down = vector["id"], vector["direction"] == "collector_to_meter"
        if one["error"]:
            wrong.append("{}: {}".format(ident, one["error"]))
            continue
        found = own(one["records"])
        if len(found) != len(vector["records"]) or one["undecoded"]:
            wrong.append("{}: {} records, {!r}".format(ident, len(found), one["undecoded"]))
            continue
        for ours, theirs in zip(found, vector["records"], strict=True):
            compared += 1
            for text in vector_record(ours, theirs, down):
                wrong.append(
                    "{} record {} ({} {}): {}".format(ident, theirs["i"], ours["dib"], ours["vib"], text)
                )
        wrong += vector_profiles(ident, one["records"], vector)
    record_property("application.json", "{} records of {} vectors".format(compared, len(vectors["vectors"])))
    assert not wrong, "\n".join(wrong)
    assert len(vectors["vectors"]) == 118


def bare(ci, payload, number=12):
    """A telegram from a meter, no header, with this CI. number: two digits of its identification."""
    body = bytes.fromhex("4493157856{:02}123303".format(number)) + bytes([ci]) + bytes.fromhex(payload)
    return (bytes([len(body)]) + body).hex()


def test_application_frames(vectors):
    """Full frame, then the compact frame of the same meter; format frame, then compact: the same records."""
    wrong, telegrams = [], []
    pairs = [vector for vector in vectors["frame_vectors"] if vector["kind"] == "compact_frame_pair"]
    for number, vector in enumerate(pairs):
        full, compact = vector["full_after_ci"], vector["compact_after_ci"]
        header = vector["format_header_bytes"]
        frame = "{:02X}{}{}".format(2 + len(header) // 2, compact[:4], header)
        assert vector.get("format_frame_after_ci") in (None, frame)
        telegrams += [bare(0x78, full, number), bare(0x79, compact, number)]
        telegrams += [bare(0x69, frame, 50 + number), bare(0x79, compact, 50 + number)]
    objects = iter(decode(telegrams))
    for vector in pairs:
        full, compact, _, after_format = (next(objects) for _ in range(4))
        for one in (full, compact, after_format):
            if one["error"] or one["undecoded"]:
                wrong.append("{}: {!r} {!r}".format(vector["id"], one["error"], one["undecoded"]))
        if not full["records"] == compact["records"] == after_format["records"]:
            wrong.append("{}: the records differ".format(vector["id"]))
        expected = vector.get("records")
        if expected and len(expected) != len(full["records"]):
            wrong.append("{}: {} records".format(vector["id"], len(full["records"])))
            continue
        for ours, theirs in zip(full["records"], expected or full["records"], strict=True):
            if expected:
                for text in vector_record(ours, theirs, False):
                    wrong.append("{} record {}: {}".format(vector["id"], theirs["i"], text))
    assert not wrong, "\n".join(wrong)


def test_application_protocols(vectors):
    """Application errors and the clock, by their published names."""
    wrong, telegrams = [], []
    for vector in vectors["protocol_vectors"]:
        if "frame" in vector:
            telegrams.append(vector["frame"])
        elif vector["ci"] == "6C":
            raw = "539315785634123303" + "6C" + "7856341293153303" + "2A000000" + vector["after_tpl_header"]
            telegrams.append("{:02X}{}".format(len(raw) // 2, raw))
        else:
            telegrams.append(bare(0x6E, "2A000000" + vector["after_tpl_header"]))
    for vector, one in zip(vectors["protocol_vectors"], decode(telegrams), strict=True):
        protocol = one["protocol"]
        if one["error"] or not protocol:
            wrong.append("{}: {!r} {!r}".format(vector["id"], one["error"], protocol))
            continue
        fields, told = protocol["fields"], vector["decoded"]
        if "code" in told:
            if protocol["name"] != "application error" or fields.get("error") != (told["code"] or 0):
                wrong.append("{}: {!r}, expected {!r}".format(vector["id"], protocol, told))
        else:
            ours = (
                fields["tc"],
                fields["function"],
                fields["time"],
                len(fields["reserved"]) // 2,
                fields.get("verification"),
            )
            theirs = (1, "add", told["time"], told["reserved_bytes"], told["verification"])
            if ours != theirs:
                wrong.append("{}: {!r}, expected {!r}".format(vector["id"], ours, theirs))
    assert not wrong, "\n".join(wrong)
