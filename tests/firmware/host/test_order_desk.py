"""Requests become orders of the gateway, and what it tells becomes plain data, with a gateway that only writes down."""

import json

import pytest
from omsnode.firmware.errors import MisuseError, StoreError
from omsnode.firmware.host import channel
from omsnode.firmware.host.order_desk import ENDED, EXPIRES_S, LAST, LONGEST_S, Desk
from omsnode.firmware.host.store import MemoryStore
from omsnode.firmware.link.address import Address
from omsnode.firmware.roles.collector import KnownMeter
from omsnode.firmware.roles.gateway import OrderEvent
from omsnode.firmware.roles.order_book import Pending

WATER = Address.parse("12345678.M=KAM.V=1b.T=16")
HEAT = Address.parse("60512344")
WALL_US = 1795359600000000  # 2026-11-22T15:00:00Z
NOW_US = 5000000


class Partner:
    def __init__(self, pattern):
        self.meter = None if pattern.manufacturer is None else pattern


class Gateway:
    def __init__(self):
        self.asked = []
        self.given_up = []
        self.orders_made = []

    def partner(self, meter):
        return Partner(meter)

    def queue(self, meter, order, now_us, expires_us):
        self.orders_made.append(order)
        self.asked.append((str(meter), order.words, now_us, expires_us))
        return len(self.asked)

    def cancel(self, number, now_us):
        self.given_up.append(number)
        return number != 1

    def expected(self, meter, now_us):
        return (now_us + 12000000, 7, 500) if meter.ident == WATER.ident else None

    def orders(self):
        return [
            Pending(number + 1, one[0], one[1], "queued", one[3]) for number, one in enumerate(self.asked)
        ]


class Server:
    """What the desk does with the channel, without the channel."""

    def __init__(self):
        self.counters = {}
        self.told = []
        self.handle = None

    def look(self, handle):
        self.handle = handle

    def tell(self, number, event):
        self.told.append((number, event))

    def close(self):
        pass


class Full(MemoryStore):
    def save(self, state):
        raise StoreError("no space")


@pytest.fixture
def gateway():
    return Gateway()


def desk(gateway, store=None):
    meters = [KnownMeter("kitchen", WATER), KnownMeter("flat", HEAT)]
    server = Server()
    one = Desk(
        gateway,
        server,
        meters,
        lambda address: lambda key_id, version=None: None,
        lambda: NOW_US,
        lambda at_us: WALL_US + at_us,
        store or MemoryStore(),
    )
    one.look()
    return one, server


def order(words=("read",), meter="kitchen", **more):
    return {"do": "order", "meter": meter, "words": list(words), **more}


@pytest.mark.parametrize(
    "meter", ["kitchen", "12345678", "12345678.M=KAM", "12345678.M=KAM.V=1b.T=16", "60512344", "flat"]
)
def test_an_order_is_queued_under_each_name_of_its_meter(meter, gateway):
    _, server = desk(gateway)
    reply, number = server.handle(order(meter=meter))
    assert number == 1 and reply["number"] == 1 and reply["step"] == "queued"
    which = str(HEAT) if meter in ("60512344", "flat") else str(WATER)
    assert gateway.asked == [(which, ["read"], NOW_US, NOW_US + EXPIRES_S * 1000000)]
    assert reply["timestamp"] == "2026-11-22T15:00:05.000Z" and reply["expires"] == "2026-11-23T15:00:05.000Z"
    json.dumps(reply)


def test_a_meter_whose_whole_address_is_not_known_yet(gateway):
    """Its orders can be stored all the same; what needs its device type is refused."""
    _, server = desk(gateway)
    server.handle(order(meter="flat"))
    assert gateway.orders_made[0].export()["meter"] is None
    with pytest.raises(MisuseError, match="device type"):
        server.handle(order(("read", "EW1!"), "flat"))


@pytest.mark.parametrize("meter, expected", [(WATER, "2026-11-22T15:00:17.000Z"), (HEAT, None)])
def test_who_waits_is_told_for_how_long(meter, expected, gateway):
    one, server = desk(gateway)
    server.handle(order(meter=str(meter)))
    made = one.told(OrderEvent(1, str(meter), "waiting", None, NOW_US, None))
    assert made["expected"] == expected
    assert server.told[-1] == (1, made)


def test_expiry(gateway):
    _, server = desk(gateway)
    server.handle(order(expires_s=90))
    assert gateway.asked[0][3] == NOW_US + 90 * 1000000


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"do": None},
        {"do": []},
        {"do": "order"},
        order(()),
        order(("read", 1)),
        order(("read",) * 33),
        order(("dance",)),
        order(("clock-set",)),  # no key
        order(meter="87654321"),
        order(meter=""),
        order(meter=None),
        order(meter="12345678.M=LUG"),
        order(expires_s=0),
        order(expires_s=-1),
        order(expires_s=1.5),
        order(expires_s=True),
        order(expires_s=LONGEST_S + 1),
        order(expires_s="2h"),
        {"do": "cancel"},
        {"do": "cancel", "number": 1},
        {"do": "follow", "number": "1"},
    ],
)
def test_misuse_is_refused_and_nothing_is_queued(request_, gateway):
    _, server = desk(gateway)
    with pytest.raises(MisuseError):
        server.handle(request_)
    assert gateway.asked == []


def test_cancel_and_follow(gateway):
    _, server = desk(gateway)
    for _ in range(2):
        server.handle(order())
    assert server.handle({"do": "follow", "number": 2}) == ({"number": 2}, 2)
    assert server.handle({"do": "cancel", "number": 2}) == ({"number": 2}, None)
    with pytest.raises(MisuseError, match="cannot be taken back"):
        server.handle({"do": "cancel", "number": 1})
    with pytest.raises(MisuseError, match="no order"):
        server.handle({"do": "cancel", "number": 3})
    assert gateway.given_up == [2, 1]


def event(step, number=1, detail=None, margin_us=None):
    return OrderEvent(number, str(WATER), step, detail, 7000000, margin_us)


def test_events_are_plain_and_told_to_those_who_asked(gateway):
    one, server = desk(gateway)
    server.handle(order(("read", "volume")))
    sent = one.told(event("sent", detail="SND-UD2", margin_us=449))
    assert sent == {
        "number": 1,
        "meter": "12345678.M=KAM.V=1b.T=16",
        "name": "kitchen",
        "words": ["read", "volume"],
        "step": "sent",
        "detail": "SND-UD2",
        "margin_us": 449,
        "timestamp": "2026-11-22T15:00:07.000Z",
        "expires": None,
        "expected": None,
        "result": None,
        "reason": None,
    }
    done = one.told(event("done", detail={"records": []}))
    assert (done["result"], done["detail"], done["reason"]) == ({"records": []}, None, None)
    failed = one.told(event("failed", 2, "no answer"))
    assert (failed["result"], failed["reason"]) == (None, "no answer")
    assert one.told(event("expired", 3))["reason"] == "expired"
    assert [number for number, _ in server.told] == [1, 1, 2, 3]
    one.told(event("closed", None))
    assert len(server.told) == 4  # nobody has asked for that


def test_what_has_ended_is_listed_and_stored(gateway):
    store = MemoryStore()
    one, server = desk(gateway, store)
    for number in range(1, LAST + 10):
        one.told(event("done", number, {}))
    one.look()
    server.handle(order())
    again, other = desk(gateway, store)
    for listing in (server, other):
        listed = listing.handle({"do": "list"})[0]["orders"]
        assert [row["number"] for row in listed] == [*range(10, LAST + 10), 1]
        assert listed[-1]["step"] == "queued" and listed[-1]["expires"] == "2026-11-23T15:00:05.000Z"
        assert len(json.dumps(listed)) < channel.QUEUE


@pytest.mark.parametrize("state", [{"ended": 3}, {"ended": [3, None]}, {}])
def test_a_store_with_something_else_in_it(state, gateway):
    store = MemoryStore()
    store.save(state)
    _, server = desk(gateway, store)
    assert server.handle({"do": "list"}) == ({"orders": []}, None)


def test_a_full_disk_is_counted_and_holds_up_nothing(gateway):
    one, server = desk(gateway, Full())
    one.told(event("done", detail={}))
    one.look()
    assert server.counters == {"not_stored": 1}
    assert len(server.handle({"do": "list"})[0]["orders"]) == 1


def test_orders_that_the_gateway_has_at_its_start_are_told_again(gateway):
    """Between the storing of an order and its telling the power may have gone."""
    gateway.queue(WATER, type("Order", (), {"words": ["read", "volume"]}), NOW_US, NOW_US + 90000000)
    one, server = desk(gateway)
    (told,) = one.found()
    assert (told["number"], told["step"], told["name"], told["words"]) == (
        1,
        "queued",
        "kitchen",
        ["read", "volume"],
    )
    assert (told["timestamp"], told["expires"]) == ("2026-11-22T15:00:05.000Z", "2026-11-22T15:01:35.000Z")
    server.handle(order())
    assert one.found() == []  # once


def test_every_end_that_a_gateway_tells_is_an_end_here():
    assert set(ENDED) == {"done", "failed", "expired", "cancelled"}
