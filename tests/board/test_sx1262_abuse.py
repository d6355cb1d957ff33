"""Whatever bytes come over the bus, with any settings of the options: the SX1262 model never breaks, and time goes on."""

from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.board.virtual import Transmission, World
from omsnode.board.virtual.sx1262 import OPTIONS
from omsnode.board.virtual.sx1262.commands import COMMANDS

COMMAND = st.tuples(
    st.sampled_from([row.opcode for row in COMMANDS]) | st.integers(0, 255), st.binary(max_size=12)
)
OPTION = st.fixed_dictionaries({}, optional={row.name: st.sampled_from(row.choices) for row in OPTIONS})
START = ("97 02 00 01 40", "89 7F", "98 D7 DB", "8A 00", "86 36 4F 33 33", "8B 00 28 00 00 19 00 CC CD",
         "8C 00 10 04 10 00 00 FF 01 00", "0D 06 C0 54 3D", "08 43 FF 43 FF 00 00 00 00", "95 02 02 00 01",
         "8E 16 02", "82 FF FF FF")  # fmt: skip


@settings(max_examples=150)
@given(OPTION, st.booleans(), st.lists(st.tuples(COMMAND, st.integers(0, 3000)), max_size=20))
def test_any_bytes(options, noise, steps):
    world = World(seed=5)
    world.air.noise_syncs = noise
    board = world.add_board(chip="sx1262", options=options)
    world.advance_us(10_000)
    for text in START:
        board.chip.transfer(bytes.fromhex(text))
        world.advance_us(20_000)
    chips = bytes([0, 1] * 19 + [0, 0, 0, 0, 1, 1, 1, 1, 0, 1]) + bytes(2000)
    for i in range(5):
        world.air.transmit(Transmission(world.now_ns + i * 7_000_000, chips, 100e3, 868.95e6, 50e3))
    for (opcode, parameters), us in steps:
        before = world.now_ns
        answer = board.chip.transfer(bytes([opcode]) + parameters)
        assert len(answer) == 1 + len(parameters)
        assert world.now_ns > before
        world.advance_us(us)
        board.take_edges()
        assert board.pins["busy"].read() in (0, 1)
    world.advance_us(50_000)
    board.pins["reset"].write(0)
    world.advance_us(150)
    board.pins["reset"].write(1)
    world.advance_us(10_000)
    for _ in range(3):
        board.chip.transfer(b"\x80\x00")
        world.advance_us(200)
    assert board.chip.mode == "STDBY_RC"
