"""A decoded telegram as text for a person: one heading, one indented row per record."""

from ..application.telegram import DEFAULT
from ..link import control
from ..link.address import device_type_name
from ..link.lpwan import mac as frames
from .json_lines import decimal


def heading(telegram):
    """Who speaks, what kind of telegram, and what became of it, in one line."""
    address = telegram.address
    parts = []
    if address is not None:
        kind = device_type_name(address.device_type) or "type {:02X}".format(address.device_type)
        parts = [address.ident, address.manufacturer_code or "", kind]
    mac = getattr(telegram.link, "mac", None)  # of OMS LPWAN, where C-field and address may be missing
    if mac is not None:
        parts.append(frames.name(mac.type))
    if telegram.link is not None:
        c_field = telegram.link.c_field
        if c_field is not None:
            parts.append(control.name(c_field) or "C {:02X}".format(c_field))
        if telegram.link.address is None and mac is None:
            number = telegram.link.primary_address
            parts.append("wired" if number is None else "wired, primary address {}".format(number))
        elif telegram.link.address not in (None, address):
            parts.append("via " + str(telegram.link.address))
    if telegram.access_number is not None:
        parts.append("access {}".format(telegram.access_number))
    if telegram.tpl is not None and telegram.tpl.status_flags():
        parts.append("status: " + ", ".join(telegram.tpl.status_flags()))
    parts.append(telegram.verdict or "refused")
    if telegram.key == DEFAULT:
        parts.append("with a publicly known default key: no protection")
    return "  ".join(parts)


def printable(text):
    """Text from the air without what could steer a terminal."""
    return "".join(char if char.isprintable() else "\\x{:02x}".format(ord(char)) for char in text)


def value(record):
    """Value and unit as a person reads them, or why there is none."""
    text = printable(record.text or "")
    if record.mantissa is not None:
        text = "{} {}".format(
            decimal(record.mantissa, record.exponent), printable(record.unit or "")
        ).rstrip()
    return "{} ({})".format(text, record.flag).lstrip() if record.flag is not None else text


def details(record):
    """What tells this record from others of the same quantity."""
    parts = []
    if record.function != "instantaneous":
        parts.append(record.function)
    for name in ("storage", "tariff", "subunit"):
        number = getattr(record, name)
        if number:
            parts.append("{} {}".format(name, number))
    if record.time is not None:
        parts.append("at " + record.time)
    return ", ".join(parts)


def quantity(record):
    """What was measured, with its qualifiers."""
    return printable(", ".join((record.quantity, *record.qualifiers)))


def complaint(error):
    """An OmsError in one line."""
    where = "" if error.position is None else " at {}".format(error.position)
    return "{}: {}{}{}".format(
        error.code, error.message, where, " ({})".format(error.hint) if error.hint else ""
    )


def to_table(telegram):
    """Several lines of text of an application.telegram.Telegram, without a line end at the end."""
    rows = [(quantity(record), value(record), details(record)) for record in telegram.records]
    widths = [max([len(row[column]) for row in rows], default=0) for column in (0, 1)]
    lines = [heading(telegram)]
    for row in rows:
        lines.append("  {:<{}}  {:>{}}  {}".format(row[0], widths[0], row[1], widths[1], row[2]).rstrip())
    if telegram.protocol is not None:
        for _, _, name, value_, unit in telegram.protocol.fields:
            if name != "undecoded":
                text = "  {}: {} {}".format(name.replace("_", " "), printable(str(value_)), unit or "")
                lines.append(text.rstrip())
    if telegram.undecoded is not None:
        data = bytes(telegram.undecoded.data).hex().upper()
        lines.append("  not decoded ({}): {}".format(telegram.undecoded.reason, data))
    if telegram.error is not None:
        lines.append("  refused: " + complaint(telegram.error))
    return "\n".join(lines)
