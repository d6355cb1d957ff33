"""Plans: telegrams repeat their layout, and what depends on it alone is worked out once.

A plan holds for payloads of one length and direction in which every byte that is no value (DIB, VIB, LVAR, filler, a
unit in plain text) is the same: all of them are compared, in every telegram. What is left is to read the values, by
the function that reads them without a plan. Nothing else is remembered between telegrams: header, security and refusals
are those of application.telegram, which is handed `Plans.read` in place of record.decode. Without this module all is
the same, only slower.
"""

from collections import OrderedDict

from ..application import record as plain
from ..application import telegram as application
from ..application import vif
from . import json_lines

_CHECK = b"\x2f"  # what the decrypted payload begins with, twice, and fillers
_VARIABLE = 13  # data field: an LVAR leads the data
_TWO_ORDERS = (
    b"\xfc"  # VIF: a unit in plain text in one of two orders, and the values behind it tell in which
)
_SAME_LOOK = 4  # plans kept of payloads that have length and first record in common


class _Plan:
    """Of one layout. mask, fixed: the payload as a number, and with it the mask, is `fixed`. slots: of each record
    what does not change, where its data are, and how they are read. names: {device type: (OBIS code, data point) of each
    record}. templates: {device type: JSON of the records with holes for value, flag and data of each}."""

    def __init__(self, payload, to_meter, records):
        mask = bytearray(b"\xff" * len(payload))
        self.slots = []
        for record in records:
            start = record.offset + len(record.dib) + len(record.vib)
            end = start + len(record.data)
            meaning = field = None
            if record.vib:
                meaning = vif.resolve(record.vib, to_meter)
                field = record.dib[0] & 0x0F
            first = start + 1 if field == _VARIABLE else start
            mask[first:end] = bytes(end - first)
            constant = {name: value for name, value in vars(record).items() if name not in _CHANGING}
            self.slots.append((constant, start, end, meaning, field, record.flag))
        self.mask = int.from_bytes(mask, "big")
        self.fixed = int.from_bytes(payload, "big") & self.mask
        self.names = {}
        self.templates = {}

    def records(self, payload):
        """The records of a payload that has this layout."""
        out = []
        for constant, start, end, meaning, field, flag in self.slots:
            record = _new(plain.Record)
            vars(record).update(constant)
            record.data = data = payload[start:end]
            if meaning is not None:
                record.mantissa, record.exponent, record.text, flag = _reading(meaning, field, data)
            record.flag = flag
            out.append(record)
        return out


_CHANGING = ("data", "mantissa", "exponent", "text", "flag")
_new = object.__new__
_reading = plain.reading


class Plans:
    """size: how many looks of a payload (length, direction, first record) are kept, the last used ones. annotate:
    function of a Telegram that names its records (application.obis.annotate), or None.

    hits, misses: payloads of records that were read with and without a plan.
    """

    def __init__(self, size=256, annotate=None):
        self.size = size
        self.annotate = annotate
        self.hits = self.misses = 0
        self._plans = OrderedDict()
        self._last = (None, None)  # records read with a plan last, and the plan

    def decode(self, telegram, key_for=None, default_keys=None, formats=None):
        """The same as application.telegram.decode, and then `annotate`."""
        self._last = (None, None)
        result = application.decode(telegram, key_for, default_keys, formats, self.read)
        if self.annotate is not None:
            self._name(result)
        return result

    def _name(self, telegram):
        plan = self._plan_of(telegram)
        if plan is None:
            self.annotate(telegram)
            return
        names = plan.names.get(telegram.address.device_type)
        if names is None:
            self.annotate(telegram)
            names = [(record.obis, record.data_point) for record in telegram.records]
            plan.names[telegram.address.device_type] = names
            return
        for record, (obis, data_point) in zip(telegram.records, names, strict=True):
            record.obis = obis
            record.data_point = data_point

    def _plan_of(self, telegram):
        """The plan with which the records of this telegram were read, None if there is none or if it was not the last."""
        records, plan = self._last
        return plan if records is telegram.records and telegram.address is not None else None

    def read(self, payload, to_meter=False):
        """The same as application.record.decode."""
        look = (len(payload), to_meter, payload[2:4] if payload[:1] == _CHECK else payload[:2])
        plans = self._plans.get(look)
        if plans is not None:
            self._plans.move_to_end(look)
            number = int.from_bytes(payload, "big")
            for plan in plans:
                if number & plan.mask == plan.fixed:
                    self.hits += 1
                    records = plan.records(payload)
                    self._last = (records, plan)
                    return records, None
        self.misses += 1
        records, undecoded = plain.decode(payload, to_meter)
        if undecoded is None and all(record.vib[:1] != _TWO_ORDERS for record in records):
            if plans is None:
                if len(self._plans) >= self.size:
                    self._plans.popitem(last=False)
                plans = self._plans[look] = []
            plans.insert(0, _Plan(payload, to_meter, records))
            del plans[_SAME_LOOK:]
        return records, undecoded

    def to_json(self, telegram, frame_format=None, more=()):
        """The same as json_lines.to_json. The records are as `decode` left them, or they are others."""
        plan = self._plan_of(telegram)
        if plan is None:
            return json_lines.to_json(telegram, frame_format, more)
        template = plan.templates.get(telegram.address.device_type)
        if template is None:
            template = json_lines.template(telegram.records)
            plan.templates[telegram.address.device_type] = template
        return json_lines.to_json(telegram, frame_format, more, json_lines.fill(template, telegram.records))
