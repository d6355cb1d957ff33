"""What a role asks its node to do. Roles only return these; they never touch radio, clock or disk."""

from collections import namedtuple

# Send `chips` (the complete stream on air, packed) so that the first chip leaves at `at_us`; with `until_us` in a window:
# not before the one and not behind the other. `telegram` is what they carry, without link CRCs, for those who watch. The
# carrier is moved by `offset_hz`.
Transmit = namedtuple(
    "Transmit", ("mode", "direction", "chips", "at_us", "telegram", "until_us", "offset_hz")
)

# Receive this mode ("T1", "S2", ..., or "T+C") until told otherwise.
Listen = namedtuple("Listen", ("mode", "direction"))

# Hand a reading to whoever wants it.
Deliver = namedtuple("Deliver", ("reading",))

# Store this dict (strings, integers and lists of them) before any Transmit that follows it in the list. It covers so many
# transmissions within the hour, this one counted: none of them is stored by itself.
Persist = namedtuple("Persist", ("state", "covers"))

# Kind of the event with which a node answers a Transmit that it did not carry out: `code` says why ("duty_cycle",
# "persist", "radio": it broke down in the middle), `at_us` when it would be allowed (now, if only the role can tell).
REFUSED = "refused"
