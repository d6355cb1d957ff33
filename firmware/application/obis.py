"""OBIS codes of OMS Vol.2 Annex A: which code and which data point (Annex B) a decoded record is.

A code stands in a data point's row (points/__init__.py) as C.D.E*F. e is the tariff, f the storage number of a record
with final DIFE, B the subunit. Value group A is that of the device type unless it stands before a colon. + joins the
two codes of one record, / stands between those without and with DP2! in the message (gas flow).
"""

import sys

from ..transport import ci
from . import points

_memo = {}
_MEMO_SIZE = 2048 if sys.implementation.name == "cpython" else 32
_NOTHING = (None, None, (), None)
_GAS = 3


def annotate(telegram):
    """Set `obis` and `data_point` of every record of an application.telegram.Telegram that a meter sent.

    A record with two codes (DT1! is time and date) gets the first; `codes` has both. Values of a compact profile are
    what the profile is, as far as their storage numbers are those of the data point. In a telegram to a meter
    `data_point` is the command tag, and there are no codes. Returns nothing.
    """
    if telegram.address is None or not telegram.records:
        return
    device_type = telegram.address.device_type
    if device_type is None:
        return
    if telegram.tpl is not None and telegram.tpl.direction == ci.DOWN:
        from .points import to_meter

        for record in telegram.records:
            record.data_point = to_meter.find(record, device_type)
        return
    dp2 = device_type == _GAS and has_dp2(telegram.records)
    found = _NOTHING
    for record in telegram.records:
        if record.dib:
            found = _memo.get((device_type, record.dib, record.vib, dp2))
            if found is None:
                found = _look_up(device_type, record.dib, record.vib, dp2)
            record.data_point = found[0]
            record.obis = found[1]
        elif found[3] is not None:
            _annotate_value(record, found, device_type, dp2)


def codes(record, device_type, dp2=False):
    """The OBIS codes of a record as a tuple of texts ("8-0:1.0.0*255",). dp2: whether the message has DP2!."""
    return _look_up(device_type, record.dib, record.vib, dp2)[2]


def has_dp2(records):
    """Whether an averaging duration (DP2!) is among the records of a gas meter."""
    return any([_look_up(_GAS, record.dib, record.vib, False)[0] == "DP2!" for record in records])


def _look_up(device_type, dib, vib, dp2):
    """(tag or None, first code or None, codes, points.Found of a compact profile or None), remembered."""
    key = (device_type, dib, vib, dp2)
    result = _memo.get(key)
    if result is None:
        result = _NOTHING
        found = points.search(device_type, dib, vib)
        if found is not None:
            own = _codes(found, found.storage, device_type, dp2)
            tag = found.row.tag if found.row.requirement else None
            result = (tag, own[0] if own else None, own, found if found.profile else None)
        if len(_memo) >= _MEMO_SIZE:
            _memo.clear()
        _memo[key] = result
    return result


def _codes(found, storage, device_type, dp2):
    text = found.row.obis
    if not text:
        return ()
    if "/" in text:
        text = text.split("/")[dp2]
    out = []
    for code in text.split("+"):
        group, _, rest = code.rpartition(":")
        group = group or points.group_a(device_type)
        if group:
            rest = rest.replace("e", str(found.tariff)).replace("f", str(storage))
            out.append("{}-{}:{}".format(group, found.subunit, rest))
    return tuple(out)


def _annotate_value(record, profile, device_type, dp2):
    """A value of a compact profile. Historical ones have a storage number of their own; those of TAF7 (suffix B, OMS
    Vol.2 Annex R) belong to their base value."""
    tag, first, _, found = profile
    if any([low <= record.storage <= high for low, high in found.row.storages]):
        own = _codes(found, record.storage, device_type, dp2)
        record.data_point = tag
        record.obis = own[0] if own else None
    elif found.row.tag.endswith("B"):
        record.data_point = tag
        record.obis = first
