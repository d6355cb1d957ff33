"""Orders: what an owner asks of one meter, and what the answers mean. Above the link and without time of its own: a session
carries the exchanges (EN 13757-3:2018; OMS Vol.2 Annex M use cases; sheets oms-requirements 10, 14, en13757-7-security 10, 11).

    read [POINT...]                 the standard response (REQ-UD2), or selected records (get commands)
    write POINT VALUE [--secured [KEYID]]     set; also: add, sub, bor, and, xor, not POINT VALUE; clear POINT
    valve open|close|release        UC-03: DC1! under KeyID 20
    clock-read                      DT1!
    clock-set [ISO]                 UC-04 of the head-end, under KeyID 22; without a time: ours (UTC) when it is sent
    clock-adjust [SECONDS]          UC-04a of the gateway, within 60 s; without seconds: to our own time
    clock-adjust SECONDS --secured  UC-04b and c of the head-end, under KeyID 21
    reset                           application reset
    select NAME|NUMBER [BLOCK]      application select
    status                          UC-06: status byte and error flags of the standard response
    alarm                           REQ-UD1
    key-change                      UC-08, see keys.py
    mac-read, mac-link, mac-clock, mac-session, mac-resume, mac-fallback, mac-renew      of burst meters, see mac.py

POINT is an OMS tag of the meter's device type (VM1!, EW1!D), DIB:VIB in hex (0C:13), or a quantity ("volume", "volume@1" for
storage number 1): of what the meter was heard to send the first that fits, else the table of units. VALUE is a decimal in
the unit of the records (m3, Wh, ...), an ISO date or time, 0x and bytes in hex, or text.

When no answer came an order is asked again by itself, if it may be executed twice: all of them but add, sub, xor and clock-adjust
SECONDS (`once`). Of these a secured one asks the meter for its key counter, which tells; a plain one has failed.

How a session drives one:

    while order.outcome == MORE:
        exchange = order.exchange(wall_us)      # store order.export() before anything of it is sent
        ... the ladder around one exchange ...
        order.heard(Heard(...), wall_us)        # it has ended; or
        order.silence(wall_us)                  # it was given up without an answer; the meter may have executed it
    order.result or order.reason
"""

from ...errors import MisuseError, OmsError, StoreError
from ...link.address import Address
from .order import DONE, FAILED, MORE, Exchange, Heard, Order, body, error_code, plain_record

__all__ = (
    "DONE",
    "FAILED",
    "MORE",
    "Exchange",
    "Heard",
    "Order",
    "body",
    "error_code",
    "make",
    "padded",
    "plain_record",
    "restore",
)

_SOME_TIME_US = 1 << 50
_PADDED = (0x53, 0x55, 0xC0, 0xC3)

# Word: (module, class). The classes are loaded when one is asked for.
_KINDS = {
    "read": ("data", "Read"),
    "write": ("data", "Write"),
    "add": ("data", "Write"),
    "sub": ("data", "Write"),
    "bor": ("data", "Write"),
    "and": ("data", "Write"),
    "xor": ("data", "Write"),
    "not": ("data", "Write"),
    "clear": ("data", "Write"),
    "valve": ("secured", "Valve"),
    "clock-read": ("clock", "ClockRead"),
    "clock-set": ("clock_set", "ClockSet"),
    "clock-adjust": ("clock", "ClockAdjust"),
    "reset": ("states", "Reset"),
    "select": ("states", "Select"),
    "status": ("states", "Status"),
    "alarm": ("states", "Alarm"),
    "key-change": ("keys", "KeyChange"),
    "mac-read": ("mac", "MacRead"),
    "mac-link": ("mac", "MacLink"),
    "mac-session": ("mac", "MacSet"),
    "mac-resume": ("mac", "MacSet"),
    "mac-fallback": ("mac", "MacSet"),
    "mac-clock": ("mac", "MacClock"),
    "mac-renew": ("mac", "MacRenew"),
}


def make(words, meter, keys=None, known=()):
    """The Order of these words. meter: Address. keys: see Order. known: application.record.Records that the meter was heard to
    send. Raises MisuseError, its hint says what to do."""
    order = _load(words)(words, meter, keys)
    order._plan(known)
    return order


def restore(stored, keys=None):
    """The Order that `export` gave. An exchange that was under way is taken for silence: look at `outcome`. StoreError if it
    cannot be read."""
    try:
        words, meter = stored["words"], stored["meter"]
        state = dict(stored["state"])
        outcome = stored["outcome"]
        if outcome not in (MORE, DONE, FAILED) or not all([isinstance(word, str) for word in words]):
            raise ValueError
        meter = None if meter is None else Address.from_tpl(bytes.fromhex(meter))
        kind = _load(words)
        order = kind(words, meter, keys, state)
        if outcome == MORE:
            _proved(kind(words, meter, keys, dict(state)))
        order.outcome, order.result, order.reason = outcome, stored["result"], stored["reason"]
    except MisuseError as error:  # of a key that is not there any more
        raise StoreError("a stored order cannot be gone on with: " + error.message, hint=error.hint)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OmsError):
        raise StoreError("a stored order cannot be read", hint="it is damaged: ask again")
    order.silence(None)
    return order


def _proved(copy):
    """That an order can be gone on with; it is changed. Raises what `restore` catches."""
    return copy.exchange(_SOME_TIME_US), copy.new_key, copy.adopted


def _load(words):
    module, name = _KINDS.get(words[0] if words else None, (None, None))
    if name == "Write" and "--secured" in words:
        module, name = "secured", "SecuredWrite"
    elif name == "ClockAdjust" and "--secured" in words:
        module, name = "clock_set", "SecuredAdjust"
    if module == "data":
        from . import data as found
    elif module == "secured":
        from . import secured as found
    elif module == "clock":
        from . import clock as found
    elif module == "clock_set":
        from . import clock_set as found
    elif module == "states":
        from . import states as found
    elif module == "keys":
        from . import keys as found
    elif module == "mac":
        from . import mac as found
    else:
        raise MisuseError(
            "no order " + (words[0] if words else "was given"), None, "one of: " + ", ".join(sorted(_KINDS))
        )
    return getattr(found, name)


def padded(ci, data):
    """Whether security mode 7 fills up these application data with TPL padding (P = 1) and not with 2F (OMS Vol.2 Table 42; as
    Annex N.12 has it, none where nothing is to be filled)."""
    return ci in _PADDED and (len(data) + 2) % 16 != 0
