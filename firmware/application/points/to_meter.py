"""Command tags (OMS Vol.2 Annex B.2.4): what a record that is sent to a meter asks for. Meters never send them.

The VIB is that of a data point with the action code behind it. A row of commands.py is as one of a data point, with the
action code (- for the old commands that have none) in place of the encryption.
"""

from ...errors import ApplicationError
from .. import dib as _dib
from . import fits, lines, requirement_of, search_tables, tables_of, vib_names

# Add to and delete from the readout list: of every data point, data field 0.
_LISTS = {0x0C: "arl", 0x0D: "drl"}


def find(record, device_type):
    """The tag ("setDT2!N", "XDC1!") of a record to a meter of this device type, or None."""
    from . import commands

    dib, vib = record.dib, record.vib
    if not dib or not vib:
        return None
    try:
        _, field, function, storage, tariff, _, final = _dib.parse(dib, 0, len(dib))
    except ApplicationError:
        return None
    tables = tables_of(device_type)[0]
    module, first, last = tables[0]
    own = module.COLUMNS.split()[first] if first == last >= 0 else None
    columns = commands.COLUMNS.split()
    if own not in columns:
        return None
    column = columns.index(own)
    action = "-"
    if len(vib) > 1 and vib[-2] & 0x80 and vib[-1] < 0x10:
        inner = vib[:-2] + bytes([vib[-2] & 0x7F])
        if field == 0 and vib[-1] in _LISTS:
            found = search_tables(tables, "", inner, None, function, storage, tariff, final)
            return _LISTS[vib[-1]] + found.tag if found and found.requirement else None
        action, vib = "%02X" % vib[-1], inner
    names = vib_names(commands.VIBS, vib)
    for line in lines(commands.TAGS) if names else ():
        parts = line.split(" ")
        if (
            parts[3] == action
            and requirement_of(parts[4], column, column)
            and fits(parts, names, field, function, storage, tariff, final)
        ):
            return parts[0]
    return None
