"""Breaker and valve: what a command makes of the control state DC1! (OMS Vol.2 Annex M UC-03; sheet oms-requirements 14.10).

A direct one opens and closes by command. A manual one is only released by it, and opened by hand. Inferred: a released one is
physically closed (DC2!); a direct one cannot be released (application error 15h).
"""

CLOSED, OPEN, RELEASED = STATES = 0, 1, 2
DIRECT, MANUAL = "direct", "manual"
HAND = "hand"
ALONE = (0x20, 0x21)  # device types breaker and valve
BY_ITSELF, BUILT_IN = b"\x01", b"\x81\x40"  # DIB of DC1! and DC2!: in a meter it is subunit 1

# (type, state, command or HAND): next state. What is missing here cannot be.
TABLE = {
    (DIRECT, CLOSED, CLOSED): CLOSED,
    (DIRECT, CLOSED, OPEN): OPEN,
    (DIRECT, OPEN, CLOSED): CLOSED,
    (DIRECT, OPEN, OPEN): OPEN,
    (MANUAL, CLOSED, CLOSED): CLOSED,
    (MANUAL, CLOSED, OPEN): RELEASED,
    (MANUAL, CLOSED, RELEASED): RELEASED,
    (MANUAL, OPEN, CLOSED): CLOSED,
    (MANUAL, OPEN, OPEN): OPEN,
    (MANUAL, OPEN, RELEASED): OPEN,
    (MANUAL, RELEASED, CLOSED): CLOSED,
    (MANUAL, RELEASED, OPEN): RELEASED,
    (MANUAL, RELEASED, RELEASED): RELEASED,
    (MANUAL, RELEASED, HAND): OPEN,
}


def rule(kind):
    """What commands.Register takes as `becomes` for DC1! of a valve of this type."""

    def becomes(state, command):
        return TABLE.get((kind, state, command))

    return becomes


def physical(state):
    """The physical state DC2! that belongs to a control state."""
    return OPEN if state == OPEN else CLOSED
