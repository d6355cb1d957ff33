"""Published vectors of OMS LPWAN above the PHY, typed in (OMS Vol. 2 Annex Q release A, 2023-12; clause beside each)."""

from omsnode.firmware.link.address import Address
from omsnode.firmware.security.keys import Key

METER = Address.from_link(bytes.fromhex("A73D785634121503"))
MAC_KEY = Key(bytes(range(0x10, 0x20)))  # Q.K.1
PROFILE_B_KEY = Key(bytes(range(16)))  # of Annex N

# name -> (direction, frame)
FRAMES = {
    # Table Q.K.3: MSNR with SND-NR, profile B
    "Q.K.3": (
        "up",
        "005B44A73D78563412150375900F002C25B30A000021924D4F2FB66E017A7500200710"
        "9058475F4BC91DF878B80A1B0F98B629024AAC727942BFC549233C0140829B932BE5B9B7",
    ),
    "Q.K.4": ("up", "098378CFC7"),  # MACK
    "Q.K.5": ("up", "422202A73D7856341215039F07FC0F"),  # MERR
    "Q.K.6": ("down", "2D6801370150E4896B9204A73D785634121503D6BFAB0B"),  # MCMD with a Get
    "Q.K.7": ("down", "2D68013801171D5408301D7BA73D785634121503089375170000D8193D7B"),  # with REQ-UD2
    # Table Q.K.8: MRSP with RSP-UD, profile B
    "Q.K.8": (
        "up",
        "61226A013801DA646F140581AC1B08A73D78563412150308900F002C25B30A000021924D4F2FB66E017A75002007109058"
        "475F4BC91DF878B80A1B0F98B629024AAC727942BFC549233C0140829B9377C2C6C1",
    ),
    "Q.Z.1": ("up", "401A02A73D785634121503ACB46271"),  # MSNR, address only
    "Q.Z.10": ("down", "4C0104A73D785634121503650C99BA"),  # MCNR, address only
}

# Table Q.K.1/2
DERIVED_KEY = Key.from_hex("C16A16817B37B08F616AA7ED9E746850")

# frame, nonce, associated data, MBlocks in plain, as sent, MMAC (Tables Q.K.6 to Q.K.8)
CCM = (
    ("Q.K.6", "A73D7856341215030300000137", "6801", "01", "92", "50E4896B"),
    ("Q.K.7", "A73D7856341215030300000138", "6801", "01", "30", "171D5408"),
    ("Q.K.8", "A73D7856341215030200000138", "6A01", "2101C5", "0581AC", "DA646F14"),
)


def frame(name):
    """Bytes of a published frame."""
    return bytes.fromhex(FRAMES[name][1])
