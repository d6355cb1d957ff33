"""What becomes of an order, as a line of JSON or of text: the same in `collect` and in `command`.

An event is the plain dict that the collector tells (host/order_desk.py).
"""

import json

from omsnode.firmware.application import gateway as times
from omsnode.firmware.application import valve
from omsnode.firmware.host import json_lines, table

from . import _beyond

_LINE = "{:<9}  {:<12}  {}"
_PLACE = ("storage", "tariff", "subunit")
_VALVE = {valve.CLOSED: "closed", valve.OPEN: "open", valve.RELEASED: "released"}


def as_json(event):
    """The event as {"order": {...}}; values of records are numbers with just their own digits."""
    return '{"order": ' + _json(event) + "}"


def as_line(event, whose=False):
    """One line for people. whose: say which order of which meter it is about."""
    stamp = event.get("timestamp")
    parts = [_about(event)] if whose else []
    parts.append(" ".join([said(event), *([_beyond.MARK] if event.get("beyond_limits") else [])]).lstrip())
    text = table.printable(": ".join(part for part in parts if part))
    return _LINE.format(stamp[11:19] + "Z" if stamp else "--:--:--", event["step"], text).rstrip()


def _about(event):
    if event["number"] is None:
        return who(event)
    return "order {} for {}, {}".format(event["number"], who(event), " ".join(event["words"]))


# What a result says that is not worth a word.
_NOTHING = (("status", 0), ("unheard", 0))


def who(event):
    """The meter by its name, or else by its number."""
    return event.get("name") or event["meter"].partition(".")[0]


def said(event):
    """What there is to say about a step."""
    if event.get("reason"):
        return event["reason"]
    if event.get("result") is not None:
        return _result(event["result"]) or "ok"
    if event.get("expires"):
        return "until " + event["expires"]
    if event.get("expected"):
        return "for the meter, about " + event["expected"]
    parts = [str(event["detail"])] if event.get("detail") not in (None, "answer") else []
    if event.get("margin_us") is not None:
        parts.append("margin {} us".format(event["margin_us"]))
    return ", ".join(parts)


def _result(result):
    """A result (a plain dict) in one line."""
    parts = []
    for name, value in result.items():
        if name == "records":
            # The record of a clock says its time once more.
            parts += [_quantity(one) + " " + _value(one) for one in value if "time" not in result]
        elif name == "ours_ms" and value is not None:
            parts.append("our time: " + times.utc_text(value)[:19])
        elif name == "alarm" and not value and not result.get("records"):
            parts.append("no alarm")
        elif name in ("state", "physical"):
            parts.append("{}: {}".format(name, _VALVE.get(value, value)))
        elif value not in (None, [], "", {}) and (name, value) not in _NOTHING:
            parts.append("{}: {}".format(name.replace("_", " "), _plain(value)))
    return "; ".join(parts)


def _plain(value):
    if isinstance(value, list):
        return ", ".join(_plain(one) for one in value)
    if isinstance(value, dict):
        return _result(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _quantity(record):
    place = ["{} {}".format(name, record[name]) for name in _PLACE if record.get(name)]
    function = record.get("function")
    more = ([function] if function not in (None, "instantaneous") else []) + place
    return record["quantity"] + (" ({})".format(", ".join(more)) if more else "")


def _value(record):
    text = record.get("text") or ""
    if record.get("mantissa") is not None:
        text = json_lines.decimal(record["mantissa"], record["exponent"])
        text += " " + record["unit"] if record.get("unit") else ""
    flag = record.get("flag")
    return "{} ({})".format(text, flag).lstrip() if flag else text


def _json(value):
    if isinstance(value, list):
        return "[" + ", ".join(_json(one) for one in value) + "]"
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if "mantissa" in value:
        return _record(value)
    return "{" + ", ".join(json.dumps(name) + ": " + _json(one) for name, one in value.items()) + "}"


def _record(record):
    """As `decode` writes one: value instead of mantissa, exponent and text."""
    value = json.dumps(record["text"], ensure_ascii=False)
    if record["mantissa"] is not None:
        value = json_lines.decimal(record["mantissa"], record["exponent"])
    rest = {
        name: one for name, one in record.items() if name not in ("quantity", "mantissa", "exponent", "text")
    }
    head = '{{"quantity": {}, "value": {}, '.format(json.dumps(record["quantity"]), value)
    return head + _json(rest)[1:]
