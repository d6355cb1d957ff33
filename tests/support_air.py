"""What was on the virtual air: telegrams of a log, and how long each sender was on it."""

from omsnode.board.virtual.air import pack
from omsnode.firmware.link import frame_a, frame_b
from omsnode.firmware.phy.deframer import Deframer

HOUR_NS = 3600 * 10**9
# End of the sync word behind which the deframer begins, by family (link sheet 3.2), first chip first.
SYNC = {"T+C": "0101010000111101", "S": "0111011010010110"}
# Lowest and highest Hz, share of the hour (link sheet 1.3).
BANDS = ((868.0e6, 868.6e6, 0.01), (868.7e6, 869.2e6, 0.001), (869.4e6, 869.65e6, 0.1))


def telegram(sent, family="T+C"):
    """(telegram without link CRCs, family, frame format) of a Transmission; its CRCs must be right."""
    chips = "".join(str(chip) for chip in sent.chips)
    at = chips.index(SYNC[family]) + len(SYNC[family])
    deframer = Deframer(family)
    assert deframer.feed(pack(sent.chips[at:])) == 0
    strip = frame_b.strip if deframer.frame_format == "B" else frame_a.strip
    return strip(deframer.frame), deframer.family, deframer.frame_format


def fullest_hour(log, source):
    """The largest share of its limit that a sender used in any hour of any sub-band; a number up to 1 is allowed."""
    worst = 0.0
    for low, high, share in BANDS:
        own = [
            (one.start_ns, one.end_ns)
            for one in log
            if one.source == source and low <= one.frequency_hz <= high
        ]
        for _, end_ns in own:
            # An hour that is fullest may be moved until it ends with a transmission.
            used = sum(max(0, end - max(begin, end_ns - HOUR_NS)) for begin, end in own if end <= end_ns)
            worst = max(worst, used / (share * HOUR_NS))
    for one in log:
        inside = any(low <= one.frequency_hz <= high for low, high, _ in BANDS)
        assert one.source != source or inside, one.frequency_hz
    return worst
