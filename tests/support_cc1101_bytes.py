"""SPI bytes written by hand for the chip model's tests: the AN067 register sets of the CC1101 sheet, section 10."""

COMMON = {
    0x00: 0x06, 0x01: 0x2E, 0x02: 0x00, 0x03: 0x07, 0x06: 0xFF, 0x07: 0x00, 0x08: 0x02, 0x09: 0x00, 0x0A: 0x00,
    0x0B: 0x08, 0x0C: 0x00, 0x13: 0x22, 0x14: 0xF8, 0x16: 0x07, 0x17: 0x00, 0x18: 0x18, 0x19: 0x2E, 0x21: 0xB6,
    0x22: 0x10, 0x23: 0xEA, 0x24: 0x2A, 0x25: 0x00, 0x26: 0x1F, 0x29: 0x59, 0x2C: 0x81, 0x2D: 0x35, 0x2E: 0x09,
}  # fmt: skip

T_RX = {
    0x04: 0x54, 0x05: 0x3D, 0x0D: 0x21, 0x0E: 0x6B, 0x0F: 0xD0, 0x10: 0x5C, 0x11: 0x04, 0x12: 0x05, 0x15: 0x44,
    0x1A: 0xBF, 0x1B: 0x43, 0x1C: 0x09, 0x1D: 0xB5,
}  # fmt: skip
T_TX = {**T_RX, 0x0F: 0xD1, 0x10: 0x5B, 0x11: 0xF8, 0x15: 0x50, 0x02: 0x02}
C_TX = {**T_TX, 0x15: 0x46}
S_RX = {
    0x04: 0x76, 0x05: 0x96, 0x0D: 0x21, 0x0E: 0x65, 0x0F: 0x6A, 0x10: 0x6A, 0x11: 0x4A, 0x12: 0x05, 0x15: 0x47,
    0x1A: 0x6D, 0x1B: 0x04, 0x1C: 0x09, 0x1D: 0xB2,
}  # fmt: skip
S_TX = {**S_RX, 0x04: 0x54, 0x05: 0x76, 0x02: 0x02}

RAW_TX = {0x12: 0x00}  # SYNC_MODE 0: the FIFO holds the complete stream


def spi(board, *data):
    """One chip-select period."""
    return board.chip.transfer(bytes(data))


def strobe(board, code):
    spi(board, code)


def read(board, address):
    return spi(board, 0x80 | address, 0)[1]


def status(board, address):
    return spi(board, 0xC0 | address, 0)[1]


def marc(board):
    return status(board, 0x35)


def sleep(board, us):
    board.world.advance_us(us)


def setup(board, *tables, **more):
    """Reset, write every table, one register at a time."""
    strobe(board, 0x30)
    sleep(board, 1000)
    merged = dict(COMMON)
    for table in tables:
        merged.update(table)
    for address, value in merged.items():
        spi(board, address, value)
    spi(board, 0x3E, 0xC2)
    board.take_edges()


def listen(board):
    """SIDLE, SFRX, SRX, and the calibration time."""
    strobe(board, 0x36)
    strobe(board, 0x3A)
    strobe(board, 0x34)
    sleep(board, 900)


def send(board, data, step_us=300):
    """Stream `data` through the TX FIFO; fixed or infinite mode must be set already. Returns when the chip has left TX."""
    data = bytes(data)
    strobe(board, 0x36)
    strobe(board, 0x3B)
    spi(board, 0x7F, *data[:64])
    strobe(board, 0x35)
    sent = 64
    while sent < len(data):
        free = 64 - len(board.chip.tx_fifo)
        if free:
            spi(board, 0x7F, *data[sent : sent + free])
            sent += free
        sleep(board, step_us)
    for _ in range(1000):
        sleep(board, step_us)
        if board.chip.marc in (0x01, 0x16):
            return
    raise AssertionError("still sending")


def drain(board, size, step_us=500, limit=10000):
    """Read `size` bytes of the RX FIFO as they come, all but one at a time until the end."""
    got = bytearray()
    for _ in range(limit):
        ready = len(board.chip.rx_fifo)
        take = min(ready - 1, size - len(got) - 1) if ready < size - len(got) else size - len(got)
        if take > 0:
            got += spi(board, 0xFF, *bytes(take))[1:]
        if len(got) >= size:
            return bytes(got)
        sleep(board, step_us)
    raise AssertionError("only {} bytes came".format(len(got)))
