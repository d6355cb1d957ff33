"""play_transcript.py RECORD: the ten telegrams again, every SPI byte as on record. Runs on either interpreter."""

import gc
import sys

# As a device's main.py does it: whatever will be used is loaded before anything is made, from the bottom up, and each
# time what loading leaves behind is swept away. Otherwise what stays ends up between it, and the heap is full of holes.
if hasattr(gc, "threshold"):
    gc.threshold(1024)
for name in (
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
):
    __import__("omsnode.firmware." + name)
    gc.collect()

import transcript  # noqa: E402

gc.collect()
with open(sys.argv[1], "rb") as record:
    player = transcript.Player(record)
    node = transcript.send(player)
    assert node.store.saved == transcript.TELEGRAMS
    assert not record.read(1), "the record goes on"
print(player.calls, "calls", player.spi_bytes, "SPI bytes")
