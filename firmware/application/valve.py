"""Breaker and valve: what a command makes of the control state DC1! (OMS Vol.2 Annex M UC-03; sheet oms-requirements 14.10).

A direct one opens and closes by command. A manual one is only released by it, and opened by hand. Inferred: a released one is
physically closed (DC2!); a direct one cannot be released (application error 15h).
"""

CLOSED, OPEN, RELEASED = STATES = 0, 1, 2
DIRECT, MANUAL = "direct", "manual"
HAND = "hand"

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
