"""One T1 telegram the whole way: meter role, driver, SPI, chip model, air, chip model, SPI, driver, collector role."""

from omsnode.board.virtual import World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.firmware.host.store import MemoryStore
from omsnode.firmware.link.address import Address
from omsnode.firmware.node import Node
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.meter import Meter, Profile, Register
from omsnode.firmware.security.keys import Key

ADDRESS = Address.parse("12345678.M=KAM.V=1b.T=16")
KEY = Key(bytes(range(16)))


def test_from_register_to_reading():
    world = World(seed=1)
    readings = []

    def node(name, role, **more):
        board = world.add_board(name=name)
        return Node(board, Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"]), role, **more)

    profile = Profile(
        ADDRESS,
        [Register(b"\x04", b"\x13", 6408, 1000000)],
        mode="T1",
        nominal_us=2000000,
        key=KEY,
        security_mode=5,
    )
    meter = node("meter", Meter(profile, bytes((41, 0, 0, 0, 0))), store=MemoryStore())
    collector = node("collector", Collector([KnownMeter("kitchen", ADDRESS, KEY)]), deliver=readings.append)
    world.run([meter, collector], 10000000, stop=lambda: readings and meter.role.counters["sent"])
    (reading,) = readings
    assert (reading.mode, reading.frame_format, reading.name) == ("T1", "A", "kitchen")
    assert reading.telegram.access_number == 42
    assert reading.telegram.verdict == "decrypted"
    (record,) = reading.telegram.records
    assert (record.quantity, record.mantissa, record.exponent, record.unit) == ("volume", 6408, -3, "m3")
    assert -100 < reading.rssi_dbm < 0
    assert meter.role.counters == {"sent": 1}
    assert collector.role.counters["delivered"] == 1
