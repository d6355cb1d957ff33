"""play_burst.py RECORD RAW: a CC1101 sends an uplink burst and hears a downlink, every SPI byte as on record. RAW: 1, all chips
come to the host. Runs on either interpreter."""

import sys

from omsnode.drivers.cc1101 import Cc1101
from omsnode.firmware.phy import radio
from omsnode.firmware.phy.burst import burst
from omsnode.firmware.phy.burst.deframer import BurstDeframer

UP = burst.uplink(bytes(range(100, 115)), 89, 0, 2)[0]
DOWN = burst.downlink(bytes(range(30)), 89, 0, 1)[0]


def until(board, driver, kind):
    """Its event."""
    while True:
        edges, _ = board.wait(driver.due_us)
        for event in driver.service(board.now_us(), edges):
            assert event.kind == kind, event
            return event


def session(board, raw):
    """The FRAME event of the downlink."""
    driver = Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"], beyond_limits=True, raw_sync=raw)
    driver.start(board.now_us())
    board.wait(board.now_us())
    driver.configure("UL-B4", "up")
    driver.prepare(UP, board.now_us())
    driver.transmit(150000)
    until(board, driver, radio.SENT)
    driver.configure("DL-B4", "down")
    driver.listen(BurstDeframer("down"), board.now_us())
    event = until(board, driver, radio.FRAME)
    assert event.frame == DOWN[8:] and event.family == "B"
    driver.standby(board.now_us())
    return event


if __name__ == "__main__":
    import transcript

    with open(sys.argv[1], "rb") as record:
        player = transcript.Player(record)
        event = session(player, sys.argv[2] == "1")
        assert not record.read(1), "the record goes on"
    print(event.at_us, player.calls, "calls", player.spi_bytes, "SPI bytes")
