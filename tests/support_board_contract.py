"""The board contract, as checks that any board with a CC1101 (`check_`) or an SX1262 with an RF switch (`sx1262_`) behind
it must pass (design: Contracts, Board).

Run as a script it opens the Linux board of a HAT and does the checks named on the command line: under the seam the model
must live in another process.
"""

import sys

from omsnode.firmware.errors import MisuseError

IOCFG2, IOCFG0, SYNC1, PKTCTRL0, MCSM0, VERSION = 0x00, 0x02, 0x04, 0x08, 0x18, 0x31
SRES, STX, SIDLE, SNOP, TX_FIFO = 0x30, 0x35, 0x36, 0x3D, 0x3F
READ, BURST = 0x80, 0x40
LOW, HIGH, SYNC_TO_END = (
    0x2F,
    0x6F,
    0x06,
)  # IOCFGx: constant 0, inverted constant 0, sync word to end of packet


def transfer(board, *tx):
    rx = bytearray(len(tx))
    board.spi.transfer(bytes(tx), rx)
    return rx


def settle(board):
    """The chip reset, both lines low, edges armed and none pending."""
    ready(board)
    transfer(board, SRES)
    ready(board)
    transfer(board, IOCFG2, LOW)
    transfer(board, IOCFG0, LOW)
    end_us = board.now_us() + 1000
    while board.now_us() < end_us:
        board.wait(end_us)


def ready(board):
    """Until the crystal runs (CHIP_RDYn low)."""
    while transfer(board, SNOP)[0] & 0x80:
        pass


def collect(board, n, us=1000000):
    """Wait for n edges, at most `us`."""
    edges, lost, end_us = [], 0, board.now_us() + us
    while len(edges) < n and board.now_us() < end_us:
        more, gone = board.wait(end_us)
        edges += more
        lost += gone
    return edges, lost


def check_clock(board):
    before = board.now_us()
    transfer(board, SRES)
    assert isinstance(before, int)
    assert board.now_us() >= before


def check_transfer_fills_rx_in_place(board):
    ready(board)
    tx, rx = bytearray([VERSION | READ | BURST, 0]), bytearray(b"\xaa\xaa")
    board.spi.transfer(tx, rx)
    assert isinstance(rx, bytearray) and len(rx) == 2
    assert rx[1] == 0x14
    assert tx == bytes([VERSION | READ | BURST, 0])


def check_transfer_is_one_chip_select_period(board):
    ready(board)
    transfer(board, SYNC1 | BURST, 0x54, 0x3D)
    assert transfer(board, SYNC1 | READ | BURST, 0, 0)[1:] == b"\x54\x3d"
    assert transfer(board, SYNC1 | READ, 0)[1] == 0x54


def check_transfer_takes_views(board):
    ready(board)
    tx, rx = bytearray(70), bytearray(70)
    tx[10] = VERSION | READ | BURST
    board.spi.transfer(memoryview(tx)[10:12], memoryview(rx)[20:22])
    assert rx[21] == 0x14
    assert rx[:20] == bytes(20) and rx[22:] == bytes(48)


def check_unequal_lengths_are_refused(board):
    rx = bytearray(3)
    try:
        board.spi.transfer(bytes(2), rx)
    except MisuseError:
        assert rx == bytes(3)
    else:
        raise AssertionError("accepted")


def check_pins_follow_the_chip(board):
    settle(board)
    for level, setting in ((0, LOW), (1, HIGH), (0, LOW)):
        transfer(board, IOCFG0, setting)
        assert (board.pins["gdo0"].read(), board.pins["gdo2"].read()) == (level, 0)
    transfer(board, IOCFG2, HIGH)
    assert (board.pins["gdo0"].read(), board.pins["gdo2"].read()) == (0, 1)


def check_radio_outputs_are_not_driven(board):
    try:
        board.pins["gdo0"].write(1)
    except MisuseError:
        return
    raise AssertionError("two drivers on one wire")


def check_wait_ends_at_its_instant(board):
    settle(board)
    until_us = board.now_us() + 5000
    assert board.wait(until_us) == ([], 0)
    assert until_us <= board.now_us()


def check_wait_for_the_past_returns_at_once(board):
    settle(board)
    assert board.wait(board.now_us() - 1000) == ([], 0)


def check_an_exact_wait_ends_at_its_instant(board):
    settle(board)
    for ahead_us in (200, 5000):
        until_us = board.now_us() + ahead_us
        assert board.wait(until_us, True) == ([], 0)
        assert until_us <= board.now_us()
    assert board.wait(board.now_us() - 1000, True) == ([], 0)


def check_an_edge_ends_an_exact_wait(board):
    settle(board)
    transfer(board, IOCFG0, HIGH)
    until_us = board.now_us() + 300000
    edges, lost = board.wait(until_us, exact=True)
    assert [edge[:2] for edge in edges] == [("gdo0", 1)] and lost == 0
    assert board.now_us() < until_us


def check_edges_come_once_in_order_with_their_time(board):
    settle(board)
    seen = []
    for register, line in ((IOCFG0, "gdo0"), (IOCFG2, "gdo2")):
        for level, setting in ((1, HIGH), (0, LOW)):
            before_us = board.now_us()
            transfer(board, register, setting)
            edges, lost = collect(board, 1)
            assert lost == 0
            assert [edge[:2] for edge in edges] == [(line, level)]
            assert before_us <= edges[0][2] <= board.now_us()
            seen += edges
    assert [edge[2] for edge in seen] == sorted(edge[2] for edge in seen)
    assert board.wait(board.now_us() + 1000) == ([], 0)


def check_edges_before_the_call_are_not_forgotten(board):
    settle(board)
    for setting in (HIGH, LOW, HIGH):
        transfer(board, IOCFG0, setting)
    edges, lost = collect(board, 3)
    assert [edge[:2] for edge in edges] == [("gdo0", 1), ("gdo0", 0), ("gdo0", 1)]
    assert lost == 0


def check_an_edge_ends_the_wait(board):
    """A packet of 8 bytes is sent: sync word and end of packet come by themselves, while we wait."""
    settle(board)
    transfer(board, IOCFG2, SYNC_TO_END)
    transfer(board, PKTCTRL0, 0x00)  # fixed length
    transfer(board, PKTCTRL0 - 2, 8)
    transfer(board, MCSM0, 0x18)  # calibrate on the way
    transfer(board, TX_FIFO | BURST, *range(8))
    start_us = board.now_us()
    transfer(board, STX)
    edges, lost = collect(board, 2)
    assert [edge[:2] for edge in edges] == [("gdo2", 1), ("gdo2", 0)], edges
    assert lost == 0
    assert start_us + 700 < edges[0][2] < edges[1][2] <= board.now_us() < start_us + 100000
    transfer(board, SIDLE)


def check_a_flood_is_counted(board):
    settle(board)
    for _ in range(600):
        transfer(board, IOCFG0, HIGH)
        transfer(board, IOCFG0, LOW)
    edges, lost = collect(board, 2000, us=20000)
    assert len(edges) + lost == 1200, (len(edges), lost)
    assert board.wait(board.now_us() + 1000) == ([], 0)


# --- an SX1262: lines that are only looked at, and lines that the host drives ---

SET_STANDBY, SET_PACKET_TYPE, SET_RF_FREQUENCY, SET_RX = 0x80, 0x8A, 0x86, 0x82
SET_MODULATION, SET_PACKET, SET_DIO_IRQ, CLEAR_IRQ, GET_STATUS = 0x8B, 0x8C, 0x08, 0x02, 0xC0
TIMEOUT = (0x02, 0x00)


def not_busy(board, us=30000):
    """Until BUSY is low."""
    end_us = board.now_us() + us
    while board.pins["busy"].read():
        assert board.now_us() < end_us, "BUSY stays high"


def command(board, *tx):
    not_busy(board)
    return transfer(board, *tx)


def restart(board):
    """NRESET pulled, the chip up again, edges armed and none pending."""
    board.pins["reset"].write(0)
    board.wait(board.now_us() + 200)
    board.pins["reset"].write(1)
    board.wait(board.now_us() + 20000)
    command(board, SET_STANDBY, 0)


def sx1262_lines(board):
    assert {"busy", "dio1", "reset", "txen", "rxen"} <= set(board.pins)
    assert "gdo0" not in board.pins
    assert (board.pins["reset"].read(), board.pins["txen"].read(), board.pins["rxen"].read()) == (1, 0, 0)


def sx1262_inputs_are_not_driven(board):
    for line in ("busy", "dio1"):
        try:
            board.pins[line].write(1)
        except MisuseError:
            continue
        raise AssertionError("two drivers on one wire")


def sx1262_outputs_keep_what_was_written(board):
    for line in ("txen", "rxen", "reset"):
        for level in (1, 0, 1):
            board.pins[line].write(level)
            assert board.pins[line].read() == level
    board.wait(board.now_us() + 1000)  # edges are requested here: outputs stay as they are
    assert [board.pins[line].read() for line in ("txen", "rxen", "reset")] == [1, 1, 1]


def sx1262_reset_reaches_the_chip(board):
    """BUSY is high while the chip starts; then it stands by in STDBY_RC (mode 2 in bits 6 to 4 of the status)."""
    board.pins["reset"].write(0)
    board.wait(board.now_us() + 200)
    board.pins["reset"].write(1)
    assert board.pins["busy"].read() == 1
    not_busy(board)
    assert command(board, GET_STATUS, 0)[1] >> 4 & 7 == 2


def sx1262_edges_of_dio1(board):
    """A receiver that times out raises DIO1, while we wait; clearing its interrupt lets it fall. BUSY has no edges."""
    restart(board)
    command(board, SET_PACKET_TYPE, 0)
    command(board, SET_RF_FREQUENCY, 0x36, 0x4C, 0xCC, 0xCD)
    command(board, SET_MODULATION, 0x00, 0x28, 0x00, 0x00, 0x19, 0x00, 0xCC, 0xCD)
    command(board, SET_PACKET, 0, 16, 0x04, 16, 0, 0, 0xFF, 1, 0)
    command(board, SET_DIO_IRQ, *TIMEOUT, *TIMEOUT, 0, 0, 0, 0)
    start_us = board.now_us()
    command(board, SET_RX, 0, 0x02, 0x80)  # 640 steps of 15.625 us
    edges, lost = collect(board, 1)
    assert lost == 0
    assert [edge[:2] for edge in edges] == [("dio1", 1)], edges
    assert start_us + 9000 < edges[0][2] <= board.now_us() < start_us + 100000
    assert board.pins["dio1"].read() == 1
    command(board, CLEAR_IRQ, 0xFF, 0xFF)
    edges, lost = collect(board, 1)
    assert [edge[:2] for edge in edges] == [("dio1", 0)] and lost == 0
    assert board.wait(board.now_us() + 1000) == ([], 0)


def _named(prefix):
    return {name[len(prefix) :]: one for name, one in sorted(globals().items()) if name.startswith(prefix)}


CHECKS = _named("check_")
SX1262_CHECKS = _named("sx1262_")


def main(hat_name, backend, *names):
    from omsnode.board import hats, linux

    hat = hats.find(hat_name)
    checks = CHECKS if hat.chip == "cc1101" else SX1262_CHECKS
    with linux.open_board(hat, backend) as board:
        assert board.backend == backend
        for name in names:
            checks[name](board)


if __name__ == "__main__":
    main(*sys.argv[1:])
