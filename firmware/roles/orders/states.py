"""Orders about what the meter answers with, and how it is: application reset and select, status, alarm (OMS Vol.2 8.10, Annex M
UC-06; sheets oms-requirements 10, 14.8, en13757-3-application 8.1, 8.3)."""

from ...application import select, status_words
from ...errors import MisuseError
from .order import Exchange, Order, body, is_number, plain_record

SELECT_CI = 0x53

_ALARM_CI = (0x71, 0x74, 0x75)
_FLAGS = (b"\xfd\x17", b"\xfd\x97\x1d")  # MM2!, MM3!


class Reset(Order):
    """reset: application reset. The meter answers with its standard response from then on."""

    wants = False
    by_status = True

    def _exchange(self, wall_us):
        return Exchange("SND-UD", SELECT_CI, b"")

    def _answer(self, heard, wall_us):
        return self._done({"status": heard.status, "application": select.RESET, "block": 0})


class Select(Reset):
    """select NAME|NUMBER [BLOCK]. What the meter does not have acts as a reset, and it does not say so."""

    def _plan(self, known):
        words = self.words[1:]
        block = int(words.pop()) if len(words) > 1 and is_number(words[-1]) else 0
        name = " ".join(words)
        numbers = [number for number in range(19) if select.name(number) == name]
        number = int(name) if is_number(name) else numbers[0] if numbers else None
        try:
            if number is None:
                raise MisuseError("no message application " + name)
            select.build(number, block)
        except MisuseError as error:
            names = ", ".join([select.name(one) for one in range(19)])
            raise MisuseError(error.message, None, "a number, or one of: " + names)
        self.state["application"], self.state["block"] = number, block

    def _exchange(self, wall_us):
        return Exchange("SND-UD", SELECT_CI, select.build(self.state["application"], self.state["block"]))

    def _answer(self, heard, wall_us):
        application = self.state["application"]
        return self._done(
            {
                "status": heard.status,
                "application": application,
                "name": select.name(application),
                "block": self.state["block"],
            }
        )


class Status(Order):
    """status. Result: status (byte), flags (names of status byte and MM3!), severity, records (MM2!, MM3!). If a selection or the
    response to an earlier command hides them, the application is reset."""

    def _error(self, code, wall_us):
        if self.state.get("reset"):
            return self._refused(code)
        self.state["reset"] = True
        return self.outcome

    def _exchange(self, wall_us):
        if self.state.get("reset"):
            return Exchange("SND-UD2", SELECT_CI, b"")
        return Exchange("REQ-UD2", None, b"")

    def _answer(self, heard, wall_us):
        telegram = heard.telegram
        if telegram is None or telegram.error is not None:
            return self._fail("the answer cannot be read")
        records = [one for one in telegram.records if one.vib in _FLAGS]
        if not records and not self.state.get("reset"):
            self.state["reset"] = True
            return self.outcome
        found = status_words.Status(0, status_words.of(telegram).meter)
        return self._done(
            {
                "status": heard.status,
                "flags": found.flags(),
                "severity": found.severity(),
                "records": [plain_record(one) for one in records],
            }
        )


def _alarm(telegram):
    """How many bytes stand behind CI 74 and 75 is not public: all but what fills the blocks, where a meter does it with 2F; the
    first is no such."""
    data = body(telegram)
    if telegram.tpl.mode in (5, 7) and not telegram.padding:
        return data[:1] + data[1:].rstrip(b"\x2f")
    return data


class Alarm(Order):
    """alarm. Result: alarm: None, or the alarm data in hex; bits of the first byte; records, if the meter answers with such. It
    clears what it has sent: unheard says how many answers before may have been lost with an alarm in them."""

    wants = False

    def _exchange(self, wall_us):
        return Exchange("REQ-UD1", None, b"")

    def _answer(self, heard, wall_us):
        telegram = heard.telegram
        data, records = b"", ()
        if telegram is not None and telegram.tpl is not None and telegram.tpl.ci in _ALARM_CI:
            data = _alarm(telegram)
        elif telegram is not None:
            if telegram.error is not None or telegram.protocol is not None:
                return self._fail("the answer is no alarm")
            records = telegram.records
        bits = [bit for bit in range(8) if data and data[0] >> bit & 1]
        return self._done(
            {
                "status": heard.status,
                "alarm": data.hex().upper() if data else None,
                "bits": bits,
                "records": [plain_record(one) for one in records],
                "unheard": self.state.get("unheard", 0),
            }
        )

    def _silence(self, wall_us):
        self.state["unheard"] = self.state.get("unheard", 0) + 1
        return self.outcome
