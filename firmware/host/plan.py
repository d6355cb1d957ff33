"""Plans: telegrams repeat their layout, and what depends on it alone is worked out once.

A plan holds for payloads of one length, sent by a meter, in which every byte that is no value (DIB, VIB, LVAR, filler, a
unit in plain text) is the same: all of them are compared, in every telegram. What is left is to read the values, by
the functions that read them without a plan. Nothing else is remembered between telegrams: header, security and refusals
are those of application.telegram, which is handed `Plans.read` in place of record.decode. Without this module all is
the same, only slower.
"""

from collections import OrderedDict

from ..application import record as plain
from ..application import telegram as application
from ..application import types, vif
from . import json_lines

_CHECK = b"\x2f"  # what the decrypted payload begins with, twice, and fillers
_VARIABLE = 13  # data field: an LVAR leads the data
_TWO_ORDERS = b"\xfc"  # VIF: a unit in plain text in one of two orders; what stands behind tells in which
_SAME_LOOK = 4  # plans kept of payloads that have length and first record in common
_DEVICE_TYPES = 8  # for which the names and the template of a plan are kept

_new = object.__new__
_bcd, _integer = types.bcd, types.integer


def is_number(field, kind):
    """Whether types.value is nothing but bcd(data) from data field 9 on, and integer(data, kind) below."""
    return field not in (0, 5, 8, _VARIABLE) and kind in ("", "C", "D", "N")


def _keep(some, device_type, what):
    if len(some) >= _DEVICE_TYPES:
        some.clear()
    some[device_type] = what


class _Slot:
    """Of one record. constant: what it always has. start, end: where its data are. meaning, field: how they are read,
    None for what is no record with a VIB. number: "bcd", or what `integer` is to read, or None if it is neither. seen:
    data and reading of the last one that was no number; few of them change from telegram to telegram."""

    def __init__(self, record):
        self.start = record.offset + len(record.dib) + len(record.vib)
        self.end = self.start + len(record.data)
        self.constant = dict(vars(record), data=None, mantissa=None, text=None, obis=None, data_point=None)
        self.meaning = self.field = self.number = None
        self.seen = None, None
        if record.vib:
            self.meaning = meaning = vif.resolve(record.vib)
            self.field = field = record.dib[0] & 0x0F
            kind = plain.kind(meaning, field)
            more = meaning.error or meaning.flag or meaning.twelfth or meaning.constants
            if is_number(field, kind) and not more:
                self.number = "bcd" if field >= 9 else kind
                self.constant["exponent"] = meaning.exponent
                self.constant["flag"] = None

    def reading(self, data):
        """(mantissa, exponent, text, flag) of data that are not simply a number."""
        if data != self.seen[0]:
            self.seen = data, plain.reading(self.meaning, self.field, data)
        return self.seen[1]


class _Plan:
    """Of one layout. mask, fixed: the payload as a number, and with it the mask, is `fixed`. slots: of its records.
    names: {device type: (OBIS code, data point) of each record}. templates: {device type: of the JSON of the records}.
    """

    def __init__(self, payload, records):
        slots = [_Slot(record) for record in records]
        mask = bytearray(b"\xff" * len(payload))
        for slot in slots:
            first = slot.start + 1 if slot.field == _VARIABLE else slot.start
            mask[first : slot.end] = bytes(slot.end - first)
        self.mask = int.from_bytes(mask, "big")
        self.fixed = int.from_bytes(payload, "big") & self.mask
        self.slots = [(slot, slot.constant, slot.start, slot.end, slot.number) for slot in slots]
        self.names = {}
        self.templates = {}

    def records(self, payload):
        """The records of a payload that has this layout."""
        out = []
        for slot, constant, start, end, number in self.slots:
            record = _new(plain.Record)
            fields = record.__dict__
            fields.update(constant)
            fields["data"] = data = payload[start:end]
            out.append(record)
            if number is not None:
                mantissa = _bcd(data)[0] if number == "bcd" else _integer(data, number)[0]
                if mantissa is not None:
                    fields["mantissa"] = mantissa
                    continue
            if slot.meaning is not None:
                record.mantissa, record.exponent, record.text, record.flag = slot.reading(data)
        return out

    def json(self, template, telegram):
        """Of the records of a Telegram."""
        digits = telegram.payload.hex().upper()
        return json_lines.fill(
            template, telegram.records, [digits[2 * slot[2] : 2 * slot[3]] for slot in self.slots]
        )


class Plans:
    """size: how many looks of a payload (length, first record) are kept, the last used ones. annotate:
    function of a Telegram that names its records (application.obis.annotate), or None.

    hits, misses: payloads of records that were read with and without a plan.
    """

    def __init__(self, size=256, annotate=None):
        self.size = size
        self.annotate = annotate
        self.hits = self.misses = 0
        self._plans = OrderedDict()
        self._last = (None, None)  # records read with a plan last, and the plan

    def decode(self, telegram, key_for=None, default_keys=None, formats=None, **more):
        """The same as application.telegram.decode, and then `annotate`."""
        self._last = (None, None)
        result = application.decode(telegram, key_for, default_keys, formats, self.read, **more)
        if self.annotate is not None:
            self.name(result)
        return result

    def name(self, telegram):
        """Annotate the telegram that was decoded last."""
        plan = self._plan_of(telegram)
        if plan is None:
            self.annotate(telegram)
            return
        names = plan.names.get(telegram.address.device_type)
        if names is None:
            self.annotate(telegram)
            names = [(record.obis, record.data_point) for record in telegram.records]
            _keep(plan.names, telegram.address.device_type, names)
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
        payload = bytes(payload)
        if to_meter:  # they are rare
            return plain.decode(payload, to_meter)
        look = (len(payload), payload[2:4] if payload[:1] == _CHECK else payload[:2])
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
        records, undecoded = plain.decode(payload)
        # To make a plan takes longer than to read the records: not before they look the same again.
        if plans is None:
            if len(self._plans) >= self.size:
                self._plans.popitem(last=False)
            self._plans[look] = []
        elif undecoded is None and all([record.vib[:1] != _TWO_ORDERS for record in records]):
            plans.insert(0, _Plan(payload, records))
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
            _keep(plan.templates, telegram.address.device_type, template)
        return json_lines.to_json(telegram, frame_format, more, plan.json(template, telegram))
