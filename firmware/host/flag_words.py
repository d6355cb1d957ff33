"""Flags behind a maker's own VIF, in the words that wmbusmeters has for them. Other makers' flags are not known.

Kamstrup: VIF FF 20, FF 22, FF 23 (information codes of MULTICAL 21, heat meters, flowIQ).
"""

_HEAT = [
    "VOLTAGE_INTERRUPTED",
    "LOW_BATTERY_LEVEL",
    "SENSOR_ERROR",
    "SENSOR_T1_ABOVE_MEASURING_RANGE",
    "SENSOR_T2_ABOVE_MEASURING_RANGE",
    "SENSOR_T1_BELOW_MEASURING_RANGE",
    "SENSOR_T2_BELOW_MEASURING_RANGE",
    "TEMP_DIFF_WRONG_POLARITY",
    "FLOW_SENSOR_WEAK_OR_AIR",
    "WRONG_FLOW_DIRECTION",
    "RESERVED_BIT_10",
    "FLOW_INCREASED",
    "IN_A1_LEAKAGE_IN_THE_SYSTEM",
    "IN_B1_LEAKAGE_IN_THE_SYSTEM",
    "IN_A1_A2_EXTERNAL_ALARM",
    "IN_B1_B2_EXTERNAL_ALARM",
    "V1_COMMUNICATION_ERROR",
    "V1_WRONG_PULSE_FIGURE",
    "IN_A2_LEAKAGE_IN_THE_SYSTEM",
    "IN_B2_LEAKAGE_IN_THE_SYSTEM",
    "T3_ABOVE_MEASURING_RANGE_OR_SWITCHED_OFF",
    "T3_BELOW_MEASURING_RANGE_OR_SWITCHED_OFF",
    "V2_COMMUNICATION_ERROR",
    "V2_WRONG_PULSE_FIGURE",
    "V2_AIR",
    "V2_WRONG_FLOW_DIRECTION",
    "RESERVED_BIT_26",
    "V2_INCREASED_FLOW",
    "V1_V2_BURST_WATER_LOSS",
    "V1_V2_BURST_WATER_PENETRATION",
    "V1_V2_LEAKAGE_WATER_LOSS",
    "V1_V2_LEAKAGE_WATER_PENETRATION",
]
_WATER = [
    "DRY",
    "REVERSE",
    "LEAK",
    "BURST",
    "TAMPER",
    "LOW_BATTERY",
    "LOW_ABIENT_TEMPERATURE",
    "FLOW_ABOVE_Q4",
    "-",
    "NO_CONSUMPTION",
]

# (medium, maker, first VIFE behind FF) -> words from bit 0 on, bits that are flags at all.
FLAGS = {
    ("W", "KAM", "manufacturer 20"): (_WATER[:4], 0x0F),
    ("W", "KAW", "manufacturer 20"): (_WATER[:4], 0x0F),
    ("W", "KAM", "manufacturer 23"): (_WATER, 0xFFFFFFFF),
    ("W", "KAW", "manufacturer 23"): (_WATER, 0xFFFFFFFF),
    ("H", "KAM", "manufacturer 22"): (_HEAT, 0xFFFFFFFF),
}

# The rest of FF 20: how long it has been so in the last 30 days, three bits each.
_HOW_LONG = ("", "1-8 hours", "9-24 hours", "2-3 days", "4-7 days", "8-14 days", "15-21 days", "22-31 days")
_PERIODS = (("time_dry", 4), ("time_reversed", 7), ("time_leaking", 10), ("time_bursting", 13))


def read(records, medium, maker):
    """({flag word}, [(field name, text)]) of the records whose VIF belongs to the maker."""
    words, fields = set(), []
    for record in records:
        if record.quantity != "manufacturer specific" or record.mantissa is None or not record.qualifiers:
            continue
        known = FLAGS.get((medium, maker, record.qualifiers[0]))
        if known is None:
            continue
        bits = int.from_bytes(record.data, "little")
        mine = named(bits & known[1], known[0])
        words |= mine
        if record.qualifiers[0] == "manufacturer 20":
            fields.append(("current_status", " ".join(sorted(mine))))
            fields += [(name, _HOW_LONG[bits >> low & 7]) for name, low in _PERIODS]
    return words, fields


def named(bits, names):
    """The words of the bits that are set; those without a word together as ERROR_FLAGS_ and their hexadecimal number."""
    words = set()
    for place, name in enumerate(names):
        if bits >> place & 1 and name != "-":
            words.add(name)
            bits &= ~(1 << place)
    if bits:
        words.add("ERROR_FLAGS_{:X}".format(bits))
    return words
