"""play_transcript.py RECORD: the ten telegrams again, every SPI byte as on record. Runs on either interpreter."""

import sys

import transcript

with open(sys.argv[1], "rb") as record:
    player = transcript.Player(record)
    node = transcript.send(player)
    assert node.store.saved == transcript.TELEGRAMS
    assert not record.read(1), "the record goes on"
print(player.calls, "calls", player.spi_bytes, "SPI bytes")
