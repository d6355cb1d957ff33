"""The readings that the decoder does not find, from the raw bytes, by the rules that tools/corpus_rules.py prints.

    python tests/support_misses.py ../shared/vectors/corpus.json

Written by someone who did not write the decoder; nothing of omsnode is used. Exit status 1 if a rule does not give
the number. Layouts are those of the drivers of the program that the readings are from: offsets, widths and factors.
"""

import json
import sys
from fractions import Fraction

import support_own_reader as own_reader
from Crypto.Cipher import AES

KILO = Fraction(1, 1000)


def little(data):
    return int.from_bytes(data, "little")


def apator08(m):
    return {"total_m3": Fraction(little(m.body[:4]), 3000)}


def apator172(m):
    return {"total_m3": Fraction(little(m.body[:4]), 3)}


# Registers behind the status: number -> bytes of content.
_APATOR162 = {0x00: 4, 0x01: 3, 0x10: 4, 0x11: 2, 0x40: 6, 0x41: 2, 0x42: 4, 0x43: 2, 0x44: 3}
_APATOR162.update({0x71 + n: 9 + 4 * n for n in range(12)})
_APATOR162.update({n: 10 for n in (0x80, 0x81, 0x82, 0x83, 0x84, 0x86, 0x87)})
_APATOR162.update({0x85: 11, 0x88: 11, 0x8F: 11, 0x8A: 9, 0x8B: 6, 0x8C: 6, 0x8E: 7})
_APATOR162.update({0xA0: 4, 0xA1: 4, 0xA2: 1, 0xA3: 7, 0xA4: 4, 0xA5: 1, 0xA6: 3, 0xA9: 1, 0xAF: 1, 0xF0: 4})


def apator162(m):
    assert m.body[:2] == b"//"
    at = 10
    while m.body[at] != 0x10:
        at += 1 + _APATOR162[m.body[at]]
    return {"total_m3": little(m.body[at + 1 : at + 5]) * KILO}


def apatoreitn(m):
    at = 1 + m.body[0]
    assert m.ci == 0xB6 and m.body[at] == 0xA0
    part = m.body[at + 1 :]
    return {
        "previous_hca": little(part[3:5]),
        "current_hca": little(part[7:9]),
        "temp_room_prev_avg_c": Fraction(little(part[11:13]), 256),
        "temp_room_avg_c": Fraction(little(part[13:15]), 256),
    }


def apatorna1(m):
    iv = m.address + m.body[0:1] * 8
    plain = AES.new(m.key, AES.MODE_CBC, iv).decrypt(m.body[2:18])
    packed = little(plain[1:5])
    factor = 10 ** (packed >> 4 & 3)
    total = ((packed >> 8) * 16 + (packed & 15)) * factor * KILO
    delta = (little(plain[11:14]) << 2) + (plain[10] & 3)
    return {
        "total_m3": total,
        "historic_age_h": (plain[10] >> 2) * 256 + plain[9],
        "historic_m3": total - delta * factor * KILO,
    }


def aquastream(m):
    return {"battery_y": Fraction(m.one("02", "FD74").value, 365)}


def bfw240radio(m):
    body = m.body
    found = {"current_hca": body[6] << 8 | body[7], "prev_hca": body[4] << 8 | body[5]}
    for pair in range(9):
        a, b, c = body[34 - 3 * pair : 37 - 3 * pair]
        found["prev_{:02}_hca".format(2 * pair + 1)] = (b & 15) << 8 | c
        found["prev_{:02}_hca".format(2 * pair + 2)] = (b >> 4) << 8 | a
    return found


def c5isf(m):
    found = {}
    for number in range(2, 15):
        storage = number + 31
        head = bytes([0x84 | (storage & 1) << 6, 0x80 | storage >> 1 & 15, storage >> 5, 0x06])
        assert m.body.count(head) == 1
        at = m.body.index(head) + len(head)
        found["prev_{}_month_kwh".format(number)] = int.from_bytes(m.body[at : at + 4], "little", signed=True)
    return found


def compact5(m):
    previous, current = little(m.body[3:6]), little(m.body[7:10])
    return {"previous_kwh": previous, "current_kwh": current, "total_kwh": previous + current}


def ei6500(m):
    return {"dust_level_counter": m.one("8440", "FF2C").data[0] & 31}


def em24(m):
    found = {}
    for name, tail in (("consumption", ""), ("production", "3C")):
        energies = [
            r.value * KILO
            for r in m.records
            if r.vib.hex().upper() in ("05", "853C") and bool(tail) == (len(r.vib) == 2)
        ]
        first = energies[0] if energies else Fraction(0)
        reactive = little(m.one("04", "FB82F53C" if tail else "FB8275").data)
        found["total_reactive_energy_{}_kvarh".format(name)] = reactive
        apparent = float(first**2 + reactive**2) ** 0.5
        found["total_apparent_energy_{}_kvah".format(name)] = Fraction("{:.6f}".format(apparent))
    return found


def gwfwater(m):
    block = m.records[-1].data
    assert block[0] == 1
    return {"battery_y": Fraction(block[2] >> 3, 2)}


def hydroclimav2(m):
    block = m.records[-1].data
    words = [
        Fraction(int.from_bytes(block[at : at + 2], "little", signed=True), 100) for at in range(1, 41, 2)
    ]
    if block[0] == 0x10:
        return {
            "average_ambient_temperature_c": words[3],
            "max_ambient_temperature_c": words[4],
            "average_ambient_temperature_last_month_c": words[7],
            "average_heater_temperature_last_month_c": words[8],
            "total_consumption_hca": little(block[21:24]),
        }
    assert block[0] == 0x11
    return {
        "average_heater_temperature_c": words[4],
        "average_ambient_temperature_c": words[5],
        "max_ambient_temperature_c": words[6],
        "average_heater_temperature_last_month_c": words[8],
        "average_ambient_temperature_last_month_c": words[9],
        "consumption_at_set_date_1_hca": words[10] * 100,
        "consumption_at_set_date_2_hca": words[11] * 100,
        "consumption_at_set_date_3_hca": words[12] * 100,
        "consumption_at_set_date_4_hca": words[13] * 100,
        "ambient_temperature_at_set_date_1_c": words[14],
        "ambient_temperature_at_set_date_2_c": words[15],
        "ambient_temperature_at_set_date_3_c": words[16],
        "total_consumption_hca": little(block[44:47]),
    }


_VOLTS = [
    "3.7",
    "1.9",
    "2.1",
    "2.2",
    "2.3",
    "2.4",
    "2.5",
    "2.65",
    "2.8",
    "2.9",
    "3.05",
    "3.2",
    "3.35",
    "3.5",
    "3.7",
    "3.7",
]
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def hydrodigit(m):
    block = m.records[-1].data
    found, at = {}, 1
    if block[0] & 0x01:
        found["voltage_v"] = Fraction(_VOLTS[block[at] & 15])
        at += 1
    at += 4 * (block[0] >> 1 & 1) + 3 * (block[0] >> 7)
    if block[0] & 0x04:
        found["backflow_m3"] = little(block[at : at + 4]) * KILO
        at += 4
    if block[0] & 0x10:
        for number, name in enumerate(_MONTHS):
            found[name + "_total_m3"] = Fraction(little(block[at + 3 * number : at + 3 * number + 3]), 100)
    return found


def raw_of(**fields):
    """Rule: the bare number of the record with this DIB and VIB, times a factor. fields: name = (dib, vib, factor)."""

    def rule(m):
        found = {}
        for name, (dib, vib, factor) in fields.items():
            for r in m.records:
                if r.dib.hex().upper() == dib and r.vib.hex().upper() == vib:
                    signed = own_reader.number(r.dib[0] & 15, r.data)
                    found.setdefault(name, signed * Fraction(factor))
        return found

    return rule


iem3000 = raw_of(
    nominal_frequency_hz=("03", "FF24", 1),
    operating_time_y=("06", "FF20", 1),
    partial_reactive_energy_consumption_kvarh=("8540", "83FF0D", "1/1000"),
    total_reactive_energy_consumption_kvarh=("8540", "03", "1/1000"),
    total_reactive_energy_production_kvarh=("8540", "83FF09", "1/1000"),
    frequency_hz=("05", "FF0B", 1),
)

ime = raw_of(
    voltage_1_n_v=("848020", "FF8748", "1/10"),
    voltage_2_n_v=("849020", "FF8748", "1/10"),
    voltage_3_n_v=("84A020", "FF8748", "1/10"),
    voltage_1_2_v=("848020", "FF8848", "1/10"),
    voltage_2_3_v=("849020", "FF8848", "1/10"),
    voltage_3_1_v=("84A020", "FF8848", "1/10"),
    current_l1_a=("848020", "FF8959", "1/1000"),
    current_l2_a=("849020", "FF8959", "1/1000"),
    current_l3_a=("84A020", "FF8959", "1/1000"),
    frequency_hz=("02", "FF8A48", "1/10"),
    three_phase_power_factor=("82B010", "FF8B28", "1/1000"),
    total_active_power_requirement_kw=("8410", "FF8D2B", "1/1000"),
    max_total_active_power_tariff1_kw=("8410", "FF8E2B", "1/1000"),
    max_total_active_power_tariff2_kw=("8420", "FF8E2B", "1/1000"),
    run_meter_total_h=("84B010", "FF8F21", "1/60"),
    run_meter_tariff1_h=("8410", "FF8F21", "1/60"),
    run_meter_tariff2_h=("8420", "FF8F21", "1/60"),
)

kamstrup = raw_of(
    forward_energy_m3c=("04", "FF07", 1),
    return_energy_m3c=("04", "FF08", 1),
    va_counter=("04", "EEFF07", 1),
    vb_counter=("04", "EEFF08", 1),
    alfa_counter=("05", "FF09", 1),
    beta_counter=("05", "FF0A", 1),
)

battery = raw_of(battery_pct=("01", "FD74", 1))

anybody = raw_of(volume_flow_m3h=("02", "BB56", "1/1000"), operating_time_in_error_h=("0A", "A618", 1))


def izar(m):
    """PRIOS: bytes from 15 on XOR the state of a shift register, seeded with one of two public keys and the header."""
    for seed in (0x39BC8A10 ^ 0xE66D83F8, 0x51728910 ^ 0xE66D83F8):
        key = seed
        for at in (2, 6, 10):
            key ^= int.from_bytes(m.frame[at : at + 4], "big")
        plain = b""
        for byte in m.frame[15:]:
            for _ in range(8):
                bit = (key >> 1 ^ key >> 2 ^ key >> 11 ^ key >> 31) & 1
                key = (key << 1 | bit) & 0xFFFFFFFF
            plain += bytes([byte ^ key & 255])
        if plain[0] == 0x4B:
            break
    assert plain[0] == 0x4B
    battery_y = Fraction(m.frame[12] & 31, 2)
    then = little(plain[5:9]) * KILO
    return {
        "total_m3": little(plain[1:5]) * KILO,
        "target_m3": then,
        "last_month_total_m3": then,
        "battery_y": battery_y,
        "remaining_battery_life_y": battery_y,
        "transmit_period_s": 1 << (m.frame[11] & 15) + 2,
    }


def mkradio4(m):
    previous, current = Fraction(little(m.body[3:5]), 10), Fraction(little(m.body[7:9]), 10)
    return {"target_m3": previous, "total_m3": previous + current}


def qundis(m):
    """FF 5F: behind 9 bytes a VIF, then date, value, date, value, date, value, and words of differences."""
    block = m.one("0D", "FF5F").data[1:]
    unit = {0x05: Fraction(1, 10), 0x06: 1, 0x13: KILO, 0x6E: 1}[block[9]]
    first, year, last = (own_reader.bcd(block[at : at + 4]) for at in (12, 18, 24))
    first, year, last = (None if value is None else value * unit for value in (first, year, last))
    found = {
        "total_m3": first, "total_kwh": first, "total_energy_consumption_kwh": first, "current_consumption_hca": first,
        "target_year_m3": year, "due_date_m3": year, "target_year_kwh": year, "last_year_energy_consumption_kwh": year,
        "consumption_at_set_date_hca": year, "consumption_at_set_date_1_hca": year,
        "target_m3": last, "due_17_date_m3": last, "target_kwh": last, "last_month_energy_consumption_kwh": last,
        "consumption_at_set_date_17_hca": last,
    }  # fmt: skip
    for number in range(12):
        delta = int.from_bytes(block[28 + 2 * number : 30 + 2 * number], "little", signed=True) * unit
        for name in ("energy_delta_{}_kwh", "volume_delta_{}_m3"):
            found[name.format(number + 2)] = delta
    return found


_RFMTX1 = (
    bytes.fromhex("7A70B97907329CB40AF0160C4A77BD39"),
    bytes.fromhex("10130B079AA17EC4CE0598C9482E786F"),
    bytes.fromhex("1A228E4ACB39608019A5117DE48A5728"),
    bytes.fromhex("0A139916690E99A303865EA21FE88C05"),
)


def rfmtx1(m):
    key = m.frame[11]
    digits = bytes(byte ^ key ^ table[key & 15] for byte, table in zip(m.frame[17:21], _RFMTX1, strict=True))
    return {"total_m3": own_reader.bcd(digits) * KILO}


def vario451(m):
    previous, current = little(m.body[3:5]) * KILO, little(m.body[7:9]) * KILO
    found = {}
    for name, value in (("previous", previous), ("current", current), ("total", previous + current)):
        found[name + "_gj"] = value
        found[name + "_kwh"] = value * 1000 / Fraction("3.6")
    return found


def zenner0b(m):
    block = m.records[-1].data
    return {
        "target_m3": Fraction(little(block[4:8]), 256000),
        "total_m3": Fraction(little(block[8:12]), 256000),
    }


# Driver -> its rule.
RULES = {
    "apator08": apator08,
    "apator162": apator162,
    "apator172": apator172,
    "apatoreitn": apatoreitn,
    "apatorna1": apatorna1,
    "aquastream": aquastream,
    "bfw240radio": bfw240radio,
    "c5isf": c5isf,
    "compact5": compact5,
    "ei6500": ei6500,
    "em24": em24,
    "gwfwater": gwfwater,
    "hydroclimav2": hydroclimav2,
    "hydrodigit": hydrodigit,
    "iem3000": iem3000,
    "ime": ime,
    "izar": izar,
    "izarv2": izar,
    "kamheat": kamstrup,
    "kampress": kamstrup,
    "mkradio4": mkradio4,
    "multical302": kamstrup,
    "multical403": kamstrup,
    "multical602": kamstrup,
    "multical803": kamstrup,
    "q400": battery,
    "qcaloric": qundis,
    "qheat": qundis,
    "qheatv2": qundis,
    "qwater": qundis,
    "qwaterv2": qundis,
    "rfmtx1": rfmtx1,
    "vario451": vario451,
    "zenner0b": zenner0b,
}


class Meter:
    """What a rule works on: the telegram opened by own_reader, records of compact frames joined with their heads."""

    def __init__(self, entry, heads, before=None):
        form = entry.get("encrypted_form") or entry
        if before:
            form = {"telegram": before, "key": entry["key"]}
        kind = entry["header"]["frame"]
        self.frame = own_reader.without_crcs(bytes.fromhex(form["telegram"]), kind)
        self.key = bytes.fromhex(form["key"]) if form.get("key") else None
        opened = own_reader.open_entry(form, kind)
        self.ci, self.address, self.body = opened.ci, opened.address, opened.body
        if opened.ci == 0x81:  # network layer: one byte, then the transport layer
            self.body = opened.body[6:]
        if opened.ci in (0x73, 0x79, 0x7B):
            self.body, _ = own_reader.expand(opened.body, heads)
        self.records = [] if 0xA0 <= opened.ci <= 0xB7 else own_reader.records(self.body)

    def one(self, dib, vib):
        """The record with this DIB and VIB."""
        return next(r for r in self.records if r.dib.hex().upper() == dib and r.vib.hex().upper() == vib)


_FACTORS = {
    "m3": {"m3": 1}, "m3h": {"m3/h": 1}, "kwh": {"Wh": KILO, "J": Fraction(1, 3600000)}, "kw": {"W": KILO},
    "c": {"°C": 1, "K": 1}, "bar": {"bar": 1}, "hca": {"HCA": 1}, "h": {"h": 1, "s": Fraction(1, 3600)}, "s": {"s": 1},
}  # fmt: skip


def by_rule(entry, heads, name, value):
    """How the reading arises: "rule" of its driver, "record" read in plain sight, "receiver", "stale", or None."""
    now = entry["wmbusmeters_now"] or {}
    if name == "rssi_dbm":
        return "receiver"  # a column of the input line, not of the telegram
    for before in entry["preceding"]:
        if anybody(Meter(entry, heads, before)).get(name) == value:
            return "rule"
    meter = Meter(entry, heads)
    for rule in (RULES.get(entry["driver"], anybody), anybody):
        try:
            given = rule(meter).get(name)
        except (StopIteration, KeyError):
            continue  # another kind of telegram of the same driver
        if given is not None and abs(given - value) <= Fraction(1, 2 * 10**6):
            return "rule"
    units = _FACTORS.get(name.rsplit("_", 1)[-1], {})
    for record in meter.records:
        if (
            record.value is not None
            and record.unit in units
            and abs(record.value * units[record.unit] - value) <= Fraction(1, 2 * 10**6)
        ):
            return "record"
    if name in now and Fraction(str(now[name])) != value and not all(entry["expected_holds_now"]):
        return "stale"
    return None


def heads_of(entries):
    """{signature: DIBs and VIBs} of the public formats and of every full frame that can be read."""
    heads = {own_reader._crc(head): head for head in (bytes.fromhex(text) for text in FORMATS)}
    for entry in entries:
        for text in [entry["telegram"], *entry["preceding"]]:
            try:
                opened = own_reader.open_entry(
                    {"telegram": text, "key": entry["key"]}, entry["header"]["frame"]
                )
                if opened.ci in (0x72, 0x78, 0x7A):
                    number, head = own_reader.signature(opened.body)
                    heads[number] = head
            except (AssertionError, IndexError, TypeError, ValueError):
                pass
    return heads


# Publicly known formats of compact frames (wmbusmeters, drivers/src/kamwater, kamheat, kampress .xmq).
FORMATS = (
    "02FF2004134413615B6167",
    "02FF20041392013BA1015B8101E7FF0F",
    "04FF234413523B06FF1B426C61675167023B04138101E7FF0F",
    "02FF2004134413426C523B615B616751678101E7FF0F06FF1B",
    "02FF2004134413A1015B8101E7FF0F",
    "02FF2004134413615B5167",
    "02FF2004134413",
    "02FF200413523B",
    "22691269026905FF0905FF0A02FD17",
    "02F9FF15040604EEFF0704EEFF0804148440148480401402FD17026C426C44064414C44014C4804014043B0259025D",
    "030643060314426C022D01FF21",
    "030E430E0313426C022D01FF21",
    "040604FF0704FF080414043B0259025D04FF22026C44064414426C",
    "040F04FF0704FF08041484401484804014043B0259025D142D84100F84200F04FF22026C440F4414C44014C4804014426C",
    "0406041404FF0704FF080259025D023B02FF22026C44064414426C",
)


def main(path):
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)["telegrams"]
    heads = heads_of(entries)
    right = wrong = 0
    for entry in entries:
        rule = RULES.get(entry["driver"])
        if not rule:
            continue
        try:
            given = rule(Meter(entry, heads))
        except (StopIteration, KeyError):
            continue
        for source in [*entry["expected"], entry["wmbusmeters_now"] or {}]:
            for name, value in source.items():
                if given.get(name) is None or isinstance(value, (str, type(None))):
                    continue
                good = abs(given[name] - Fraction(str(value))) <= Fraction(1, 2 * 10**6)
                right += good
                wrong += not good
                if not good:
                    print(entry["driver"], entry["id"], name, float(given[name]), "expected", value)
    print("{} readings by their rules, {} wrong".format(right, wrong))
    return 1 if wrong or not right else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
