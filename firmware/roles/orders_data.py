"""Orders about data points: read, and what changes one (OMS Vol.2 B.2.4, Annex M; sheet en13757-3-application 8.5)."""

from ..application import commands
from .orders import Exchange, Order, plain_record
from .orders_points import resolve

DATA_CI = 0x5B


class Read(Order):
    """read [POINT...]. Result: records, and missing: the points that the answer did not have."""

    def _plan(self, known):
        device_type = None if self.meter is None else self.meter.device_type
        self.state["points"] = [
            [part.hex() for part in resolve(word, device_type, known)] for word in self.words[1:]
        ]

    def _points(self):
        return [(bytes.fromhex(dib), bytes.fromhex(vib)) for dib, vib in self.state["points"]]

    def _exchange(self, wall_us):
        points = self._points()
        if not points:
            return Exchange("REQ-UD2", None, b"")
        return Exchange("SND-UD2", DATA_CI, b"".join([commands.build(*point, "get") for point in points]))

    def _answer(self, heard, wall_us):
        telegram = heard.telegram
        if telegram is None:
            return self._fail("the meter acknowledged, and answered nothing")
        if telegram.error is not None:
            return self._fail("the answer cannot be read: " + telegram.error.message)
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


def match(records, dib, vib):
    """The place of the Record that tells a point, whatever its data field and resolution; or None."""
    registers = [Stated(one) for one in records]
    return commands.find(registers, Stated(None, dib, vib))


class Stated:
    """A Record in the shape in which commands.find compares."""

    def __init__(self, record, dib=None, vib=None):
        from ..application import vif

        self.dib = record.dib if record else dib
        self.vib = record.vib if record else vib
        self.meaning = vif.resolve(self.vib) if self.vib else None
