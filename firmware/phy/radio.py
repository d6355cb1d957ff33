"""The contract every radio driver fulfils, and the events it returns.

A driver is handed its SPI and pins: every method that needs the time takes `now_us`, an integer of microseconds on the
board's monotonic clock. It never sleeps.

    start(now_us)
        reset and configure the chip; standby follows. RadioError with a hint if it does not answer.
    configure(mode, direction, channel=0, offset_hz=0, power_dbm=None)
        choose a row of `modes`: `mode` is a name ("T1", "S2", "C1", or "T+C" to receive both), `direction` is the
        link direction "up" (meter to other device) or "down". MisuseError if the chip cannot do it.
    prepare(chips, now_us)
        load a transmission. `chips` is the complete stream on air (preamble, sync, data, trailer), packed, first
        chip in the most significant bit of the first byte, whole bytes. Slow, any time before `transmit`.
    transmit(at_us, until_us=None)
        arm: the driver strobes in `service` at its `due_us`, so that the first chip leaves at `at_us`,
        or earlier by as much as the driver knows its host to be late: SENT tells the instant achieved. Call it 0.1 s
        ahead. It never sends late: a missed instant is a TOO_LATE event and nothing is sent.
        With `until_us` it is a window, and not the host's usual lateness but `exact` is what brings it about: the first
        chip leaves in [at_us, until_us], as near to its middle as the host lets it. Call it 1.2 ms before the middle or
        earlier, `prepare` included; a reception that is going on is given up by `prepare`.
    expect(mode, direction)
        windows in this mode are going to be asked for, perhaps at short notice: whatever takes long about it is done
        ahead, now and then, while the driver listens and nobody is heard.
    clock
        None, or the board's `now_us`. With it the time is looked at just before and just after the strobe of a window,
        and a host that stood still in between sends nothing; without, that is only as good as service's `now_us`.
    listen(deframer, now_us)
        receive with the deframer (`deframer.Deframer`) until told otherwise; after each frame the driver re-arms.
    standby(now_us), sleep(now_us)
    service(now_us, edges=()) -> list of Event
        call on an edge or at `due_us`. `edges` are (line, level, at_us) as `board.wait` returned them.
    due_us
        the next instant the driver wants `service`, or None.
    exact
        True while `due_us` is the strobe of a window: the board may burn time to meet it.
    receiving
        True from the sync word of a frame to its last chip.
    counters
        dict of counted things: frames, rejects by code, faults by code, and what else a driver counts.
"""

FRAME = "frame"  # a whole frame left the deframer
REJECTED = "rejected"  # sync was seen, but the chips behind it were no frame: `error` says why
SENT = "sent"  # the last chip left at most 0.2 ms ago; at_us = instant of the first chip, end_us = end of the last
TOO_LATE = "too_late"  # the instant was missed, nothing was sent
FAULT = "fault"  # the chip misbehaved and was healed: `code` names it


class Event:
    """What `service` returns.

    kind: one of the constants above. at_us: start of the frame (end of the sync word) or of the transmission.
    end_us: end of it. frame: bytes with link CRCs from the L-field on. family: "T", "C" or "S". frame_format: "A" or
    "B". rssi_dbm, lqi, offset_hz: integers or None. error: an OmsError. code: name of a fault.
    """

    def __init__(
        self,
        kind,
        at_us,
        end_us=None,
        frame=None,
        family=None,
        frame_format=None,
        rssi_dbm=None,
        lqi=None,
        offset_hz=None,
        error=None,
        code=None,
    ):
        self.kind = kind
        self.at_us = at_us
        self.end_us = end_us
        self.frame = frame
        self.family = family
        self.frame_format = frame_format
        self.rssi_dbm = rssi_dbm
        self.lqi = lqi
        self.offset_hz = offset_hz
        self.error = error
        self.code = code

    def __repr__(self):
        return "Event({}, {}, {})".format(self.kind, self.at_us, self.code or self.error or self.family)
