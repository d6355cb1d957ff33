"""The second act of the demo: a gateway asks something of a meter that listens, in the windows behind its telegrams."""

from omsnode.board.virtual import World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.firmware.application import commands
from omsnode.firmware.host.store import MemoryStore
from omsnode.firmware.link.address import Address
from omsnode.firmware.roles import device, orders
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.gateway import Gateway
from omsnode.firmware.roles.meter import CLOCK, Profile, Register
from omsnode.firmware.roles.partner import Partner
from omsnode.firmware.roles.window_meter import WindowMeter
from omsnode.firmware.security.keys import Key
from omsnode.firmware.two_way import TwoWay

NAME = "garden_water"
METER = Address.parse("54890017.M=OMN.V=01.T=07")
GATEWAY = Address.parse("87654321.M=OMN.V=01.T=31")
ORDERS = (["read", "volume"], ["clock-read"], ["clock-set"])
LONGEST_S = 60
LATE_S = 83  # of the meter's clock
_CLOCK_KEY = 0x22
_S = 1000000
_SLICE_US = 500000


def play(start_us, tell, key_of):
    """Run it, as fast as it goes. start_us: UTC at its beginning. tell: called with each OrderEvent and its instant in UTC. key_of:
    function of a name that gives a Key. True if every order is done."""
    keys = {(0, 0): key_of("garden"), (_CLOCK_KEY, 0): key_of("clock of the garden")}

    def held(key_id, version=None):
        key = keys.get((key_id, 0))
        return key and (0, key)

    def wall(at_us):
        return start_us + at_us

    world = World(seed=6)
    profile = Profile(
        METER,
        [Register(b"\x04", b"\x13", 54321), Register(b"\x04", b"\x6d", CLOCK)],
        mode="T2",
        nominal_us=4 * _S,
        key=keys[0, 0],
        security_mode=7,
        with_ell=True,
    )
    values = [
        commands.Register(one.dib, one.vib, device.CLOCK if one.value is CLOCK else one.value)
        for one in profile.registers
    ]
    above = device.Device(values, clock_s=start_us // _S - LATE_S)
    meter = WindowMeter(profile, bytes(range(5)), keys, Key(bytes(range(16))), above)
    collector = Collector([KnownMeter(NAME, METER, keys[0, 0], "B")])
    gateway = Gateway(collector, GATEWAY, [Partner(METER, keys[0, 0], "B", 0, held)], bytes(range(16)))
    ended = []

    def deliver(one):
        if hasattr(one, "step"):
            if one.number is not None:
                tell(one, wall(one.at_us))
            if one.step in ("done", "failed"):
                ended.append(one.step)

    nodes: list[TwoWay] = []
    for name, role, take in (("meter", meter, None), ("gateway", gateway, deliver)):
        board = world.add_board(name=name, position=(12 * len(nodes), 5))
        driver = Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"])
        nodes.append(TwoWay(board, driver, role, MemoryStore(), take, wall))
    world.run(nodes, _SLICE_US)
    for words in ORDERS:
        gateway.queue(METER, orders.make(words, METER, held), nodes[1].board.now_us())
    while len(ended) < len(ORDERS) and world.now_us < LONGEST_S * _S:
        world.run(nodes, world.now_us + _SLICE_US)
    return ended == ["done"] * len(ORDERS)
