"""What the CI codes announce: EN 13757-7 as restated in the security sheet section 2."""

NONE, SHORT, LONG = "none", "short", "long"
UP, DOWN = "up", "down"
# What stands behind the header.
RECORDS, EMPTY, ERROR, OTHER, REFUSED = "records", "empty", "error", "other", "refused"
COMPACT, FORMAT = "compact", "format"

# One row per CI code: code, header (- none, S short, L long), direction (u up, d down, * both), content (r M-Bus
# records, c those of a compact frame, f a format frame, 0 nothing, e application error, . other data, x not for this layer). Names are in ci_names.py. A string and
# not a dict: a small device pays for it once and in one piece.
_CODES = """
50 - d .
51 - d r
52 - d .
53 L d .
54 - d .
55 L d .
56 S d .
57 S d .
5A S d r
5B L d r
5C - d .
5F L d .
60 L d .
61 S d .
62 S d .
64 L d .
65 S d .
66 - u .
67 S u .
68 L u .
69 - u f
6A S u f
6B L u f
6C L d .
6D L d .
6E S u e
6F L u e
70 - u e
71 - u .
72 L u r
73 L u c
74 S u .
75 L u .
78 - u r
79 - u c
7A S u r
7B S u c
7C L u .
7D S u .
7E L u .
7F S u .
80 L d 0
81 - * x
82 L d .
83 - d .
84 L d 0
85 L d 0
86 - * x
87 L u .
88 S u .
89 - u .
8A S u 0
8B L u 0
8C - * x
8D - * x
8E - * x
8F - * x
90 - * x
92 S d .
93 S d 0
9E S u .
9F L u .
B8 - d x
BB - d x
BD - d x
BE - d x
BF - d x
C0 L d .
C1 S u .
C2 L u .
C3 L d .
C4 S u .
C5 L u .
C6 S d .
C7 S d .
CF - * x
"""
_KIND = {"-": NONE, "S": SHORT, "L": LONG}
_DIRECTION = {"u": UP, "d": DOWN, "*": None}
_CONTENT = {"r": RECORDS, "c": COMPACT, "f": FORMAT, "0": EMPTY, "e": ERROR, ".": OTHER, "x": REFUSED}


def row(ci):
    """(kind, direction, content) of a CI code; direction is None where it goes both ways."""
    at = _CODES.find("\n{:02X} ".format(ci))
    if at >= 0:
        return _KIND[_CODES[at + 4]], _DIRECTION[_CODES[at + 6]], _CONTENT[_CODES[at + 8]]
    if ci < 0x20:
        return NONE, DOWN, OTHER  # DLMS
    return NONE, None, REFUSED
