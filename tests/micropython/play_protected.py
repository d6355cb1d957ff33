"""play_protected.py RECORD SECURITY_MODE: as play_transcript.py, in profile B or D. Runs on either interpreter."""

import sys

from loading import load

MODE = int(sys.argv[2])
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
    "security.octets",
    "security.cmac",
    "security.kdf",
    "security.counters",
    "security.mode7" if MODE == 7 else "security.mode10",
    "transport.authentication",
    "transport.protection",
    "transport.sealing",
    "application.encode",
    "roles.meter",
    "roles.protected",
    "node",
)

import transcript  # noqa: E402

transcript.SECURITY_MODE = MODE
with open(sys.argv[1], "rb") as record:
    player = transcript.Player(record)
    node = transcript.send(player)
    assert node.store.saved == 1  # one write covers 64 telegrams
    assert not record.read(1), "the record goes on"
print(player.calls, "calls", player.spi_bytes, "SPI bytes")
