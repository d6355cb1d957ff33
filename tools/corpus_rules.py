"""Why a reading of the corpus is not among our records: the rule by which that program gets the number.

Offsets count from 0 behind the CI field, or behind the DIF 0F, where nothing else is said; numbers are unsigned, least
significant byte first. tests/support_misses.py computes each of them from the raw bytes.
"""

import re

MARKER = (
    "that program knows no invalid marker of signed integers: data 00 00 00 80 (int32, VIF 06) is printed as"
    " -2**31 kWh; prev_n_month is the record with storage n + 31, DIB and VIB from 33: C4 80 01 06,"
    " 34: 84 81 01 06, ... to 45: C4 86 01 06"
)
STALE = (
    "a test that this program itself no longer meets: today it prints what we find in the record of this unit"
)

_QUNDIS = (
    "manufacturer block 0D FF 5F of 53 bytes: 9 bytes, then a VIF (05, 06, 13, 6E) whose scale holds for all that"
    " follows: BCD of 4 bytes at 12 (now), at 18 (year's due date) and at 24 (month's due date), a date before each,"
    " and from 28 on signed words, differences per month (number 2 first; the invalid marker -2**15 is printed)"
)
_PRIOS = (
    "manufacturer frame CI A1, A2 (Diehl PRIOS): bytes from 15 of the telegram on XOR the low byte of a 32-bit shift register"
    " (taps 1, 2, 11, 31; 8 steps a byte) seeded with a public key XOR bytes 2-5, 6-9 and 10-13; first plain byte 4B,"
    " then l at 1-4 (now) and 5-8 (last month). In clear: byte 12 bits 0-4 half years of battery, byte 11 bits 0-3 p:"
    " period 2**(p + 2) s"
)
_KAMSTRUP = (
    "manufacturer VIFE: FF 07, FF 08 (or 6E with FF 07, FF 08 behind it), bare numbers that program calls m3 * °C or"
    " counter; FF 09, FF 0A bare reals"
)

# Driver -> rule.
RULES = {
    "apator08": "manufacturer frame: int32 at 0 divided by three, in l",
    "apator162": "no DIF and VIF: behind the check bytes 8 bytes of another kind, then registers, each a number byte"
    " and content of a length that goes with it (43: 2 bytes, 71 + n: 9 + 4n, 80-84: 10, 10: 4). Register 10 is the"
    " total in l",
    "apator172": "manufacturer frame: int32 at 0 divided by three, in m3",
    "apatoreitn": "manufacturer frame CI B6: a length, as many bytes, A0, then previous at 3-4, current at 7-8, mean room"
    " temperature of the previous month at 11-12 and of this month at 13-14 in °C / 256",
    "apatorna1": "manufacturer frame CI A0, A1: bytes 2-17 AES-128-CBC with the meter's key, IV link address and eight times"
    " byte 0. Plain: int32 at 1: bits 4-5 power of ten f, the other 28 bits the total in 10**f l; age of the historic value in"
    " h: byte 9 and the upper six bits of byte 10; its distance from the total: bytes 11-13 times 4 and bits 0-1 of byte 10",
    "aquastream": "computed: FD 74 (remaining battery life, days) divided by 365",
    "bfw240radio": "no DIF and VIF: fixed offsets, counted from the first check byte (byte 15 of the telegram)."
    " current = bytes 6, 7 and prev = bytes 4, 5, most significant first. Months of 12 bits: two in three bytes"
    " a b c, prev_01 and 02 at 34 35 36, prev_03 and 04 at 31 32 33, and so on down; the odd one is the low half"
    " of b, then c; the even one is the high half of b, then a",
    "compact5": "manufacturer frame: kWh, 3 bytes at 3 (previous) and at 7 (current); total is their sum",
    "ei6500": "manufacturer VIF 84 40 FF 2C: low five bits",
    "em24": "reactive: the bare number of FB 82 75, FB 82 F5 3C (that program leaves the factor 10**-1 of VIFE 75 away);"
    " apparent: computed, root of the sum of the squares of active and that reactive energy",
    "gwfwater": "manufacturer block, first byte 01: upper five bits of byte 2, half years",
    "hydroclimav2": "manufacturer block, first byte 10 or 11: signed words in °C / 100 and sums of 3 bytes at fixed offsets"
    " (10: temperatures at 7, 9, 15, 17, sum at 21; 11: 9, 11, 13, 17, 19, from 29 on, sum at 44)",
    "hydrodigit": "manufacturer block, first byte says what follows: bit 0 battery (low half: a table of voltages), 1 and 7"
    " dates, 2 backward volume in l of 4 bytes, 4 twelve months of 3 bytes in 10 l",
    "iem3000": "manufacturer VIFs FF 20, FF 24, FF 0B as bare numbers; energies of subunit 1 in Wh are reactive ones in varh",
    "ime": "manufacturer VIFs FF 87 to FF 8F: bare numbers times 1/10 (voltage, frequency), 1/1000 (current, power, factor),"
    " 1/60 (minutes to h)",
    "izar": _PRIOS,
    "izarv2": _PRIOS,
    "kamheat": _KAMSTRUP,
    "kampress": _KAMSTRUP,
    "mkradio4": "manufacturer frame: 0.1 m3, 2 bytes at 3 (previous) and at 7 (current); total is their sum",
    "multical302": _KAMSTRUP,
    "multical403": _KAMSTRUP,
    "multical602": _KAMSTRUP,
    "multical803": _KAMSTRUP,
    "q400": "01 FD 74 (remaining battery life, days) is called per cent",
    "qcaloric": _QUNDIS,
    "qheat": _QUNDIS,
    "qheatv2": _QUNDIS,
    "qwater": _QUNDIS,
    "qwaterv2": _QUNDIS,
    "rfmtx1": "the header says mode 16 (none such): BCD of 4 bytes at 17-20 of the telegram, each XOR byte 11 and a byte of"
    " a table of four columns, row: low half of byte 11",
    "vario451": "manufacturer frame: MJ, 2 bytes at 3 (previous) and at 7 (current); total is their sum; kWh = MJ / 3.6",
    "zenner0b": "manufacturer block: m3 / 256000, 4 bytes at 4 (target) and at 8 (total)",
}

# Drivers of which other fields are records -> the fields that the rule above is about (the end of the name).
FIELDS_OF = {
    "aquastream": "battery_y",
    "ei6500": "dust_level_counter",
    "em24": "_kvarh|_kvah",
    "gwfwater": "battery_y",
    "hydroclimav2": "_c|consumption_hca|set_date_[1-4]_hca",
    "hydrodigit": "voltage_v|backflow_m3|y_total_m3|h_total_m3|l_total_m3|e_total_m3|r_total_m3|t_total_m3",
    "iem3000": "nominal_frequency_hz|operating_time_y|_kvarh|frequency_hz",
    "kamheat": "_m3c|_counter",
    "kampress": "_counter",
    "multical302": "_m3c|_counter",
    "multical403": "_m3c|_counter",
    "multical602": "_m3c|_counter",
    "multical803": "_m3c|_counter",
    "q400": "battery_pct",
}

# Field (of all drivers) -> rule.
FIELDS = {
    "rssi_dbm": "of the receiver: a column of the line of input, in no byte of the telegram",
    "volume_flow_m3h": "02 BB 56: VIFE 56 makes it the duration of the last time below a limit; that program calls it flow"
    " and keeps it over telegrams of the meter that have none",
    "operating_time_in_error_h": "0A A6 18: VIFE 18 is the record error «data error», there is no value; that program prints it",
}

# What we refuse by name, and that program reads -> rule.
REFUSALS = {
    "unsupported": "a header of a security mode that is not open here; the records behind it are plain to that program",
    "format_mismatch": "a compact frame whose CRC is not that of the frame it stands for (here: that of another one of the"
    " meter) is refused; that program does not check it",
    "length": "the telegram does not have the length that it states, and is refused; that program reads what is there",
}


def of(entry, name, value, remark):
    """The rule of a reading that is not among our records, or None. remark: code of the refusal, if any."""
    now = (entry["wmbusmeters_now"] or {}).get(name)
    if now is not None and not all(entry["expected_holds_now"]) and abs(now - float(value)) > 1e-6:
        return STALE
    if name in FIELDS:
        return FIELDS[name]
    driver = entry["driver"]
    if remark != "length" and driver in RULES and re.search("({})$".format(FIELDS_OF.get(driver, "")), name):
        return RULES[driver]
    return REFUSALS.get(remark)
