"""Decode the largest telegram, L = 255, with as many records as it holds. Runs on either interpreter.

Argument: "values" for records of one byte of data each, three VIBs in turns; "headers" for records without data, of
which there are most; "profile" for a compact profile, each element of which becomes a record with a time. Prints how many bytes of heap are in use before the telegram is decoded, and with all its records.
"""

import gc
import sys

from loading import load

load(
    "errors",
    "link.address",
    "link.telegram",
    "link.extended",
    "security.key_text",
    "security.mode5",
    "transport.header",
    "application.units",
    "application.vif",
    "application.types",
    "application.record",
    "application.profile",
    "application.telegram",
)

from omsnode.firmware.application import telegram  # noqa: E402
from omsnode.firmware.link import extended  # noqa: E402
from omsnode.firmware.link.address import Address  # noqa: E402
from omsnode.firmware.security import mode5  # noqa: E402
from omsnode.firmware.security.keys import Key  # noqa: E402

KEY = Key.from_hex("0102030405060708090A0B0C0D0E0F11")
SMALLEST = {
    "values": (b"\x01\x13\x11", b"\x01\x3b\x12", b"\x41\x5a\x13"),
    "headers": (b"\x00\x13", b"\x00\x3b", b"\x40\x5a"),
}


def records(which, size):
    """Records that fill so many bytes, and their number."""
    if which == "profile" and size > 100:
        # volume at the end of a month, its date, and increments per day as they fit one LVAR
        count = 0xBF - 2
        out = b"\x44\x13\x10\x00\x00\x00\x42\x6c\x1f\x1c\x4d\x93\x1e\xbf\x61\x01" + b"\x01" * count
        return out + b"\x2f" * (size - len(out)), count + 3
    out, count = b"", 0
    some = SMALLEST.get(which, SMALLEST["values"])
    while len(out) + len(some[0]) <= size:
        out += some[count % len(some)]
        count += 1
    return out + b"\x2f" * (size - len(out)), count


def largest(which):
    """14 blocks in mode 5, which begin with two check bytes, behind an ELL and a short header, and 14 bytes in clear."""
    secret, count = records(which, 14 * 16 - 2)
    clear, more = records(which, 14)
    address = Address(0x2C2D, "12345678", 0x1B, 0x16)
    ell = extended.build(extended.SYNCHRONOUS, 1)
    head = b"\xff\x44" + address.link_bytes() + ell + b"\x7a\x01\x00\xe0\x05"
    return head + mode5.seal(KEY, address, 1, secret) + clear, count + more


data, count = largest(sys.argv[1])
assert len(data) == 256, len(data)
gc.collect()
before = gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0
result = telegram.decode(data, lambda address: KEY)
assert result.error is None and result.undecoded is None, result.error
assert len(result.records) == count, len(result.records)
gc.collect()
print(before, gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0, count)
