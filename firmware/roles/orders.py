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
    key-change                      UC-08, see orders_keys.py

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

from collections import namedtuple

from ..errors import MisuseError, OmsError, StoreError
from ..link.address import Address

# kind: "SND-UD", "SND-UD2", "REQ-UD1" or "REQ-UD2". ci: CI of the application data, in its long form, or None (CI 80, no data).
# data: plain application bytes; the session protects them with the meter's profile; see `padded`.
Exchange = namedtuple("Exchange", ("kind", "ci", "data"))

# kind: "ACK", "NACK" or "RSP-UD". status: TPL status byte of the last answer, or None. telegram: application.telegram.Telegram
# of an RSP-UD, or None. Only what is authentic, or an application error, is handed over.
Heard = namedtuple("Heard", ("kind", "status", "telegram"))

MORE, DONE, FAILED = "more", "done", "failed"

_PADDED = (0x53, 0x55, 0xC0, 0xC3)
_ONCE = ("add", "sub", "xor")
_BUSY, _ERROR = 1, 2  # application bits of the status byte

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
}


class Order:
    """One order. words: as typed. meter: Address of the meter. keys: function (KeyID, version or None for the active one) that
    gives (version, Key) or None.

    outcome: MORE, DONE or FAILED. result: plain dict, when it is DONE. reason: text, when it FAILED. code: application error
    or SITP status that the reason is about, or None. wants: an RSP-UD is wanted even if an ACK says "done". once: it must
    not be repeated when nobody knows whether it was executed (add, sub, xor; an adjustment of the clock). timed: the next
    exchange tells the time at which it is sent.

    For the change of the master key only, see orders_keys.py: new_key: None, or (KeyID, version, Key) under which the meter may
    already speak. adopted: the one that holds from then on. under_new: the exchange is to be protected with new_key. named:
    it names its key version (AFL.KI, or CFE). binding: it must come to its end, and neither expires nor is cancelled.
    """

    wants = True
    timed = False
    new_key = None
    adopted = None
    under_new = False
    named = False
    binding = False

    def __init__(self, words, meter, keys, state=None):
        self.words = list(words)
        self.meter = meter
        self.keys = keys
        self.state = {} if state is None else state  # plain data, without a key in clear
        self.outcome = MORE
        self.result = None
        self.reason = None
        self.code = None

    @property
    def once(self):
        return self.words[0] in _ONCE

    # --- for the session ---

    def exchange(self, wall_us):
        """The next Exchange; it may be asked for again, and is the same. wall_us: when it will be sent, UTC in microseconds since
        1970; if that changes ask again, as far as it is `timed`. None: not known; an order that needs it then fails (the
        outcome changes, and the return value is None)."""
        made = self._exchange(wall_us)
        if made is not None:
            self.state["asked"] = True
        return made

    def heard(self, heard, wall_us):
        """The exchange has ended with `heard`. Returns the outcome."""
        self.state["asked"] = False
        if heard.kind == "NACK":
            return self._fail("the meter does not take this message (NACK)")
        code = error_code(heard)
        if code is not None:
            return self._error(code, wall_us)
        state = 0 if heard.status is None else heard.status & 3
        if state == _BUSY:
            return self._unknown("the meter is still busy with it")
        if state == _ERROR and heard.telegram is None:
            return self._unknown("the meter reports an error and does not say which")
        return self._answer(heard, wall_us)

    def silence(self, wall_us):
        """The exchange was given up without an answer, or ended with a power cut. Returns the outcome: with MORE it may be
        asked for an exchange again."""
        if self.outcome == MORE and self.state.get("asked"):
            self.state["asked"] = False
            return self._silence(wall_us)
        return self.outcome

    def export(self):
        """Plain data for `restore`."""
        return {
            "words": list(self.words),
            "meter": None if self.meter is None else self.meter.tpl_bytes().hex(),
            "state": dict(self.state),
            "outcome": self.outcome,
            "result": self.result,
            "reason": self.reason,
        }

    # --- for the kinds of orders: _plan, _exchange, _answer; and where they differ, these ---

    def _plan(self, known):
        """At the beginning: the words are understood, or MisuseError."""

    def _error(self, code, wall_us):
        return self._refused(code)

    def _silence(self, wall_us):
        return self._unknown("no answer") if self.once else MORE

    # --- outcomes ---

    def _done(self, result):
        self.outcome, self.result = DONE, result
        return DONE

    def _fail(self, reason):
        self.outcome, self.reason = FAILED, reason
        return FAILED

    def _refused(self, code):
        from ..application import error_codes

        self.code = code
        return self._fail("{} (application error {:02X}h)".format(error_codes.name(code), code))

    def _unknown(self, reason):
        return self._fail(reason + "; it may have been executed or not: read before it is asked again")


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
        order = _load(words)(words, meter, keys, state)
        order.outcome, order.result, order.reason = outcome, stored["result"], stored["reason"]
    except (KeyError, TypeError, ValueError, OmsError):
        raise StoreError("a stored order cannot be read", hint="it is damaged: ask again")
    order.silence(None)
    return order


def _load(words):
    module, name = _KINDS.get(words[0] if words else None, (None, None))
    if module == "data" and "--secured" in words:
        module, name = "secured", "SecuredWrite"
    elif name == "ClockAdjust" and "--secured" in words:
        module, name = "clock_set", "SecuredAdjust"
    if module == "data":
        from . import orders_data as found
    elif module == "secured":
        from . import orders_secured as found
    elif module == "clock":
        from . import orders_clock as found
    elif module == "clock_set":
        from . import orders_clock_set as found
    elif module == "states":
        from . import orders_states as found
    elif module == "keys":
        from . import orders_keys as found
    else:
        raise MisuseError(
            "no order " + (words[0] if words else "was given"), None, "one of: " + ", ".join(sorted(_KINDS))
        )
    return getattr(found, name)


def padded(ci, data):
    """Whether security mode 7 fills up these application data with TPL padding (P = 1) and not with 2F (OMS Vol.2 Table 42; as
    Annex N.12 has it, none where nothing is to be filled)."""
    return ci in _PADDED and (len(data) + 2) % 16 != 0


# --- what the kinds share ---


def error_code(heard):
    """The application error code of an answer, or None."""
    from ..transport import ci

    telegram = heard.telegram
    if telegram is None or telegram.tpl is None or telegram.tpl.content != ci.ERROR:
        return None
    return telegram.payload[0] if telegram.payload else 0


def body(telegram):
    """The application bytes of a Telegram, without check bytes and padding."""
    from ..application.telegram import application_start

    return bytes(telegram.payload[application_start(telegram) : len(telegram.payload) - telegram.padding])


def plain_record(record):
    """A decoded Record as plain data: value is mantissa * 10**exponent `unit`, or text."""
    return {
        "quantity": ", ".join([record.quantity] + list(record.qualifiers)),
        "mantissa": record.mantissa,
        "exponent": record.exponent,
        "text": record.text,
        "unit": record.unit,
        "flag": record.flag,
        "function": record.function,
        "storage": record.storage,
        "tariff": record.tariff,
        "subunit": record.subunit,
        "dib": record.dib.hex().upper(),
        "vib": record.vib.hex().upper(),
        "data": record.data.hex().upper(),
    }
