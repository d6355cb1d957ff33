"""How much a gateway and a meter say to each other in one telegram, whatever their radios; more is fragmented."""

from ..phy import modes

# The largest L by coding: more than this an SX1262 does not send at a time (its sheet 7.3).
_LONGEST = {"Manchester": 110, "3-of-6": 149, "NRZ": 222}
_TAKEN = 155  # L that every bidirectional meter takes (OMS Vol.2 5.2.2.1.1)
_AROUND = 33  # L of a fragment without message: C, M, A, long ELL, AFL of the first one with KI


def whole(mode, direction):
    """The largest L of a message that is not fragmented."""
    longest = _LONGEST[modes.find(mode, direction).coding]
    return min(longest, _TAKEN) if direction == modes.DOWN else longest


def piece(mode, direction):
    """Bytes of a fragmented message in one telegram."""
    return min(_LONGEST[modes.find(mode, direction).coding], _TAKEN) - _AROUND
