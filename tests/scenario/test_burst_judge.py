"""The judge of the burst mode's ladders sees what is wrong: a right conversation, changed in one thing."""

import pytest
import support_burst_judge_air as air
import support_burst_judge_mac as macs
from support_burst_judge_forged import burst_text, crc
from support_burst_ladder import Bench, S

MS = 1000000  # ns


def conversation():
    """MSNR, MCMD, MRSP, MCNR SND-UD2, MSNR RSP-UD, MCNR SND-NKE: log[0] to log[5]."""
    one = Bench(jitter=False)
    one.order(["mac-read", "capability"], S)
    one.order(["write", "0C:13", "6.409"], S)
    one.until_done()
    assert one.judge().wrong == [] and len(one.world.air.log) == 6
    return one


def moved(number, ns):
    def change(log):
        log[number].start_ns += ns
        log[number].end_ns += ns

    return change


def said(number, make):
    """Another burst in place of this one. make: function of the frame that gives (frame, TIV)."""

    def change(log):
        sent = log[number]
        burst = air.read(sent)
        frame, tiv = make(air.payload(burst)[0], burst.tiv)
        text = burst_text(burst.up, frame, tiv, burst.type)
        sent.chips[:] = bytearray(int(chip) for chip in text)

    return change


def altered(place, mask):
    return lambda frame, tiv: (
        crc(frame[:place] + bytes((frame[place] ^ mask,)) + frame[place + 1 : -4]),
        tiv,
    )


def rate(number, ppm):
    def change(log):
        log[number].chip_rate_cps *= 1 + ppm / 1e6
        log[number].period_ns = 1e9 / log[number].chip_rate_cps

    return change


def louder(number, hz):
    def change(log):
        log[number].deviation_hz += hz

    return change


def again(number):
    def change(log):
        log.append(log[number])

    return change


# A MCMD: MHCTL, DA, MBCTL, counter (2), MMAC (4), MBlocks; a MSNR with RSP-UD: MHCTL, UA, LC, C, TXA (8), number
CHANGES = {
    "0.6 ms late": (moved(1, 6 * MS // 10), "misses RX0"),
    "0.6 ms early": (moved(3, -6 * MS // 10), "misses RX0"),
    "an answer too soon": (moved(2, -100 * MS), "t_RM"),
    "TIV not echoed": (said(1, lambda frame, tiv: (frame, tiv ^ 1)), "no meter with TIV"),
    "another TIV": (said(2, lambda frame, tiv: (frame, tiv ^ 1)), "TIV 41 and not 40"),
    "MMAC": (said(1, altered(6, 1)), "MMAC"),
    "MAC CRC": (said(1, lambda frame, tiv: (frame[:-1] + bytes((frame[-1] ^ 1,)), tiv)), "MAC CRC"),
    "chip rate": (rate(0, 40), "beyond the limits"),
    "deviation": (louder(1, 60), "beyond the limits"),
    "twice in a slot": (again(1), "RX0 twice"),
    "access number": (said(4, altered(12, 1)), "number"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_judge_sees(name):
    change, expected = CHANGES[name]
    one = conversation()
    change(one.world.air.log)
    wrong = one.judge().wrong
    assert any(expected in text for text in wrong), wrong


def test_a_chip_is_enough():
    """Any chip of a burst behind its front."""
    one = conversation()
    sent = one.world.air.log[2]
    for place in range(8 + 64, len(sent.chips), 37):
        sent.chips[place] ^= 1
        with pytest.raises((air.Malformed, macs.Malformed)):
            macs.Frame(air.payload(air.read(sent))[0], "UL-B4")
        sent.chips[place] ^= 1
