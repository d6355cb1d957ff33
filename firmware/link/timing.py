"""The times of bidirectional access, in one table for both sides (EN 13757-4:2019 clause 12; link sheet 8.2,
8.3, 8.7; oms-requirements sheet 13). Microseconds throughout.

The response delay counts from the end of a transmission. Whether its trailer belongs to that is not public:
who answers stays inside both readings, who listens covers both.
"""

from ..phy import modes
from . import extended

# t_RO, to the first chip of the answer: least, typical, most. Mode C2 where bit D of the frame that is
# answered is 0.
RESPONSE_US = {
    "S2": (3000, 5000, 50000),
    "T2": (2000, 2500, 3000),
    "C2": (999500, 1000000, 1000500),
}
FAST_RESPONSE_US = {"C2": (99500, 100000, 100500)}  # bit D is 1
# The typical delay counts from here: True if the trailer belongs to the transmission. Nothing but the aim
# depends on it.
WITH_TRAILER = False
MARGIN_US = 200  # a receiver is open so much before the first and behind the last instant

# Frequent access cycle: repeat period t_TxD (the meter chooses), and its end behind the last valid reception.
CYCLE_US = (2000000, 3000000, 5000000)
CYCLE_TOLERANCE_US = 500
CYCLE_END_US = (25000000, 30000000)  # a gateway relies on the first, a meter keeps to the second

ACCESS_NUMBER_REUSE_US = 300000000  # not before, by a gateway for another datagram to the same meter
COMMAND_US = 120000000  # a command is executed within
COMMAND_RESPONSE_US = 255000000  # the response is kept so long behind the last command
NO_ACCESS_US = 12 * 3600000000  # a meter without credits opens again within (mode C)

# Installation: first SND-IR behind the button; between two; how many at least; end at the latest. SND-NKE of
# a gateway behind a SND-IR, of a repeater behind its repetition.
INSTALLATION_FIRST_US = 60000000
INSTALLATION_REPEAT_US = (30000000, 60000000)
INSTALLATION_LEAST = 6
INSTALLATION_END_US = 3600000000
INSTALLATION_NKE_US = (5000000, 25000000)
REPEATER_US = (5000000, 25000000)
REPEATER_NKE_US = (2000000, 5000000)


def delay(mode, cc=0):
    """(least, typical, most) t_RO. mode: "S2", "T2" or "C2". cc: CC field of the frame that is answered, 0
    without ELL."""
    if cc & extended.FAST_RESPONSE and mode in FAST_RESPONSE_US:
        return FAST_RESPONSE_US[mode]
    return RESPONSE_US[mode]


_trailers = {}  # of the modes asked for so far: there is little time in a window


def _trailer_us(mode, direction):
    found = _trailers.get((mode, direction))
    if found is None:
        row = modes.find(mode, direction)
        found = _trailers[mode, direction] = row.trailer_chips[1] * 1000000 // row.chip_rate_cps
    return found


def header_us(mode, direction):
    """Duration of the shortest preamble with its sync word, rounded up."""
    row = modes.find(mode, direction)
    sync_chips = max([chips for _, chips in row.sync.values()])
    return (2 * row.preamble_pairs + sync_chips) * 1000000 // row.chip_rate_cps + 1


def answering(mode, cc, end_us, direction):
    """(at_us, until_us): when the first chip of the answer may leave, right under both readings, its middle
    at the typical delay or where there is more room behind that.

    cc: of the frame that is answered. end_us: end of its last data chip. direction: of that frame.
    """
    least, typical, most = delay(mode, cc)
    trailer_us = _trailer_us(mode, direction)
    return end_us + least + trailer_us, end_us + min(most, 4 * typical - least)


def listening(mode, cc, end_us, direction):
    """(open_us, close_us): when whoever sent has to receive, so that the header of an answer is heard; a sync
    word that has ended by close_us began in time.

    cc: of what was sent. end_us: end of its last chip, trailer included. direction: of what was sent.
    """
    least, _, most = delay(mode, cc)
    back = modes.DOWN if direction == modes.UP else modes.UP
    open_us = end_us - _trailer_us(mode, direction) + least - MARGIN_US
    header = header_us(mode, back)
    # Chip rates are off by up to 2 % (mode T up 12 %).
    return open_us, end_us + most + header + header // 8 + MARGIN_US
