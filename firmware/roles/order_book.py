"""The orders that wait in a gateway, per meter and in their order, over restarts (nothing is lost without a
word)."""

from collections import namedtuple

from ..errors import MisuseError, OmsError
from ..portable import const
from .orders import DONE, MORE

# What is pending. step: "queued", or "waiting" for the one that is under way. expires_us: board's clock, or
# None.
Pending = namedtuple("Pending", ("number", "meter", "words", "step", "expires_us"))

MOST = const(64)  # per meter


class Entry:
    """number: of the order; None for what the gateway asks of its own accord, which is not stored. until_us:
    when it expires, as UTC, where that is known."""

    def __init__(self, number, order, expires_us=None, until_us=None):
        self.number = number
        self.order = order
        self.expires_us = expires_us
        self.until_us = until_us


class OrderBook:
    """meters: how many. restore: function of what an order's export gave, that returns the order; None:
    orders.restore."""

    def __init__(self, meters, restore=None):
        self._queues = [[] for _ in range(meters)]
        self._restore = restore
        self._ended = []  # [number, name, step, detail] of orders whose end is told, until that is stored
        self._stored = 0  # how many of them a restart would tell again
        self._next = 1
        self._offset_us = None  # UTC minus the board's clock

    def clock(self, now_us, wall_us):
        """What time it is; wall_us None if that is not known."""
        if wall_us is None:
            return
        self._offset_us = wall_us - now_us
        for queue in self._queues:
            for entry in queue:
                if entry.until_us is not None:
                    entry.expires_us = entry.until_us - self._offset_us

    def put(self, at, order, expires_us):
        """Queue an order for the at-th meter; its number. MisuseError if there are too many."""
        if len(self._queues[at]) >= MOST:
            raise MisuseError("{} orders wait for this meter already".format(MOST))
        until_us = None
        if expires_us is not None and self._offset_us is not None:
            until_us = expires_us + self._offset_us
        number = self._next
        self._next += 1
        self._queues[at].append(Entry(number, order, expires_us, until_us))
        return number

    def put_own(self, at, order, behind):
        """Queue something of our own accord, before all the others; behind: but one."""
        if all([entry.number is not None for entry in self._queues[at]]):
            self._queues[at].insert(1 if behind else 0, Entry(None, order))

    def first(self, at):
        """The Entry that is next, or None."""
        return self._queues[at][0] if self._queues[at] else None

    def find(self, number):
        """(at, Entry) or None."""
        for at in range(len(self._queues)):
            for entry in self._queues[at]:
                if entry.number == number:
                    return at, entry
        return None

    def remove(self, at, order):
        self._queues[at] = [entry for entry in self._queues[at] if entry.order is not order]

    def end(self, number, name, step, detail):
        """An order has ended: `export` holds it until it was stored once, so that a restart tells what nobody
        may have heard."""
        self._ended.append([number, name, step, detail])

    def store(self):
        """What `export` gives is about to be stored. Those that were stored before are told by now."""
        self._ended = self._ended[self._stored :]
        self._stored = len(self._ended)
        return self._stored > 0

    def not_stored(self):
        self._stored = 0

    def expired(self, now_us):
        """[(at, Entry)]; an order that must come to its end does not expire."""
        out = []
        for at in range(len(self._queues)):
            for entry in self._queues[at]:
                over = entry.expires_us is not None and now_us >= entry.expires_us
                if over and not entry.order.binding:
                    out.append((at, entry))
        return out

    def due_us(self, now_us):
        """When the next one expires, or None."""
        times = []
        for queue in self._queues:
            for entry in queue:
                if entry.expires_us is not None and entry.expires_us > now_us:
                    times.append(entry.expires_us)
        return min(times) if times else None

    def pending(self, names, numbers):
        """[Pending]. names: of the meters. numbers: of the orders that are under way."""
        out = []
        for at in range(len(self._queues)):
            for one in self._queues[at]:
                if one.number is not None:
                    step = "waiting" if one.number == numbers[at] else "queued"
                    out.append(Pending(one.number, names[at], one.order.words, step, one.expires_us))
        return out

    def export(self, names, now_us):
        """Plain data for `restore`."""
        orders = []
        for at in range(len(self._queues)):
            for one in self._queues[at]:
                if one.number is not None:
                    left_us = None if one.expires_us is None else one.expires_us - now_us
                    orders.append([one.number, names[at], one.order.export(), left_us, one.until_us])
        return {"next": self._next, "orders": orders, "ended": self._ended}

    def restore(self, state, names, keys, now_us):
        """Take what `export` gave; time that has passed while nobody looked is counted where UTC is known.
        names, keys: of the meters. Returns what has ended: [(number, name, step, detail)]. ValueError,
        TypeError or KeyError if it is no export."""
        from . import orders

        ended = [tuple(one) for one in state["ended"] if len(one) == 4]
        self._next = state["next"]
        for number, name, stored, left_us, until_us in state["orders"]:
            if name not in names:
                ended.append((number, name, "failed", "this meter is not in the configuration any more"))
                continue
            at = names.index(name)
            try:
                order = self._restore(stored) if self._restore else orders.restore(stored, keys[at])
            except OmsError as error:
                ended.append((number, name, "failed", error.message))
                continue
            if order.outcome != MORE:
                done = order.outcome == DONE
                ended.append(
                    (number, name, "done" if done else "failed", order.result if done else order.reason)
                )
                continue
            expires_us = None if left_us is None else now_us + left_us
            self._queues[at].append(Entry(number, order, expires_us, until_us))
        return ended
