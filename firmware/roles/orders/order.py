"""What all orders are: the exchanges they yield, what became of each, and how an order ends."""

from collections import namedtuple

from ...errors import MisuseError

# kind: "SND-UD", "SND-UD2", "REQ-UD1" or "REQ-UD2". ci: CI of the application data, in its long form, or None (CI 80, no data).
# data: plain application bytes; the session protects them with the meter's profile; see `padded`.
Exchange = namedtuple("Exchange", ("kind", "ci", "data"))

# kind: "ACK", "NACK" or "RSP-UD". status: TPL status byte of the last answer, or None. telegram: application.telegram.Telegram
# of an RSP-UD, or None. Only what is authentic, or an application error, is handed over.
Heard = namedtuple("Heard", ("kind", "status", "telegram"))

MORE, DONE, FAILED = "more", "done", "failed"
DIGITS = "0123456789"

_ONCE = ("add", "sub", "xor")
_BUSY, _ERROR = 1, 2  # application bits of the status byte


class Order:
    """One order. words: as typed. meter: Address of the meter. keys: function (KeyID, version or None for the active one) that
    gives (version, Key) or None.

    outcome: MORE, DONE or FAILED. result: plain dict, when it is DONE. reason: text, when it FAILED. code: application error
    or SITP status that the reason is about, or None. wants: an RSP-UD is wanted even if an ACK says "done". once: it must
    not be repeated when nobody knows whether it was executed (add, sub, xor; an adjustment of the clock). timed: the next
    exchange tells the time at which it is sent.

    For the change of the master key only, see keys.py: new_key: None, or (KeyID, version, Key) under which the meter may
    already speak. adopted: the one that holds from then on. under_new: the exchange is to be protected with new_key. named:
    it names its key version (AFL.KI, or CFE). binding: it must come to its end, and neither expires nor is cancelled.
    """

    wants = True
    by_status = False  # that it was executed is told by the status byte alone
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
        """The exchange has ended with `heard`. Returns the outcome; what comes twice, or to nothing, changes nothing."""
        if not self._asked():
            return self.outcome
        if heard.kind == "NACK":
            return self._fail("the meter does not take this message (NACK)")
        code = error_code(heard)
        if code is not None:
            return self._error(code, wall_us)
        state = 0 if heard.status is None else heard.status & 3
        if state == _BUSY:
            return self._unknown("the meter is still busy with it")
        if state == _ERROR and (heard.telegram is None or self.by_status):
            return self._unknown("the meter reports an error and does not say which")
        return self._answer(heard, wall_us)

    def silence(self, wall_us):
        """The exchange was given up without an answer, or ended with a power cut. Returns the outcome: with MORE it may be
        asked for an exchange again."""
        return self._silence(wall_us) if self._asked() else self.outcome

    def _asked(self):
        """Whether an exchange was under way; it has ended with this."""
        return self.outcome == MORE and self.state.pop("asked", False)

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
        """At the beginning: the words are understood, or MisuseError. Here: there is one only."""
        if len(self.words) > 1:
            raise MisuseError(
                "{} takes nothing more than its name".format(self.words[0]), None, "without " + self.words[1]
            )

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
        from ...application import error_codes

        self.code = code
        return self._fail("{} (application error {:02X}h)".format(error_codes.name(code), code))

    def _unknown(self, reason):
        return self._fail(reason + "; it may have been executed or not: read before it is asked again")


def error_code(heard):
    """The application error code of an answer, or None."""
    from ...transport import ci

    telegram = heard.telegram
    if telegram is None or telegram.tpl is None or telegram.tpl.content != ci.ERROR:
        return None
    return telegram.payload[0] if telegram.payload else 0


def body(telegram):
    """The application bytes of a Telegram, without check bytes and padding."""
    from ...application.telegram import application_start

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


def digits(word):
    """Whether a word is a whole number (str.isdigit takes more than int does)."""
    return word != "" and not word.strip(DIGITS)


def is_number(word):
    """Whether a word is a whole number that somebody may mean."""
    return digits(word) and len(word) < 16
