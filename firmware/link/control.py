"""C-field (EN 13757-4 with EN 60870-5-2; OMS Vol.2 5.2.4; link sheet 6)."""

from collections import namedtuple

# Sent by a meter.
SND_NR = 0x44
SND_IR = 0x46
ACC_NR = 0x47
ACC_DMD = 0x48
NACK = 0x01
RSP_UD = 0x08
# Sent by the other device.
SND_NKE = 0x40
SND_UD2 = 0x43
SND_UD = 0x53
SND_UD3 = 0x45
REQ_UD1 = 0x5A
REQ_UD2 = 0x5B
CNF_IR = 0x06
# Sent by both.
ACK = 0x00

METER = 1
OTHER = 2

# (name, who sends it, base value, bits that may be set besides: FCB, or ACD and DFC)
_TABLE = (
    ("SND-NKE", OTHER, SND_NKE, 0x00),
    ("SND-UD2", OTHER, SND_UD2, 0x20),
    ("SND-UD", OTHER, SND_UD, 0x20),
    ("SND-UD3", OTHER, SND_UD3, 0x20),
    ("REQ-UD1", OTHER, REQ_UD1, 0x20),
    ("REQ-UD2", OTHER, REQ_UD2, 0x20),
    ("ACK", OTHER, ACK, 0x00),
    ("CNF-IR", OTHER, CNF_IR, 0x00),
    ("SND-NR", METER, SND_NR, 0x00),
    ("SND-IR", METER, SND_IR, 0x00),
    ("ACC-NR", METER, ACC_NR, 0x00),
    ("ACC-DMD", METER, ACC_DMD, 0x00),
    ("ACK", METER, ACK, 0x30),
    ("NACK", METER, NACK, 0x30),
    ("RSP-UD", METER, RSP_UD, 0x30),
)

Bits = namedtuple("Bits", ("prm", "fcb", "fcv", "acd", "dfc", "function"))


def name(c_field, from_meter=None):
    """Name of a C-field ("SND-NR"), None if it is not in the table.

    from_meter: True or False if it is known who sent it; then only what that side may send has a name.
    """
    side = METER | OTHER if from_meter is None else METER if from_meter else OTHER
    for text, sender, base, free in _TABLE:
        if sender & side and c_field & ~free == base:
            return text
    return None


def split(c_field):
    """Bits of a C-field. prm 1: the sender initiates; it has fcb and fcv, and acd and dfc are None. prm 0: a response;
    it has acd (alarm data waiting) and dfc (cannot take more data), and fcb and fcv are None. function: bits 3 to 0.
    """
    high, low = c_field >> 5 & 1, c_field >> 4 & 1
    if c_field & 0x40:
        return Bits(1, high, low, None, None, c_field & 0x0F)
    return Bits(0, None, None, high, low, c_field & 0x0F)
