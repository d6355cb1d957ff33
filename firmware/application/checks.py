"""What a record of a meter says by itself that cannot be right (plausibility.py has the list of findings, and compares
with what came before)."""

from .record import add

# Quantities that only grow; by unit how much of it an hour can bring. Wide: they tell damage from consumption.
RATES = {
    ("energy", "Wh"): (1, 6),  # 1 MW
    ("energy", "J"): (36, 8),
    ("energy", "cal"): (1, 9),
    ("reactive energy", "varh"): (1, 6),
    ("apparent energy", "VAh"): (1, 6),
    ("volume", "m3"): (250, 0),
    ("volume", "ft3"): (9000, 0),
    ("mass", "kg"): (25, 4),
    ("mass", "t"): (250, 0),
    ("heat cost allocation", "HCA"): (100, 0),
    ("on time", None): None,
    ("operating time", None): None,
}
COUNTERS = tuple([quantity for quantity, _ in RATES])

# (quantity, unit): lowest and highest.
_RANGES = {
    ("flow temperature", "°C"): (-60, 300),
    ("return temperature", "°C"): (-60, 300),
    ("external temperature", "°C"): (-90, 150),
    ("temperature difference", "K"): (-300, 300),
    ("pressure", "bar"): (-1, 1000),
    ("relative humidity", "%"): (0, 100),
    ("moisture level", "%"): (0, 100),
    ("battery level", "%"): (0, 100),
    ("voltage", "V"): (0, 1000),
    ("current", "A"): (-10000, 10000),
    ("frequency", "Hz"): (10, 100),
    ("power", "W"): (-1000000, 1000000),
    ("power", "J/h"): (-3600000000, 3600000000),
    ("volume flow", "m3/h"): (-250, 250),
    ("CO concentration", "ppm"): (0, 100000),
    ("pH", None): (0, 14),
    ("rf level", "dBm"): (-200, 50),
}

# No number, and none was meant.
_NO_FAULT = ("raw data", "selection for readout", "no data", "values follow", "more records follow")
_PROFILE_FAULTS = (
    "ended by an invalid value",
    "no base value",
    "invalid base value",
    "incomplete last value",
)
# With these VIFEs a counter is still a counter.
_STILL_COUNTERS = ("backward", "forward", "at measurement conditions", "at base conditions", "absolute")


class Finding:
    """check: one of the names that plausibility.py lists. obis, data_point, quantity: of the record, None where it is about
    the whole telegram (record None). numbers: tuple of (name, number or text) that led to it, a number as (mantissa,
    exponent of ten, unit or None)."""

    obis = data_point = quantity = None

    def __init__(self, check, record, numbers):
        self.check = check
        if record is not None:
            self.obis = record.obis
            self.data_point = record.data_point
            self.quantity = ", ".join((record.quantity,) + tuple(record.qualifiers))
        self.numbers = numbers

    def __repr__(self):
        return "<%s: %s>" % (self.check, self.obis or self.data_point or self.quantity)


def is_counter(record):
    """Whether the number of this record only grows: a total, current, with nothing but a direction or conditions."""
    if record.quantity not in COUNTERS or record.function != "instantaneous" or record.storage:
        return False
    if record.unit is None or "/" in record.unit or "*" in record.unit:
        return False
    return all([word in _STILL_COUNTERS for word in record.qualifiers])


def alone(record, telegram, found):
    """What a record says by itself."""
    flag = record.flag
    # How long or since when there was an error is no value that suffered from it.
    if (
        record.function == "error"
        and record.mantissa is not None
        and record.unit not in ("s", "min", "h", "d")
    ):
        found.append(Finding("error state", record, _shown(record)))
    if flag is not None and record.mantissa is None:
        if flag in _PROFILE_FAULTS:
            found.append(Finding("profile incomplete", record, (("flag", flag),)))
        elif record.text is not None:
            if flag == "wildcard" and record.quantity == "date and time" and not record.qualifiers:
                found.append(Finding("time incomplete", record, (("time", record.text),)))
        elif flag == "not set":
            found.append(Finding("time incomplete", record, (("time", flag),)))
        elif flag not in _NO_FAULT and flag[:4] != "type" and record.quantity != "manufacturer data":
            found.append(Finding("invalid value", record, (("flag", flag), ("data", record.data.hex()))))
    if record.mantissa is None or not record.dib:
        return
    if _full(record):
        found.append(Finding("register full", record, _shown(record)))
    span = _RANGES.get((record.quantity, record.unit))
    if span is not None and _plain(record):
        low, high = span
        if add(record.mantissa, record.exponent, -low, 0)[0] < 0:
            found.append(Finding("over range", record, _shown(record) + (("lowest", (low, 0, record.unit)),)))
        elif add(record.mantissa, record.exponent, -high, 0)[0] > 0:
            found.append(
                Finding("over range", record, _shown(record) + (("highest", (high, 0, record.unit)),))
            )
    if record.data_point is None and is_counter(record) and not record.subunit and _annotated(telegram):
        kind = telegram.address.device_type
        found.append(Finding("not mapped", record, _shown(record) + (("device type", "%02X" % kind),)))


def _annotated(telegram):
    return any([record.data_point is not None for record in telegram.records])


def _plain(record):
    """Whether the qualifiers leave it a measured value (a limit or a deviation has a range of its own)."""
    words = " ".join(record.qualifiers)
    return not any([word in words for word in ("deviation", "limit", "duration", "delta")])


def _shown(record):
    if record.mantissa is None:
        return (("value", record.text or record.flag or ""),)
    return (("value", (record.mantissa, record.exponent, record.unit)),)


def _full(record):
    """All nines, or the highest positive number of the data field, in a register of more than a byte."""
    data, field = record.data, record.dib[0] & 0x0F
    if len(data) < 2:
        return False
    if 9 <= field <= 12 or field == 14:
        return data == b"\x99" * len(data)
    return field in (2, 3, 4, 6, 7) and data == b"\xff" * (len(data) - 1) + b"\x7f"
