"""play_transcript.py RECORD: the ten telegrams again, every SPI byte as on record. Runs on either interpreter."""

import sys

from loading import load

load(
    "errors",
    "phy.modes",
    "phy.radio",
    "phy.framing",
    "phy.three_of_six",
    "phy.duty_cycle",
    "link.address",
    "link.crc",
    "link.frame_a",
    "security.mode5",
    "transport.compose",
    "application.encode",
    "roles.meter",
    "node",
)

import transcript  # noqa: E402

with open(sys.argv[1], "rb") as record:
    player = transcript.Player(record)
    node = transcript.send(player)
    assert node.store.saved == 1  # one write covers 64 telegrams
    assert not record.read(1), "the record goes on"
print(player.calls, "calls", player.spi_bytes, "SPI bytes")
