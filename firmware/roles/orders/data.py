"""Orders about data points: read, and what changes one (OMS Vol.2 B.2.4, Annex M; sheet en13757-3-application 8.5)."""

from ...application import commands, record, vif
from ...errors import MisuseError
from .order import Exchange, Order, plain_record
from .points import expected, resolve, value, widened

DATA_CI, RESET_CI = 0x5B, 0x53

_ACTIONS = {"write": "set", "clear": "clr"}  # others have the word of the action
# Data points whose commands have no action, for historical reasons: DC1! and CT1!.
_BARE = (b"\xfd\x1f", b"\xfd\x9f\x1d")


class Read(Order):
    """read [POINT...]. Result: records, and missing: the points that the answer did not have.

    Without a point it is the standard response, or what was selected. For 255 s a meter repeats the response to a command
    instead (8.2.5); if that is an error or no data, an application reset brings the standard response.
    """

    def _plan(self, known):
        device_type = None if self.meter is None else self.meter.device_type
        self.state["points"] = [
            [part.hex() for part in resolve(word, device_type, known)[:2]] for word in self.words[1:]
        ]
        for index, point in enumerate(self._points()):
            try:
                commands.build(*point, "get")
            except MisuseError as error:
                raise MisuseError(error.message, None, "another point than " + self.words[1 + index])

    def _points(self):
        return [(bytes.fromhex(dib), bytes.fromhex(vib)) for dib, vib in self.state["points"]]

    def _reset(self):
        """Whether an application reset may bring something else than what the meter still had to say."""
        if self.state["points"] or self.state.get("reset"):
            return False
        self.state["reset"] = True
        return True

    def _error(self, code, wall_us):
        return self.outcome if self._reset() else self._refused(code)

    def _exchange(self, wall_us):
        points = self._points()
        if self.state.get("reset"):
            return Exchange("SND-UD2", RESET_CI, b"")
        if not points:
            return Exchange("REQ-UD2", None, b"")
        return Exchange("SND-UD2", DATA_CI, b"".join([commands.build(*point, "get") for point in points]))

    def _answer(self, heard, wall_us):
        telegram = heard.telegram
        if telegram is None:
            return self._fail("the meter acknowledged, and answered nothing")
        if telegram.error is not None:
            return self._fail("the answer cannot be read: " + telegram.error.message)
        if telegram.protocol is not None and self._reset():
            return self.outcome
        wanted = self._points()
        found = []
        missing = []
        for index, point in enumerate(wanted):
            place = match(telegram.records, *point)
            if place is None:
                missing.append(self.words[1 + index])
            elif place not in found:
                found.append(place)
        if wanted and not found:
            return self._fail("the answer has none of the points: " + ", ".join(missing))
        places = found if wanted else range(len(telegram.records))
        return self._done(
            {
                "status": heard.status,
                "records": [plain_record(telegram.records[place]) for place in places],
                "missing": missing,
            }
        )


class Write(Order):
    """write, add, sub, bor, and, xor, not, clear. Result: records: the point as the meter answered it; confirmed: whether it did
    (its answer may be another one, OMS Vol.2 M.1.5), and after write, with the value that was written."""

    by_status = True

    def _plan(self, known):
        understand(self, known, self.words[1:])

    def _exchange(self, wall_us):
        return Exchange("SND-UD2", DATA_CI, bytes.fromhex(self.state["data"]))

    def _answer(self, heard, wall_us):
        telegram = heard.telegram
        if telegram is None:
            return self._done(confirmed(self, [], heard.status))
        if telegram.error is not None or telegram.protocol is not None:
            return self._unknown("the answer is none to this command")
        result = confirmed(self, telegram.records, heard.status)
        if telegram.undecoded is not None and not result["records"]:
            return self._unknown("the answer cannot be read")
        return self._done(result)


def understand(order, known, words):
    """POINT [VALUE] of an order that changes a point: the record of the command is in its state."""
    word = order.words[0]
    count = 1 if word == "clear" else 2
    if len(words) != count:
        raise MisuseError(
            word + " takes " + ("a point" if count == 1 else "a point and a value"),
            None,
            "for instance: " + word + " VM1!" + (" 12.345" if count == 2 else ""),
        )
    device_type = None if order.meter is None else order.meter.device_type
    dib, vib, fields = resolve(words[0], device_type, known)
    try:
        number, exponent = value(words[1]) if count == 2 else (None, None)
        dib, vib = widened(dib, vib, number, exponent, fields)
        action = None if vib in _BARE and word == "write" else _ACTIONS.get(word, word)
        data = commands.build(dib, vib, action, number, exponent)
        told = record.decode(data, True)[0][0]
        if isinstance(number, str) and told.text is None:
            raise MisuseError("{} reads as {}".format(words[1], told.flag))
    except MisuseError as error:
        raise MisuseError(error.message, None, expected(dib, vib))
    order.state["dib"], order.state["vib"], order.state["data"] = dib.hex(), vib.hex(), data.hex()


def confirmed(order, records, status):
    """The result of such an order from the Records of the answer."""
    place = match(records, bytes.fromhex(order.state["dib"]), bytes.fromhex(order.state["vib"]))
    if place is None:
        return {"status": status, "records": [], "confirmed": False}
    told = records[place]
    wanted = record.decode(bytes.fromhex(order.state["data"]), True)[0][0]
    good = order.words[0] != "write" or _means(told) == _means(wanted)
    return {"status": status, "records": [plain_record(told)], "confirmed": good}


def _means(told):
    """What a record says as value, however it says it."""
    mantissa, exponent = told.mantissa, told.exponent
    if mantissa is None:
        return told.text, told.data if told.text is None else None
    while mantissa and mantissa % 10 == 0:
        mantissa //= 10
        exponent += 1
    return mantissa, exponent if mantissa else 0


def match(records, dib, vib):
    """The place of the Record that tells a point, whatever its data field and resolution; or None."""
    return commands.find([_Point(one.dib, one.vib) for one in records if one.vib], _Point(dib, vib))


class _Point:
    """In the shape in which commands.find compares."""

    def __init__(self, dib, vib):
        self.dib = dib
        self.vib = vib
        self.meaning = vif.resolve(vib)
