"""The tables of units.py row by row against the sheet (en13757-3-application 2.1 to 2.5), typed here a second time: unit,
lowest exponent and type of data of every code; and against the VIB types of OMS Annex B beside the repository."""

import itertools
import json

import pytest
from omsnode.firmware.application import vif

TIMES = ["s", "min", "h", "d"]

# first-last: unit, exponent of the first code, which rises with the code; a list has a unit for each code.
PRIMARY = """
00-07 Wh -3 | 08-0F J 0 | 10-17 m3 -6 | 18-1F kg -3 | 20-23 TIMES | 24-27 TIMES | 28-2F W -3 | 30-37 J/h 0 | 38-3F m3/h -6
40-47 m3/min -7 | 48-4F m3/s -9 | 50-57 kg/h -3 | 58-5B °C -3 | 5C-5F °C -3 | 60-63 K -3 | 64-67 °C -3 | 68-6B bar -3
6C-6C - | 6D-6D - | 6E-6E HCA 0 | 70-73 TIMES | 74-77 TIMES | 78-7A -
"""
FB = """
00-01 Wh 5 | 02-03 varh 3 | 04-05 VAh 3 | 08-09 J 8 | 0C-0F cal 5 | 10-11 m3 2 | 14-17 var 0 | 18-19 t 2 | 1A-1B % -1
20-20 ft3 0 | 21-21 ft3 -1 | 28-29 W 5 | 2A-2A ° -1 | 2B-2B ° -1 | 2C-2F Hz -3 | 30-31 J/h 8 | 34-37 VA 0
68-68 - | 69-69 W 0 | 6A-6E - | 74-77 °C -3 | 78-7F W -3
"""
FD = """
00-03 currency -3 | 04-07 currency -3 | 08-1B - | 1C-1C Bd 0 | 1E-23 - | 24-27 TIMES | 28-28 month 0 | 29-29 year 0 | 2A-2A -
2B-2B s 0 | 2C-2F TIMES | 30-30 - | 31-31 min 0 | 32-32 h 0 | 33-33 d 0 | 34-37 TIMES | 38-38 month 0 | 39-39 year 0 | 3A-3B -
3C-3F TIMES | 40-4F V -9 | 50-5F A -12 | 60-67 - | 68-68 h 0 | 69-69 d 0 | 6A-6A month 0 | 6B-6B year 0
6C-6C h 0 | 6D-6D d 0 | 6E-6E month 0 | 6F-6F year 0 | 70-70 - | 71-71 dBm 0 | 72-73 - | 74-74 d 0 | 75-76 -
"""
FD_FD = """
00-01 - | 02-02 month 0 | 03-03 year 0 | 10-11 ppm 0 | 12-13 ppm 0 | 14-15 ppb 0 | 16-16 ug/m3 0 | 17-17 ug/m3 0
18-18 ug/m3 0 | 19-19 ug/m3 0 | 1A-1A ug/m3 0 | 1B-1B 1/m3 5 | 1C-1C 1/m3 5 | 1D-1D 1/m3 5 | 1E-1E 1/m3 5 | 1F-1F lx 0
20-20 cd 0 | 21-21 W/m2 0 | 22-22 m/s 0 | 23-23 l/mm2 0 | 24-24 dBA 0 | 25-25 FNU 0 | 27-27 - -1 | 2C-34 -
38-38 % 0 | 39-39 % 0 | 3A-3B m -3 | 3E-3E % 0 | 40-44 -
"""

# Types of data other than B: unsigned (C), bits (D), date or time (T), bytes (X), K and L (sheet 2.3, 2.4, 3).
KINDS = {
    "": {"T": "6C 6D", "C": "7A"},
    "FB": {"C": "18 19 1A 1B 68 69 6A 6B 6C 6D 6E"},
    "FD": {
        "C": "08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 18 19 1C 1D 20 21 22 23 2B 2C 2D 2E 2F 31 32 33 34 35 36 37 38"
        " 39 3C 3D 3E 3F 63 64 66 67 68 69 6A 6B 74 75",
        "D": "17 1A 1B 1F",
        "T": "30 70",
        "K": "72",
        "L": "73",
        "X": "3B 76",
    },
    "FDFD": {"C": "00", "X": "01", "D": "40 41 42 43 44"},
}


def kind(head, code):
    return "".join([letter for letter, codes in KINDS[head].items() if code in bytes.fromhex(codes)])


def meaning(code):
    return vif.resolve(bytes.fromhex(code))


@pytest.mark.parametrize("head, table", [("", PRIMARY), ("FB", FB), ("FD", FD), ("FDFD", FD_FD)])
def test_unit_exponent_and_type_of_every_code(head, table):
    for part in table.replace("\n", "|").split("|"):
        if not part.strip():
            continue
        span, unit, *power = part.split()
        first, last = (int(number, 16) for number in span.split("-"))
        for code in range(first, last + 1):
            found = meaning("%s%02X" % (head, code))
            expected = (None if unit == "-" else unit, int(power[0]) + code - first if power else 0)
            if unit == "TIMES":
                expected = (TIMES[code - first], 0)
            assert (found.unit, found.exponent) == expected, (head, code)
            assert found.kind == kind(head, code), (head, code)
            assert found.flag is None and found.error is None
            assert found.twelfth == (head == "FB" and code in (0x68, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E))


# Codes that are retired (the old m-bus documentation), or whose unit is two words.
SPACED = (
    ("FB22", "volume", "US gal", -1, ""),
    ("FB23", "volume", "US gal", 0, ""),
    ("FB24", "volume flow", "US gal/min", -3, ""),
    ("FB25", "volume flow", "US gal/min", 0, ""),
    ("FB26", "volume flow", "US gal/h", 0, ""),
    ("FB58", "flow temperature", "°F", -3, ""),
    ("FB5F", "return temperature", "°F", 0, ""),
    ("FB60", "temperature difference", "°F", -3, ""),
    ("FB67", "external temperature", "°F", 0, ""),
    ("FB70", "cold or warm temperature limit", "°F", -3, ""),
    ("FD1D", "response delay", "bit times", 0, "C"),
    ("7E", "any", None, 0, ""),
    ("8300", "energy", "Wh", 0, ""),
    ("8314", "energy", None, 0, ""),
    ("833D", "energy", None, 0, ""),
)


@pytest.mark.parametrize("code, quantity, unit, exponent, kind", SPACED)
def test_the_other_codes(code, quantity, unit, exponent, kind):
    found = meaning(code)
    assert (found.quantity, found.unit, found.exponent, found.kind) == (quantity, unit, exponent, kind)
    assert found.error is None and found.flag == {
        "8314": "relative deviation",
        "833D": "non-metric units",
    }.get(code)


QUANTITIES = {
    "": "00 energy|08 energy|10 volume|18 mass|20 on time|24 operating time|28 power|30 power|38 volume flow|40 volume flow"
    "|48 volume flow|50 mass flow|58 flow temperature|5C return temperature|60 temperature difference"
    "|64 external temperature|68 pressure|6C date|6D date and time|6E heat cost allocation|70 averaging duration"
    "|74 actuality duration|78 fabrication number|79 identification|7A bus address|7E any",
    "FB": "00 energy|02 reactive energy|04 apparent energy|08 energy|0C energy|10 volume|14 reactive power|18 mass"
    "|1A relative humidity|20 volume|21 volume|28 power|2A phase angle voltage to voltage|2B phase angle voltage to current"
    "|2C frequency|30 power|34 apparent power|68 resulting rating factor K|69 thermal output rating factor Kq"
    "|6A thermal coupling rating factor Kc|6B thermal coupling rating factor Kcr|6C thermal coupling rating factor Kch"
    "|6D low temperature rating factor Kt|6E display output scaling factor KD|74 cold or warm temperature limit"
    "|78 cumulated maximum of active power",
    "FD": "00 credit|04 debit|08 unique message identification|09 device type|0A manufacturer|0B parameter set identification"
    "|0C model version|0D hardware version|0E metrology firmware version|0F other software version|10 customer location"
    "|11 customer|12 access code user|13 access code operator|14 access code system operator|15 access code developer"
    "|16 password|17 error flags|18 error mask|19 security key|1A digital output|1B digital input|1C baud rate"
    "|1D response delay|1E retry|1F remote control|20 first storage number|21 last storage number|22 storage block size"
    "|23 tariff and subunit descriptor|24 storage interval|28 storage interval|29 storage interval"
    "|2A operator specific data|2B time point second|2C duration since last readout|30 start of tariff"
    "|31 duration of tariff|32 duration of tariff|33 duration of tariff|34 period of tariff|38 period of tariff"
    "|39 period of tariff|3A dimensionless|3B wireless M-Bus container|3C nominal transmission period|40 voltage|50 current"
    "|60 reset counter|61 cumulation counter|62 control signal|63 day of week|64 week number|65 time point of day change"
    "|66 parameter activation state|67 special supplier information|68 duration since last cumulation"
    "|6C battery operating time|70 battery change|71 rf level|72 daylight saving rule|73 listening window"
    "|74 remaining battery life|75 meter stops|76 manufacturer container",
    "FDFD": "00 selected application|01 sub device types|02 remaining battery life|03 remaining battery life"
    "|10 CO2 concentration|12 CO concentration|14 volatile organic compounds|16 volatile organic compounds|17 particles"
    "|18 particles PM1|19 particles PM2.5|1A particles PM10|1B particles|1C particles PM1|1D particles PM2.5"
    "|1E particles PM10|1F illuminance|20 luminous intensity|21 radiant flux density|22 wind speed|23 rainfall|24 noise"
    "|25 turbidity|27 pH|2C dismounts|2D test button operations|2E alarms|2F alarm mute operations|30 obstacle detections"
    "|31 smoke entry blockages|32 smoke chamber defects|33 self-test failures|34 sounder defects|38 battery level"
    "|39 chamber pollution|3A distance|3E moisture level|40 pressure status|41 smoke status|42 CO status"
    "|43 heat alarm status|44 door and window status",
}


@pytest.mark.parametrize("head", sorted(QUANTITIES))
def test_quantities(head):
    for part in QUANTITIES[head].split("|"):
        code, _, quantity = part.partition(" ")
        assert meaning(head + code).quantity == quantity


# Codes of Table 15 and 16 behind volume in litres (VIF 13): what they leave behind.
QUALIFIERS = (
    "12 average|13 inverse compact profile|14 relative deviation|1D standard conform|1E compact profile with register numbers"
    "|1F compact profile|3A at measurement conditions|3B forward|3C backward|3E at base conditions|3F OBIS declaration"
    "|40 lower limit|48 upper limit|41 exceeds of lower limit|49 exceeds of upper limit|39 start"
    "|42 begin of first lower limit exceed|43 end of first lower limit exceed|46 begin of last lower limit exceed"
    "|47 end of last lower limit exceed|4A begin of first upper limit exceed|4B end of first upper limit exceed"
    "|4E begin of last upper limit exceed|4F end of last upper limit exceed|68 during lower limit exceed|69 leakage"
    "|6C during upper limit exceed|6D overflow value|6A begin of first|6B end of first|6E begin of last|6F end of last"
    "|7E future|FC01 phase L1|FC02 phase L2|FC03 phase L3|FC04 neutral|FC05 L1-L2|FC06 L2-L3|FC07 L3-L1|FC08 quadrant Q1"
    "|FC09 quadrant Q2|FC0A quadrant Q3|FC0B quadrant Q4|FC0C delta between import and export|FC10 absolute"
    "|FC14 from communication partner to meter|FC15 from meter to communication partner"
)
UNITS = (
    "20 /s|21 /min|22 /h|23 /d|24 /week|25 /month|26 /year|27 /revolution|28 /pulse|29 /pulse|2A /pulse|2B /pulse|2C /l"
    "|2D /m3|2E /kg|2F /K|30 /kWh|31 /GJ|32 /kW|33 /(K*l)|34 /V|35 /A|36 *s|37 *s/V|38 *s/A"
)
ERRORS = (
    "01 too many DIFE|02 storage number not implemented|03 subunit not implemented|04 tariff not implemented"
    "|05 function not implemented|06 data class not implemented|07 data size not implemented|0B too many VIFE"
    "|0C illegal VIF group|0D illegal VIF exponent|0E VIF and DIF do not match|0F action not implemented"
    "|15 no data available|16 overflow|17 underflow|18 data error|1C premature end of record"
)
ACTIONS = (
    "00 write|01 add to value|02 subtract from value|03 or|04 and|05 exclusive or|06 and not|07 clear|08 add entry"
    "|09 delete entry|0A delayed action|0B freeze|0C add to readout list|0D delete from readout list|0F get"
)


def split(text):
    return [part.split(" ", 1) for part in text.split("|")]


def test_vifes():
    for code, name in split(QUALIFIERS):
        assert meaning("93" + code).qualifiers == (name,)
    for code, name in split(ERRORS):
        assert (meaning("93" + code).error, meaning("93" + code).qualifiers) == (name, ())
    for code, name in split(ACTIONS):
        assert vif.resolve(bytes.fromhex("93" + code), True).qualifiers == (name,)
    for code, suffix in split(UNITS):
        found = meaning("93" + code)
        assert (found.unit, found.exponent, found.kind) == ("m3" + suffix, -3, "")
        assert meaning("FDBA" + code).unit == "1" + suffix  # dimensionless
    for n in range(8):
        assert meaning("93%02X" % (0x70 + n)).exponent == -3 + n - 6
        assert meaning("93F0%02X" % (0x70 + n)).exponent == -3 - 6 + n - 6
    for n in range(4):
        assert meaning("93%02X" % (0x78 + n)).constants == (n - 3,)
    assert meaning("937D").exponent == 0
    assert meaning("93FD7D").exponent == 3
    assert (meaning("93FC11").kind, meaning("93FC12").kind) == ("C", "D")
    for code in ("39", "42", "43", "46", "47", "4A", "4B", "4E", "4F", "6A", "6B", "6E", "6F"):
        assert (meaning("93" + code).kind, meaning("93" + code).unit) == ("T", None)
    for first in range(0x50, 0x68, 4):  # durations: b3 upper, b2 last; 60-67 without limit
        for n in range(4):
            found = meaning("93%02X" % (first + n))
            limit = ("upper" if first & 8 else "lower") + " limit exceed" if first < 0x60 else ""
            name = "duration of " + ("last" if first & 4 else "first") + (" " + limit if limit else "")
            assert (found.unit, found.exponent, found.qualifiers) == (TIMES[n], 0, (name,))
    for code in ("13", "1D", "1E", "1F"):
        assert meaning("93" + code).kind == "X"
    for code in ("41", "49"):
        assert (meaning("93" + code).unit, meaning("93" + code).exponent, meaning("93" + code).kind) == (
            None,
            0,
            "",
        )
    # An OBIS code is declared as an unsigned number: nothing of the VIF's scale is left.
    found = meaning("933F")
    assert (found.unit, found.exponent, found.kind, found.twelfth) == (None, 0, "C", False)


PLAIN = (
    "#UI FDFD2C|#FT FDFD2D|#AL FDFD2E|#AM FDFD2F|#OD FDFD30|#SB FDFD31|#SCD FDFD32|#SF FDFD33|#SD FDFD34|%CP FDFD39|%BS FDFD38"
    "|CO1 FDFD12|CO2 FDFD10|mm FDFD3A|cm FDFD3B|IR1 FDFD21|lx FDFD1F|cd FDFD20|DS1 FDFD40|DS2 FDFD42|DS3 FDFD41|DS4 FDFD44"
    "|dBA FDFD24|pH FDFD27|PT1 FDFD17|PT2 FDFD18|PT3 FDFD19|PT4 FDFD1A|PT5 FDFD1B|PT6 FDFD1C|PT7 FDFD1D|PT8 FDFD1E|RH2 FDFD3E"
    "|FNU FDFD25|VC1 FDFD14|VC2 FDFD16|WS1 FDFD22"
)


def plain(text):
    return "7C%02X" % len(text) + text[::-1].encode("ascii").hex()


def test_plain_text_units_of_oms_mean_what_table_13_means():
    for text, code in split(PLAIN):
        ours, theirs = meaning(plain(text)), meaning(code)
        for name in ("quantity", "unit", "exponent", "kind", "flag"):
            assert getattr(ours, name) == getattr(theirs, name), text
    for text, quantity, unit in (
        ("CD1", "conductivity", "uS/cm"),
        ("Ohm", "resistance", "Ohm"),
        ("NM", "surface tension", "Nm/m2"),
        ("%RH", "plain text unit", "%RH"),
        ("mm|distance", "plain text unit", "mm|distance"),
        ("", "plain text unit", ""),
    ):
        found = meaning(plain(text))
        assert (found.quantity, found.unit, found.exponent, found.kind) == (quantity, unit, 0, "")
    assert meaning("FC73026D6D").exponent == -6  # millimetres, VIFE 10**-3


def test_every_vib_type_of_annex_b(shared):
    """Unit and exponent of each, for every value of its n bits."""
    facts = json.loads((shared / "vectors" / "datapoints.json").read_text(encoding="utf-8"))["vib_types"]
    units = {"degC": "°C", "deg": "°", "dB(A)": "dBA", "pH": None, "": None}  # pH says it all
    checked = 0
    for fact in facts:
        if "unit" not in fact and "unit_by_n" not in fact:
            continue
        fields = fact.get("n_fields", [])
        for bits in itertools.product(*[range(int(field["mask"], 16) + 1) for field in fields]):
            vib = bytearray.fromhex(fact["match"])
            for field, low in zip(fields, bits, strict=True):
                vib[field["byte"]] |= low
            found = vif.resolve(bytes(vib))
            unit = fact["unit"].split(" ")[0] if "unit" in fact else fact["unit_by_n"][bits[0]]
            power = fact["exp10_at_zero"] + sum(bits) if "unit" in fact else 0
            assert (found.unit, found.exponent) == (units.get(unit, unit), power), fact["vib_type"]
            assert found.flag is None and found.error is None
            checked += 1
    assert checked > 500
