"""What a receiver tells of chips behind a sync word, whichever chip brought them."""

from omsnode.firmware.phy import radio


def outcome(counters, deframer, sync_us, end_us, rssi_dbm, lqi=None, offset_hz=None):
    """The FRAME or REJECTED event of a deframer that has come to an end, counted.

    counters: those of the driver. sync_us, end_us: end of the sync word, and of the frame or of the attempt at it. rssi_dbm,
    lqi, offset_hz: as in radio.Event.
    """
    error = deframer.error
    if error is None:
        counters["frames"] += 1
    else:
        rejects = counters["rejects"]
        rejects[error.code] = rejects.get(error.code, 0) + 1
    return radio.Event(
        radio.FRAME if error is None else radio.REJECTED,
        sync_us,
        end_us,
        deframer.frame,
        deframer.family,
        deframer.frame_format,
        rssi_dbm,
        lqi,
        offset_hz,
        error,
    )
