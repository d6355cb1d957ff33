"""What Home Assistant is told about a meter: a discovery message for all its values (MQTT device discovery, >= 2024.12).

Device class, state class, unit and category of a value follow from its data point (OMS Annex B) and its quantity; the
values themselves are those of `--format wmbusmeters`, read from the topic of that JSON. Only combinations that Home
Assistant allows leave this module: device classes and their units as its sensor documentation lists them. A difference of
temperatures has no device class, since that of absolute ones would convert it, and older versions refuse
`temperature_delta`; a meter's local time is text, since a `timestamp` needs a time zone.
"""

import json

from ..link import address_text
from . import wmbusmeters

# `quantity|device class|state class`; T total_increasing, M measurement. A class written "a,b" is chosen by medium or unit.
_TABLE = """
energy|energy|T
volume|volume|T
mass|weight|T
heat cost allocation||T
reactive energy||T
apparent energy||T
power|power|M
reactive power||M
apparent power||M
volume flow|volume_flow_rate|M
mass flow||M
flow temperature|temperature|M
return temperature|temperature|M
external temperature|temperature|M
cold or warm temperature limit|temperature|M
temperature difference||M
pressure|pressure|M
voltage|voltage|M
current|current|M
frequency|frequency|M
phase angle voltage to voltage||M
phase angle voltage to current||M
relative humidity|humidity|M
moisture level|moisture|M
CO2 concentration|carbon_dioxide|M
CO concentration|carbon_monoxide|M
volatile organic compounds|volatile_organic_compounds|M
particles PM1|pm1|M
particles PM2.5|pm25|M
particles PM10|pm10|M
illuminance|illuminance|M
radiant flux density|irradiance|M
wind speed|wind_speed|M
noise|sound_pressure|M
pH|ph|M
distance|distance|M
battery level|battery|M
rf level|signal_strength|M
on time|duration|T
operating time|duration|T
actuality duration|duration|M
averaging duration|duration|M
nominal transmission period|duration|M
remaining battery life|duration|M
battery operating time|duration|M
date|date|
"""
METERS = 1000
VALUES = 500
_STATES = {"T": "total_increasing", "M": "measurement", "": None}
CLASSES = {}
for _line in _TABLE.strip().splitlines():
    _quantity, _class, _state = _line.split("|")
    CLASSES[_quantity] = (_class or None, _STATES[_state])

# Unit at the end of a field's name -> as Home Assistant writes it. Others: that of the record.
UNITS = {
    "kwh": "kWh",
    "m3": "m³",
    "m3h": "m³/h",
    "kw": "kW",
    "kvarh": "kvarh",
    "kvah": "kVAh",
    "kvar": "kvar",
    "kva": "kVA",
    "rh": "%",
    "s": "s",
    "h": "h",
    "y": "a",
    "hca": "HCA",
    "m3c": "m³·°C",
    "kg": "kg",
}
# Device class -> the units of ours that it may have; a value in another unit gets no class.
ALLOWED = {
    "energy": ("kWh",),
    "volume": ("m³",),
    "water": ("m³",),
    "gas": ("m³",),
    "weight": ("kg",),
    "power": ("kW",),
    "volume_flow_rate": ("m³/h",),
    "temperature": ("°C",),
    "pressure": ("bar",),
    "voltage": ("V",),
    "current": ("A",),
    "frequency": ("Hz",),
    "humidity": ("%",),
    "moisture": ("%",),
    "battery": ("%",),
    "carbon_dioxide": ("ppm",),
    "carbon_monoxide": ("ppm",),
    "volatile_organic_compounds": ("µg/m³",),
    "volatile_organic_compounds_parts": ("ppb",),
    "pm1": ("µg/m³",),
    "pm25": ("µg/m³",),
    "pm10": ("µg/m³",),
    "illuminance": ("lx",),
    "irradiance": ("W/m²",),
    "wind_speed": ("m/s",),
    "sound_pressure": ("dBA",),
    "ph": (None,),
    "distance": ("m",),
    "signal_strength": ("dBm",),
    "duration": ("s", "h"),
    "date": (None,),
}

# Qualifiers that leave a counter a counter.
_STILL_TOTAL = ("forward", "backward", "at base conditions", "at measurement conditions", "absolute")
_PHASES = ("phase L1", "phase L2", "phase L3")
# Data points that tell about the device and not about what it measures: identification, meter management, descriptors,
# dates, periods, alarm devices' own counters, compliance test.
_ABOUT_DEVICE = ("ID", "MM", "YD", "DT", "DP", "AD", "CT")
_ABOUT_DEVICE_QUANTITIES = (
    "date",
    "date and time",
    "on time",
    "operating time",
    "actuality duration",
    "averaging duration",
    "rf level",
    "battery level",
    "voltage",  # of its battery; the mains voltage of an electricity meter is a reading
)
_WATER = (0x06, 0x07, 0x10, 0x11, 0x15, 0x16, 0x17)
_GAS = (0x03, 0x12, 0x13)
_ELECTRICITY = 0x02


def classify(field, device_type):
    """{"device_class", "state_class", "unit_of_measurement", "entity_category"} of a wmbusmeters.Field, without those
    that it has not. device_type: code of the meter."""
    record = field.record
    if (
        record is None
        or field.suffix == "txt"
        or (not field.suffix and field.name != "status")
        or field.suffix in ("date", "time", "datetime")
    ):
        found = {"device_class": _date(field)}
    else:
        found = _measured(field, record, device_type)
    if _diagnostic(field, device_type):
        found["entity_category"] = "diagnostic"
    return {key: value for key, value in found.items() if value is not None}


def _date(field):
    """The class of a date. set_date_8 has no suffix that says so, and may be a date and time."""
    alone = field.name.startswith("set_date_") and len(field.value) <= len('"2024-12-31"')
    return "date" if field.suffix == "date" or alone else None


def _measured(field, record, device_type):
    device_class, state = CLASSES.get(record.quantity, (None, None))
    unit = unit_of(field)
    if device_class == "volume":
        device_class = "water" if device_type in _WATER else "gas" if device_type in _GAS else "volume"
    elif device_class == "volatile_organic_compounds" and unit == "ppb":
        device_class = "volatile_organic_compounds_parts"
    if device_class and unit not in ALLOWED[device_class]:
        device_class = None
    plain = all(word in _STILL_TOTAL or word in _PHASES for word in record.qualifiers)
    if record.storage or not plain or (state == "total_increasing" and record.function != "instantaneous"):
        state = None  # one value of the past, or of another kind: no statistics
    return {"device_class": device_class, "state_class": state, "unit_of_measurement": unit}


def unit_of(field):
    """Unit of a Field's number as Home Assistant writes it, or None."""
    if field.suffix == "counter":
        return None
    if field.record.quantity == "temperature difference":
        return "K"
    unit = UNITS.get(field.suffix) or field.record.unit
    return unit and unit.replace("ug/", "µg/").replace("m3", "m³").replace("m2", "m²")


def _diagnostic(field, device_type):
    record = field.record
    if record is None or not field.suffix:
        return True  # status, identifications
    if record.data_point is not None:
        return record.data_point[:2] in _ABOUT_DEVICE
    quantity = record.quantity
    if quantity == "voltage":
        return device_type != _ELECTRICITY
    return quantity in _ABOUT_DEVICE_QUANTITIES or "battery" in quantity


def components(telegram, name=None, prefix="omsnode"):
    """The discovery message of the meter that sent a Telegram, as a dict: device, origin, state_topic, components.

    name: what the user calls the meter, None for its number. prefix: of the unique ids; "wmbusmeters" keeps the history
    of a user who comes from that program's add-on. None if the telegram was refused or has no address.
    """
    address = telegram.address
    if address is None or telegram.error is not None or telegram.to_meter:
        return None
    maker = address_text.manufacturer_code(address.manufacturer)
    found = {}
    for field in wmbusmeters.fields(telegram):
        one = {"platform": "sensor", "name": _title(field)}
        one["unique_id"] = "{}_{}_{}".format(prefix, address.ident, field.name)
        one["value_template"] = "{{{{ value_json.{} }}}}".format(field.name)
        one.update(classify(field, address.device_type))
        if field.record is not None and field.record.storage > 1:
            one["enabled_by_default"] = False  # a year of months; who wants them switches them on
        found[field.name] = one
    return {
        "device": {
            "identifiers": ["{}_{}".format(prefix, address_text.show(address))],
            "name": name or "{} {}".format(maker, address.ident),
            "manufacturer": maker,
            "model": wmbusmeters.medium(telegram)[0],
            "serial_number": address.ident,
        },
        "origin": {"name": "omsnode"},
        "state_topic": "wmbusmeters/" + (name or address.ident),
        "components": found,
    }


def _title(field):
    """Words for a person: "flow_temperature_c" gives "Flow temperature"."""
    text = field.name.removesuffix("_" + field.suffix) if field.suffix else field.name
    if field.suffix in ("date", "datetime", "time"):
        text = field.name
    return text.replace("_", " ").capitalize()


class Announcer:
    """Tells a meter once, and again when a telegram brings values that were not there: Home Assistant forgets what a
    newer message leaves out, so each holds all that was seen. Memory is bounded: a meter that was not heard while METERS
    others were is told again, and more than VALUES of one meter are not told."""

    def __init__(self):
        self._told = {}  # identifier: its components; the meter heard last is the last

    def to_json(self, telegram, name=None):
        """One line of JSON {"topic", "retain", "payload"}, or None if there is nothing new to tell."""
        message = components(telegram, name)
        if message is None:
            return None
        key = message["device"]["identifiers"][0]
        known = self._told.pop(key, {})
        now = dict(known)
        for name, one in message["components"].items():
            if name in now or len(now) < VALUES:
                now[name] = one
        self._told[key] = now  # heard last
        if len(self._told) > METERS:
            del self._told[next(iter(self._told))]
        if known and len(now) == len(known):
            return None
        message["components"] = now
        topic = "homeassistant/device/{}/config".format(key.replace(".", "_").replace("=", ""))
        return json.dumps({"topic": topic, "retain": True, "payload": message}, ensure_ascii=False)
