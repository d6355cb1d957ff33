"""MElements: what a MAC frame says of the access to its sender (OMS Vol. 2 Annex Q.3.5; LPWAN sheet section 14).

Uplink UA, UB, UC, UD or UE, in this order. Bit 7 of each leads to the next one that the sub-modes in use know: UB on UL-B1
to UL-B3 only, UC for DL-B1 and DL-B2 only, UD for every downlink of the burst mode, UE for splitting. Where no downlink is
offered (DL-AC below 2) the chain ends behind UA or UB (inferred). Downlink: DA alone.
"""

from collections import namedtuple

from ...errors import MisuseError

# DL-AC; 2 to 7 are access options #1 to #6.
NO_ACCESS = 0
TEMPORARILY_NO_ACCESS = 1

# lms: 1 = sent with other parameters than the managed link state. access: DL-AC, 0..7. downlink: sub-mode of the downlink,
# "DL-B1".."DL-B4" or "DL-S1".."DL-S4", None where DL-AC is below 2. session: UL-SC, 0..3, only where DL-AC is below 2.
# uplink_n, downlink_n: sub-carriers (n0, n1, n2) of UB and UC, or None. timing: response timing option of UD 1..8 (of UE
# 1..8, where 8 stands for the default), None without them. rxm: DL-RXM code 0..15 of UD, None without it.
Up = namedtuple("Up", ("lms", "access", "downlink", "session", "uplink_n", "downlink_n", "timing", "rxm"))
# rtrm: requested t_RM, 0 none, 1 fast, 2 medium, 3 slow. acp: 1 = not the assigned partner. sc: 1 = last of the session.
Down = namedtuple("Down", ("rtrm", "acp", "sc"))

# What holds where a frame has no MElement.
ABSENT_UP = Up(0, NO_ACCESS, None, 0, None, None, None, None)
ABSENT_DOWN = Down(0, 0, 0)

_MORE = 0x80
_SPLITTING = 0x20
_CARRIERS_MOST = 124  # 4, 4, 4


def option(up):
    """Access option 1..6 of an Up, None where it offers no access."""
    return up.access - 1 if up.access >= 2 else None


def has_uplink_n(uplink):
    """Whether frames of this uplink sub-mode ("UL-B1", "UL-B1.3") know UB."""
    return uplink is not None and uplink[:5] in ("UL-B1", "UL-B2", "UL-B3")


def has_downlink_n(downlink):
    """Whether an uplink that offers this downlink sub-mode knows UC."""
    return downlink is not None and downlink[:5] in ("DL-B1", "DL-B2")


def parse_up(data, at, uplink):
    """(Up, offset behind it) of the MElements at data[at]; `uplink`: name of the sub-mode they came on.

    ReservedError if a further element is announced that nobody knows, LengthError if the data end inside.
    """
    first, at = _take(data, at)
    access = first & 7
    downlink = session = None
    if access >= 2:
        technology = "S" if first & _SPLITTING else "B"
        downlink = "DL-{}{}".format(technology, (first >> 3 & 3) + 1)
    else:
        session = first >> 3 & 3
    uplink_n = downlink_n = timing = rxm = None
    more = first & _MORE
    if more and has_uplink_n(uplink):
        more, uplink_n, at = _carriers(data, at)
    if more and has_downlink_n(downlink):
        more, downlink_n, at = _carriers(data, at)
    if more and downlink is not None:
        last, at = _take(data, at)
        more = last & _MORE
        timing = (last >> 4 & 7) + 1
        if downlink[3] == "B":
            rxm = last & 15
    if more:
        raise _reserved("no MElement is known behind this one", at)
    up = Up(first >> 6 & 1, access, downlink, session or 0, uplink_n, downlink_n, timing, rxm)
    return up, at


def build_up(up, uplink):
    """Bytes of an Up for a frame of the sub-mode `uplink`. MisuseError for what cannot be said, or not there: UD takes UC
    and UB along where they exist."""
    _check("LMS", up.lms, 1)
    _check("DL-AC", up.access, 7)
    known = []
    if has_uplink_n(uplink):
        known.append(up.uplink_n)
    elif up.uplink_n is not None:
        raise MisuseError("{} has no MElement_UB".format(uplink))
    first = up.lms << 6 | up.access
    if up.access >= 2:
        if up.session or up.downlink is None:
            raise MisuseError("an uplink that offers access names its downlink sub-mode and has no UL-SC")
        first |= _downlink(up.downlink)
        if has_downlink_n(up.downlink):
            known.append(up.downlink_n)
        elif up.downlink_n is not None:
            raise MisuseError("{} has no MElement_UC".format(up.downlink))
        known.append(_last(up))
    else:
        _check("UL-SC", up.session, 3)
        if (up.downlink, up.downlink_n, up.timing, up.rxm) != (None, None, None, None):
            raise MisuseError("without access there is no downlink to describe")
        first |= up.session << 3
    while known and known[-1] is None:
        known.pop()
    if None in known:
        raise MisuseError("UB or UC is missing in front of another MElement")
    out = [first]
    for one in known:
        out[-1] |= _MORE
        out.append(one if isinstance(one, int) else carriers(one))
    return bytes(out)


def parse_down(data, at):
    """(Down, offset behind it) of the MElement_DA at data[at]. Raises as `parse_up`."""
    first, at = _take(data, at)
    if first & _MORE:
        raise _reserved("no MElement is known behind DA", at)
    return Down(first >> 4 & 7, first >> 1 & 1, first & 1), at


def build_down(down):
    """The byte of a Down."""
    _check("RTRM", down.rtrm, 7)
    _check("ACP", down.acp, 1)
    _check("SC", down.sc, 1)
    return bytes([down.rtrm << 4 | down.acp << 1 | down.sc])


def carriers(numbers):
    """SCI of the sub-carriers (n0, n1, n2), each 0..4: n2 * 25 + n1 * 5 + n0 (formulas Q.57 to Q.60)."""
    for n in numbers:
        _check("n", n, 4)
    return numbers[2] * 25 + numbers[1] * 5 + numbers[0]


def _carriers(data, at):
    byte, at = _take(data, at)
    index = byte & 0x7F
    if index > _CARRIERS_MOST:
        raise _reserved("no sub-carriers have the index {}".format(index), at - 1)
    return byte & _MORE, (index % 5, index // 5 % 5, index // 25), at


def _downlink(name):
    """Bits DL-T and DL-SM of a sub-mode."""
    if len(name) < 5 or name[:4] not in ("DL-B", "DL-S") or name[4] not in "1234":
        raise MisuseError("no downlink sub-mode {}".format(name))
    return (int(name[4]) - 1) << 3 | (_SPLITTING if name[3] == "S" else 0)


def _last(up):
    """The byte of UD or UE, or None."""
    if up.timing is None:
        if up.rxm is not None:
            raise MisuseError("DL-RXM stands beside a response timing option")
        return None
    _check("response timing option", up.timing - 1, 7)
    burst = up.downlink[3] == "B"
    if burst != (up.rxm is not None):
        raise MisuseError("a downlink of the burst mode has a DL-RXM, another one has none")
    if burst:
        _check("DL-RXM", up.rxm, 15)
    return (up.timing - 1) << 4 | (up.rxm or 0)


def _take(data, at):
    if at >= len(data):
        from ...errors import LengthError

        raise LengthError("the frame ends inside its MElements", at)
    return data[at], at + 1


def _check(name, value, most):
    if not 0 <= value <= most:
        raise MisuseError("{} {} is not in 0..{}".format(name, value, most))


def _reserved(message, position):
    from ...errors import ReservedError

    return ReservedError(message, position)
