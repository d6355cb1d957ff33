"""One receive-decrypt-decode: chips of a T1 frame in mode 5 to records. Runs on either interpreter.

OMS Vol.2 Annex N.2.1 (gas meter, security profile A); the chips are its 55 bytes on the air in the 3-of-6 code of
EN 13757-4 Table 9, behind the sync word.
"""

from loading import load

load(
    "errors",
    "phy.modes",
    "phy.deframer",
    "phy.three_of_six",
    "link.address",
    "link.crc",
    "link.frame_a",
    "link.telegram",
    "security.key_text",
    "security.mode5",
    "transport.header",
    "application.units",
    "application.vif",
    "application.types",
    "application.record",
    "application.telegram",
)

from omsnode.firmware.application import telegram  # noqa: E402
from omsnode.firmware.link import frame_a  # noqa: E402
from omsnode.firmware.phy.deframer import Deframer  # noqa: E402
from omsnode.firmware.security.keys import Key  # noqa: E402

FRAME = "2E44931578563412330333637A2A0020255923C95AAA26D1B2E7493BC2AD013EC4A6F6D3529B520EDFF0EA6DEFC955B29D6D69EBF3EC8A"
CODE = "16 0D 0E 0B 1C 19 1A 13 2C 25 26 23 34 31 32 29"
KEY = "0102030405060708090A0B0C0D0E0F11"


def chips():
    """FRAME in 3-of-6, by another way than the coder's: one long number."""
    code = bytes.fromhex(CODE.replace(" ", ""))
    out, bits, held = bytearray(), 0, 0
    for digit in FRAME:
        bits = bits << 6 | code[int(digit, 16)]
        held += 6
        while held >= 8:
            held -= 8
            out.append(bits >> held)
            bits &= (1 << held) - 1
    out.append(bits << 8 - held)
    return out


deframer = Deframer("T")
stream = chips()
for start in range(0, len(stream), 31):  # as a FIFO service delivers them
    missing = deframer.feed(stream[start : start + 31])
assert missing == 0
result = telegram.decode(frame_a.strip(deframer.frame), lambda address, *which: Key.from_hex(KEY))
assert result.verdict == "decrypted", result.verdict
assert result.error is None and result.undecoded is None
volume, when, flags = result.records
assert (volume.quantity, volume.mantissa, volume.exponent, volume.unit) == ("volume", 2850427, -2, "m3")
assert when.text == "2008-05-31T23:50"
assert flags.mantissa == 0
print("ok")
