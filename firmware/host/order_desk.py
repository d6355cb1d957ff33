"""Where orders from other processes meet the gateway: requests of the channel become its orders, its events plain data.

An event as it leaves here; it is also the reply to `order`, and what `list` lists:

    {"number": 7, "meter": "12345678.M=KAM.V=1b.T=16", "name": "kitchen", "words": ["read", "volume"], "step": "done",
     "detail": null, "margin_us": null, "timestamp": "2026-11-22T14:30:00.000Z", "expires": null, "expected": null, "result": {...}, "reason": null}

step, detail, margin_us: see roles.gateway.OrderEvent. expires: until when an order that waits is tried. expected: when the
next telegram of the meter is, as far as it has let know (step "waiting"). result: of an order that is done, see roles/orders/;
the values of its records are mantissa and exponent. reason: why it has failed. number: null for what the gateway does of its
own accord, and for "mac-status": what the MAC of a burst meter has said unasked, as result.
"""

import importlib

from ..application.gateway import utc_text
from ..errors import MisuseError, StoreError
from ..link.address import Address
from ..roles import orders
from ..roles.gateway import OrderEvent

EXPIRES_S = 86400
LONGEST_S = 366 * 86400
MOST_WORDS = 32
RECORDS = 64  # that are remembered of a meter, to understand what is asked for
LAST = 50  # orders that have ended and are still listed
ENDED = ("done", "failed", "expired", "cancelled")
_MODULES = ("data", "points", "secured", "clock", "clock_set", "states", "keys", "mac")


def plain(event, name, words, timestamp):
    """The plain event of an OrderEvent. name: of its meter, or None. words: what was asked. timestamp: when, or None."""
    made = {
        "number": event.number,
        "meter": event.meter,
        "name": name,
        "words": words,
        "step": event.step,
        "detail": None,
        "margin_us": event.margin_us,
        "timestamp": timestamp,
        "expires": None,
        "expected": None,
        "result": None,
        "reason": None,
    }
    if event.step == "done":
        made["result"] = event.detail
    elif event.step in ENDED:
        made["reason"] = event.detail or event.step
    elif event.step != "queued":
        made["detail"] = event.detail
    return made


class Desk:
    """gateway: roles.gateway.Gateway. server: channel.Server. meters: KnownMeters that take orders. keys: function of an Address
    that gives what orders.make takes as `keys`. now_us: clock of the board. wall: function from its instants to UTC in us, or
    None. store: for orders that have ended. beyond_limits: function that tells in what the radio does not keep to the limits of its
    mode, or None; then every event has that too."""

    def __init__(self, gateway, server, meters, keys, now_us, wall, store, beyond_limits=lambda: None):
        self._gateway = gateway
        self._server = server
        self._meters = list(meters)
        self._keys = keys
        self._now_us = now_us
        self._wall = wall
        self._store = store
        self._beyond_limits = beyond_limits
        self._words = {}  # number: what was asked
        self._records = {}  # name of a meter: Records that it sends
        self._ended = []
        self._unsaved = False
        self._begun = False
        state = store.load() or {}
        if isinstance(state.get("ended"), list):
            self._ended = [one for one in state["ended"] if isinstance(one, dict)][-LAST:]
        for module in _MODULES:  # now, and not while a meter waits
            importlib.import_module("...roles.orders." + module, __name__)

    def found(self):
        """The plain events, once, of orders that the gateway had when it began: whoever asked for them may never have been told
        that they are queued. To be called when it has begun, before it tells anything."""
        if self._begun:
            return []
        self._begun = True
        now_us = self._now_us()
        return [
            self.told(OrderEvent(one.number, one.meter, "queued", None, now_us, None))
            for one in self._gateway.orders()
        ]

    def look(self):
        """Serve the channel; called while the radio has time."""
        self._server.look(self._handle)
        if self._unsaved:
            self._unsaved = False
            try:
                self._store.save({"ended": self._ended})
            except StoreError:
                self._server.counters["not_stored"] = self._server.counters.get("not_stored", 0) + 1

    def heard(self, reading):
        """A Reading of the collector: what a meter sends tells what its points are called."""
        telegram = reading.telegram
        if telegram.records and not telegram.to_meter:
            for meter in self._meters:
                if meter.address.matches(telegram.address):
                    self._records[meter.name] = telegram.records[:RECORDS]

    def told(self, event):
        """The plain event of an OrderEvent; who has asked for it is told."""
        number = event.number
        made = plain(event, self._name(event.meter), self._asked(number), self._utc(event.at_us))
        if self._beyond_limits():
            made["beyond_limits"] = self._beyond_limits()
        if number is not None:
            if event.step == "queued":
                made["expires"] = self._expires(number)
            elif event.step == "waiting":
                made["expected"] = self._expected(event.meter)
            self._server.tell(number, made)
            if event.step in ENDED:
                self._words.pop(number, None)
                self._ended = self._ended[1 - LAST :] + [made]
                self._unsaved = True
        return made

    def status(self, one):
        """The plain event of a MacStatus (roles/lpwan): what the MAC of a burst meter has said of its own accord."""
        event = OrderEvent(None, one.meter, "mac-status", None, one.at_us, None)
        made = plain(event, self._name(one.meter), [], self._utc(one.at_us))
        made["result"] = dict(one.values, authenticated=one.authentic)
        if self._beyond_limits():
            made["beyond_limits"] = self._beyond_limits()
        return made

    def close(self):
        self.look()
        self._server.close()

    def _utc(self, at_us):
        wall_us = None if at_us is None else self._wall(at_us)
        return None if wall_us is None else utc_text(wall_us // 1000)

    def _expires(self, number):
        for one in self._gateway.orders():
            if one.number == number:
                return self._utc(one.expires_us)
        return None

    def _expected(self, meter):
        soon = self._gateway.expected(Address.parse(meter), self._now_us())
        return None if soon is None else self._utc(soon[0])

    def _name(self, meter):
        for one in self._meters:
            if str(one.address) == meter:
                return one.name
        return None

    def _asked(self, number):
        if number is not None and number not in self._words:
            self._words.update((one.number, list(one.words)) for one in self._gateway.orders())
        return self._words.get(number, [])

    # --- requests ---

    def _handle(self, request):
        do = request.get("do")
        handler = _REQUESTS.get(do) if isinstance(do, str) else None
        if handler is None:
            raise MisuseError("no such request", hint="do is one of: " + ", ".join(_REQUESTS))
        return handler(self, request)

    def _order(self, request):
        words, seconds = request.get("words"), request.get("expires_s", EXPIRES_S)
        good = isinstance(words, list) and 0 < len(words) <= MOST_WORDS
        if not good or not all(isinstance(word, str) for word in words):
            raise MisuseError("words: a list of texts")
        if type(seconds) is not int or not 0 < seconds <= LONGEST_S:
            raise MisuseError("expires_s: seconds, at most a year")
        meter = self._meter(request.get("meter"))
        heard = self._gateway.partner(meter.address).meter  # None while its whole address is not known
        known = self._records.get(meter.name, ())
        order = orders.make(words, heard, self._keys(meter.address), known)
        now_us = self._now_us()
        number = self._gateway.queue(meter.address, order, now_us, now_us + seconds * 1000000)
        self._words[number] = words
        event = OrderEvent(number, str(meter.address), "queued", None, now_us, None)
        reply = plain(event, meter.name, words, self._utc(now_us))
        reply["expires"] = self._utc(now_us + seconds * 1000000)
        return reply, number

    def _meter(self, text):
        """The KnownMeter of this name or number."""
        if isinstance(text, str):
            for meter in self._meters:
                if meter.name == text:
                    return meter
            try:
                wanted = Address.parse(text)
            except MisuseError:
                wanted = None
            found = [one for one in self._meters if wanted and wanted.ident == one.address.ident]
            found = [one for one in found if wanted.matches(one.address) or one.address.matches(wanted)]
            if len(found) == 1:
                return found[0]
            if found:
                raise MisuseError("more than one meter has this number", hint="write its whole address")
        names = ", ".join(one.name for one in self._meters) or "none yet"
        raise MisuseError(
            "no such meter takes orders here",
            hint="those with commands = true in the collector's configuration do: " + names,
        )

    def _list(self, request):
        waiting = []
        for one in self._gateway.orders():
            event = OrderEvent(one.number, one.meter, one.step, None, None, None)
            waiting.append(plain(event, self._name(one.meter), list(one.words), None))
            waiting[-1]["expires"] = self._utc(one.expires_us)
        return {"orders": self._ended + waiting}, None

    def _cancel(self, request):
        if not self._gateway.cancel(self._pending(request), self._now_us()):
            raise MisuseError(
                "order {} cannot be taken back any more".format(request["number"]),
                hint="the meter may have it already; wait for its end",
            )
        return {"number": request["number"]}, None

    def _follow(self, request):
        number = self._pending(request)
        return {"number": number}, number

    def _pending(self, request):
        for one in self._gateway.orders():
            if one.number == request.get("number"):
                return one.number
        raise MisuseError("no order of this number is pending", hint="`list` shows which there are")


_REQUESTS = {"order": Desk._order, "list": Desk._list, "cancel": Desk._cancel, "follow": Desk._follow}
