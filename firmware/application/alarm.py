"""Alarm protocol (CI 71, 74, 75; EN 13757-3:2018 clause 9 and Annex D; sheet en13757-3-application 8.3).

Only CI 71 is public: one byte of eight alarm bits (type D), cleared when it was read. What each bit means is up to the
device. The body behind CI 74 and 75 is not public and is kept whole.
"""

from ..errors import MisuseError

_PUBLIC = 0x71


def build(state):
    """The body of CI 71 for eight alarm bits; the meter clears what it has sent. Raises MisuseError if they are more."""
    if not 0 <= state <= 0xFF:
        raise MisuseError("the alarm state is eight bits")
    return bytes((state,))


def fields(body, ci):
    """The fields of a body, as protocols.read gives them; bytes that are not explained are left to it."""
    if ci != _PUBLIC or not body:
        return [(0, len(body), "alarm", bytes(body).hex().upper(), None)] if body else []
    bits = [str(bit) for bit in range(8) if body[0] >> bit & 1]
    return [
        (0, 1, "alarm_state", body[0], None),
        (1, 0, "alarm_bits", " ".join(bits) or "none", None),
    ]
