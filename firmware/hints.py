"""What a person can do about an error, by its code (see errors.py)."""

HINTS = {
    "symbol": "interference or a weak signal: move the antenna",
    "length": "the L-field does not fit the frame: noise, a truncated line, or CRCs removed twice",
    "crc": "the frame was damaged on the air or cut",
    "no_key": "the telegram is encrypted: configure the key of this meter",
    "wrong_key_or_altered": "the check bytes 2F 2F are missing: another key, or altered before its link CRC was computed",
    "mac_mismatch": "the MAC is wrong: another key, or somebody changed the message",
    "replayed": "its counter is not above the last one of this meter: an old message, sent again",
    "downgraded": "this meter is known with a stronger security profile: somebody else's telegram, or it was reconfigured",
    "transport": "its sender made it wrong, or it was altered before its link CRC was computed: it is not read",
    "fragment": "a fragment was lost, or does not belong to the others: ask for the whole message again",
    "unsupported": "this security mode is not supported yet; the telegram is kept as it came",
    "unsupported_ci": "only the manufacturer knows what stands behind this CI code; the bytes are kept as they came",
    "incomplete": "the message is spread over several telegrams",
    "checksum": "the frame was damaged on the bus or cut",
    "frame": "the frame was damaged on the bus or cut",
    "unknown_format": "the meter's full frame or format frame tells the layout: it is understood once one was heard",
    "format_mismatch": "the layout that was learnt does not fit: wait for the meter's next full frame",
    "line": "expected: hex digits, an rtlwmbus line, a CUL line b... or bY..., or telegram=|...|",
}
