"""Field names as wmbusmeters gives them: one table from what a record says to a name, no driver per meter type.

`NAMES` says it where habit has a name of its own; everything else is built from the parts, always in the same way:

    [max_|min_] name [_qualifier ...] [_at_error] [_tariff2] [_subunit1] [storage] _unit

Storage 1 is the due date ("total" becomes "target", others get "target_" in front), storage n "_at_set_date_n". A name
depends on record, medium and maker, never on what else is in the telegram: so it is stable. Two records of one
telegram with one name (the same value in two units, say) are told apart by "_nr2", "_nr3" behind the name, in the order of
the telegram.
"""

import re
from functools import lru_cache

# Medium of a device type as that program words it, and the letter under which NAMES knows it: E electricity, G gas,
# H heat and cooling, A heat cost allocator, S room sensor, W water and everything else.
MEDIA = {
    0x00: ("other", "W"),
    0x01: ("oil", "W"),
    0x02: ("electricity", "E"),
    0x03: ("gas", "G"),
    0x04: ("heat", "H"),
    0x05: ("steam", "H"),
    0x06: ("warm water", "W"),
    0x07: ("water", "W"),
    0x08: ("heat cost allocation", "A"),
    0x09: ("compressed air", "W"),
    0x0A: ("cooling load volume at outlet", "H"),
    0x0B: ("cooling load volume at inlet", "H"),
    0x0C: ("heat volume at inlet", "H"),
    0x0D: ("heat/cooling load", "H"),
    0x0E: ("bus/system component", "W"),
    0x0F: ("unknown", "W"),
    0x15: ("hot water", "W"),
    0x16: ("cold water", "W"),
    0x17: ("hot/cold water", "W"),
    0x18: ("pressure", "W"),
    0x19: ("a/d converter", "W"),
    0x1A: ("smoke detector", "S"),
    0x1B: ("room sensor", "S"),
    0x1C: ("gas detector", "S"),
    0x20: ("breaker", "W"),
    0x21: ("valve", "W"),
    0x25: ("customer unit (display device)", "W"),
    0x28: ("waste water", "W"),
    0x29: ("garbage", "W"),
    0x36: ("radio converter (system side)", "W"),
    0x37: ("radio converter (meter side)", "W"),
}
RESERVED = ("reserved", "W")  # other types below 40h
UNKNOWN = ("Unknown", "W")

# `words|media|name|unit`. Words: quantity, then qualifiers, a function (maximum, minimum, error), "due" (storage 1),
# "history" (storage above 1), "storage 5", "tariff", "subunit". The row with the most words that all fit wins; words of
# the record that it does not have are built into the name. Media: letters, or letter:manufacturer for the habit of one
# maker, which wins over equally many words without; empty: all. Name: a second one behind + is given too if nothing else
# has it. {s}, {s-7}, {t}, {u}: storage, tariff, subunit. Unit: empty: of the value; -: the name is whole; txt: the same,
# and a number is written as text digit by digit; minutes: a date and time without seconds.
NAMES = """
energy||total_energy_consumption
energy, due||target_energy_consumption
energy, history||consumption_at_set_date_{s}
energy, backward||total_energy_backward
energy, backward, due||target_energy_backward
energy, backward, history||backward_at_set_date_{s}
energy, backward|E|total_energy_production
energy, backward, due|E|target_energy_production
energy, backward, history|E|production_at_set_date_{s}
energy, tariff|E|total_energy_consumption_tariff_{t}
energy, tariff, due|E|target_energy_consumption_tariff_{t}
energy, tariff, backward|E|total_energy_production_tariff_{t}
energy, tariff, backward, due|E|target_energy_production_tariff_{t}
energy, due|H:KAM|target_energy
energy|H:BMT|total_heating
energy, tariff|H:BMT|total_cooling
volume|H:BMT|total_heating
volume, tariff|H:BMT|total_cooling
flow temperature|H:BMT|supply_temperature
energy, forward|H:AXI|total_heat_energy
energy, forward, storage 16|H:AXI|target_heat_energy
energy, backward|H:AXI|total_cooling_energy
energy, backward, storage 16|H:AXI|target_cooling_energy
volume|H:AXI|total
date and time, storage 16|H:AXI|target|minutes
energy|H:EFE|total
energy, due|H:EFE|target
energy, history|H:EFE|target_{s}
volume|H:EFE|total_water
energy|H:LUG|heat
energy, due|H:LUG|target
volume|H:LUG|volume
volume flow|H:LUG,H:EFE|flow
flow temperature|H:LUG|flow
return temperature|H:LUG|return
energy|H:QDS|total
energy, due|H:QDS|target_year
energy, storage 17|H:QDS|target
reactive energy||total_reactive_energy_consumption
reactive energy, backward||total_reactive_energy_production
apparent energy||total_apparent_energy_consumption
apparent energy, backward||total_apparent_energy_production
power||power
power|E|current_power_consumption
power, backward|E|current_power_production
power, maximum|E|max_power_consumption
reactive power|E|current_reactive_power_consumption
reactive power, backward|E|current_reactive_power_production
apparent power|E|current_apparent_power_consumption
apparent power, backward|E|current_apparent_power_production
voltage||battery
voltage|E|voltage
voltage, phase L1||voltage_at_phase_1
voltage, phase L2||voltage_at_phase_2
voltage, phase L3||voltage_at_phase_3
voltage, subunit|E|voltage_at_phase_{u}
current, phase L1||current_at_phase_1
current, phase L2||current_at_phase_2
current, phase L3||current_at_phase_3
current, subunit|E|current_at_phase_{u}
volume||total
volume, due||target
volume, history||consumption_at_set_date_{s}
volume|H|total_volume
volume, due|H|target_volume
volume, history|H|volume_at_set_date_{s}
volume, backward||total_backward
volume, backward, due||target_backward
volume, backward, history||backward_at_set_date_{s}
volume, forward||total_forward
volume, forward, history||forward_at_set_date_{s}
volume, forward, due||target_forward
volume, at base conditions||total
volume, at base conditions, due||target
volume, at base conditions, history||consumption_at_set_date_{s}
volume, due|W:HYD,W:DME|total_at_date
volume, due, tariff|W:HYD,W:DME|total_tariff{t}_at_date
volume, storage 3|W:HYD,W:DME,G:HYD,G:DME|target
volume, storage 3, at base conditions|G:HYD,G:DME|target
energy, storage 5|H:HYD,H:DME|target_energy_consumption
volume, storage 5|H:HYD,H:DME|target_volume
date, storage 5|H:HYD,H:DME|target|date
date, due|W:HYD,W:DME|at|date
energy, due|H:HYD,H:DME|energy_at_set_date
date, due|H:HYD,H:DME|set|date
date and time, storage 3|W:HYD,W:DME,G:HYD,G:DME|target|minutes
volume, due|W:QDS|target_year
volume, storage 17|W:QDS|target
date, due|W:QDS,H:QDS|target_year|date
date, storage 17|W:QDS,H:QDS|target|date
date, error|W:QDS,H:QDS|device_error|date
volume, due|W:LSE|due
date, due|W:LSE|due|date
volume, storage 8|W:ZRI|target
date, storage 8|W:ZRI|target|date
heat cost allocation, due|A:ZRI|target
heat cost allocation|A:ZRI,A:VIP|consumption
heat cost allocation, due|A:VIP|target
date, due|A:ZRI,A:VIP|target|date
volume, due|W:DWZ,W:EFE,W:MAD,W:AXI|consumption_at_set_date
volume, forward, due|W:AXI|forward_at_set_date
volume, backward, due|W:AXI|backward_at_set_date
date and time, due|W:AXI|set|minutes
volume, storage 2|W:IST|target
date, storage 2|W:IST|target|date
volume, history|W:DWZ|consumption_at_history_{s-1}
volume, backward|W:DWZ|total_backwards
volume, history|W:EFE|consumption_at_history_{s-1}
date, due|W:DWZ,W:EFE,W:MAD|set|date
volume flow||volume_flow
volume flow, maximum||max_flow
volume flow, minimum||min_flow
volume flow|W:HYD,W:DME,G:HYD,G:DME,W:KAM,W:KAW|flow
volume flow|W:SEN|max_flow
volume flow, maximum, storage 2|W:KAM,W:KAW|max_flow
volume flow, minimum, storage 2|W:KAM,W:KAW|min_flow
flow temperature, minimum, due|W:KAM,W:KAW|flow_temperature
flow temperature, minimum, storage 2|W:KAM,W:KAW|min_flow_temperature+flow_temperature
flow temperature, maximum, storage 2|W:KAM,W:KAW|max_flow_temperature
external temperature, minimum, due|W:KAM,W:KAW|min_external_temperature_last_month
external temperature, minimum, storage 2|W:KAM,W:KAW|min_external_temperature_last_day
external temperature, maximum, due|W:KAM,W:KAW|max_external_temperature
flow temperature|H:KAM|t1_temperature
return temperature|H:KAM|t2_temperature
temperature difference||temperature_difference|c
temperature difference|H:KAM,H:AXI|flow_return_temperature_difference|c
temperature difference|H:EFE|difference|c
flow temperature|G|temperature
manufacturer specific, manufacturer 07|H:KAM|forward_energy|m3c
manufacturer specific, manufacturer 08|H:KAM|return_energy|m3c
heat cost allocation, manufacturer 07|H:KAM|va|counter
heat cost allocation, manufacturer 08|H:KAM|vb|counter
identification, manufacturer 15|H:KAM|enhanced_id|txt
operating time, manufacturer 21|H:KAM|operating_time|h
external temperature|S|temperature
external temperature|S:LAS,S:BMT|current_temperature
external temperature, due|S:LAS,S:BMT,S:PII|average_temperature_1h
external temperature, storage 2|S:LAS,S:BMT,S:PII|average_temperature_24h
relative humidity||relative_humidity|rh
relative humidity|S:LAS,S:BMT|current_relative_humidity|rh
relative humidity, due|S:PII|relative_humidity_1h|rh
relative humidity, storage 2|S:PII|relative_humidity_24h|rh
relative humidity, due|S:LAS,S:BMT|average_relative_humidity_1h|rh
relative humidity, storage 2|S:LAS,S:BMT|average_relative_humidity_24h|rh
external temperature, maximum|S:BMT|maximum_temperature_1h
external temperature, maximum, due|S:BMT|maximum_temperature_24h
external temperature, minimum|S:BMT|minimum_temperature_1h
external temperature, minimum, due|S:BMT|minimum_temperature_24h
relative humidity, maximum|S:BMT|maximum_relative_humidity_1h|rh
relative humidity, maximum, due|S:BMT|maximum_relative_humidity_24h|rh
relative humidity, minimum|S:BMT|minimum_relative_humidity_1h|rh
relative humidity, minimum, due|S:BMT|minimum_relative_humidity_24h|rh
heat cost allocation||current_consumption
heat cost allocation, due||consumption_at_set_date+consumption_at_set_date_1
heat cost allocation, history||consumption_at_set_date_{s}
date||meter|date
date, error||error|date
date, due||target|date
date, due|A|set|date
date, future, due||next_target|date
date, history||set_date_{s}|-
date and time||meter|datetime
date and time|E|device|minutes
date and time|A|device|minutes
date and time|S:BMT|device|minutes
date and time|W:LSE,W:MAD,H:BMT|device|minutes
date and time|A:VIP|meter|datetime
date and time, error||meter_datetime_at_error|-
date and time, due||target|minutes
date and time, history||set_datetime_{s}|-
on time||on_time|h
operating time||operating_time|h
operating time, error||operating_time_in_error|h
actuality duration||actuality_duration|s
averaging duration||averaging_duration|s
remaining battery life||remaining_battery_life|y
fabrication number||fabrication_no|txt
identification||enhanced_id|txt
model version||model_version|txt
other software version||software_version|txt
metrology firmware version||firmware_version|txt
hardware version||hardware_version|txt
parameter set identification||parameter_set|txt
manufacturer||manufacturer|txt
customer||customer|txt
customer location||location|txt
unique message identification||access|counter
"""

# Our unit -> (how it stands in a name, the unit of conversion.py in which the value stands there).
SUFFIXES = {
    None: ("counter", None),
    "Wh": ("kwh", "kWh"),
    "J": ("kwh", "kWh"),
    "cal": ("kwh", "kWh"),
    "varh": ("kvarh", "kvarh"),
    "VAh": ("kvah", "kVAh"),
    "W": ("kw", "kW"),
    "J/h": ("kw", "kW"),
    "var": ("kvar", "kvar"),
    "VA": ("kva", "kVA"),
    "m3": ("m3", None),
    "ft3": ("m3", "m3"),
    "US gal": ("m3", "m3"),
    "m3/h": ("m3h", None),
    "m3/min": ("m3h", "m3/h"),
    "m3/s": ("m3h", "m3/h"),
    "US gal/min": ("m3h", "m3/h"),
    "US gal/h": ("m3h", "m3/h"),
    "°C": ("c", None),
    "°F": ("c", "°C"),
    "K": ("c", None),  # a difference; that program has kelvin nowhere
    "bar": ("bar", None),
    "V": ("v", None),
    "A": ("a", None),
    "Hz": ("hz", None),
    "HCA": ("hca", None),
    "kg": ("kg", None),
    "t": ("kg", "kg"),
    "%": ("pct", None),
    "s": ("h", "h"),
    "min": ("h", "h"),
    "h": ("h", None),
    "d": ("h", "h"),
    "month": ("month", None),
    "year": ("y", None),
    "°": ("deg", None),
}
TIMES = {"s": "s", "h": "h", "y": "year"}  # suffix of a table row -> unit in which a duration stands there

# Qualifiers that say nothing a name needs.
_SILENT = ("standard conform", "absolute")
_FUNCTIONS = {"maximum": "max_", "minimum": "min_"}


class _Row:
    def __init__(self, words, media="", name="", unit=""):
        self.words = frozenset(words.split(", "))
        self.media = frozenset(filter(None, media.split(",")))
        self.name = name
        self.unit = unit


_ROWS: dict[str, list[_Row]] = {}  # by quantity
for _line in NAMES.strip().splitlines():
    _ROWS.setdefault(_line.split("|")[0].split(", ")[0], []).append(_Row(*_line.split("|")))


def slug(text):
    """Text in the letters of a field name: "phase L1" gives "phase_l1"."""
    return re.sub(r"[^a-z0-9]+", "_", text.replace("³", "3").lower()).strip("_")


@lru_cache(maxsize=4096)
def name_of(quantity, qualifiers, function, storage, tariff, subunit, medium, maker):
    """(names, unit column) for what a record says; the unit suffix is not in the names yet, the first is the main one.

    qualifiers: tuple of words. medium: letter of MEDIA. maker: three letters of the manufacturer. No names: nobody knows
    what the value is.
    """
    words = {quantity, *qualifiers}
    if function != "instantaneous":
        words.add(function)
    if storage:
        words |= {"due" if storage == 1 else "history", "storage {}".format(storage)}
    if tariff:
        words |= {"tariff", "tariff {}".format(tariff)}
    if subunit:
        words.add("subunit")
    row = _best(quantity, words, medium, "{}:{}".format(medium, maker))
    if row is None and quantity.startswith(("manufacturer s", "unknown")):
        return (), ""
    name, unit, used = (row.name, row.unit, row.words) if row else (slug(quantity), "", {quantity})
    name = re.sub(r"\{s-(\d+)\}", lambda found: str(storage - int(found[1])), name)
    name = name.format(s=storage, t=tariff, u=subunit)
    affixes = _affixes(used, qualifiers, function, tariff, subunit)
    if storage and not used & {"due", "history", "storage {}".format(storage)}:
        return tuple(_stored(_with(one, affixes), storage) for one in name.split("+")), unit
    return tuple(_with(one, affixes) for one in name.split("+")), unit


def _affixes(used, qualifiers, function, tariff, subunit):
    """(prefix, suffix) for the words of a record that its row has not used."""
    prefix = suffix = ""
    for word in qualifiers:
        if word not in used and word not in _SILENT:
            suffix += "_" + slug(word)
    if function not in used:
        prefix = _FUNCTIONS.get(function, "")
        suffix += "_at_error" if function == "error" else ""
    if tariff and not used & {"tariff", "tariff {}".format(tariff)}:
        suffix += "_tariff{}".format(tariff)
    if subunit and "subunit" not in used:
        suffix += "_subunit{}".format(subunit)
    return prefix, suffix


def _with(name, affixes):
    prefix, suffix = affixes
    return prefix + (name.removeprefix("current_") if prefix else name) + suffix


def _best(quantity, words, medium, habit):
    best, rank = None, (0, 0)
    for row in _ROWS.get(quantity, ()):
        if row.words <= words and (not row.media or medium in row.media or habit in row.media):
            this = (len(row.words), 2 if habit in row.media else bool(row.media))
            if this > rank:
                best, rank = row, this
    return best


def _stored(name, storage):
    bare = name.removeprefix("current_")
    if storage > 1:
        return "{}_at_set_date_{}".format(bare.removeprefix("total_"), storage)
    return "target" + bare.removeprefix("total") if bare.startswith("total") else "target_" + bare
