"""Orders to the MAC of a burst meter: link management, clock management, what it can do (OMS Vol. 2 Annex Q.3.6, Q.3.7; LPWAN sheet
sections 13, 15, 18, 19). They go as MCMD, protected with the MAC key (KeyID 0F).

A parameter that a meter cannot do, and one that it does not know, comes back empty: the order has failed, and nothing changed.
"""

from ...errors import MisuseError, OmsError
from ...link.lpwan import blocks, values
from .order import Exchange, Order, is_number

_DAY_US = 86400000000
_ALL_N = (0, 1, 2, 3, 4)
# Words of mac-read: MBlockID.
_NAMES = {
    "link-status": blocks.LINK_STATUS,
    "fallback-status": blocks.FALLBACK_STATUS,
    "fallback-counter": blocks.FALLBACK_COUNTER,
    "clock": blocks.CLOCK,
    "uplink": blocks.UPLINK,
    "downlink": blocks.DOWNLINK,
    "supported": blocks.SUPPORTED,
    "release": blocks.RELEASE,
    "resume-delay": blocks.RESUME_DELAY,
    "capability": blocks.CAPABILITY,
    "interval": blocks.INTERVAL,
}
_LINK_WORDS = "UL-B4, 7/8 1/2 1/3 multi, -3 to -12 (dB), n=0,2,4; DL-B3, downlink-multi; temporary"
_STANDARD = ("supported", "release", "capability", "link-status", "fallback-status")


class MacRead(Order):
    """mac-read [NAME...]: what the MAC says of itself."""

    def _plan(self, known):
        names = self.words[1:] or _STANDARD
        unknown = [name for name in names if name not in _NAMES]
        if unknown:
            hint = "one of: " + ", ".join(sorted(_NAMES))
            raise MisuseError("no MBlock is called " + unknown[0], None, hint)
        self._ask([blocks.get(_NAMES[name]) for name in names])

    def _ask(self, asked):
        self.state["blocks"] = blocks.build(asked).hex()

    def _exchange(self, wall_us):
        return Exchange("MCMD", None, bytes.fromhex(self.state["blocks"]))

    def heard(self, heard, wall_us):
        """heard: kind "MRSP" with the MBlocks as `telegram`, or "MERR"."""
        if not self._asked():
            return self.outcome
        if heard.kind != "MRSP":
            reason = "the meter takes no such MAC command (MERR): another MAC key, or no MAC services"
            return self._unknown(reason) if self.once else self._fail(reason)
        found = {one.id: one.value for one in heard.telegram}
        result = {}
        for one in blocks.parse(bytes.fromhex(self.state["blocks"])):
            name = blocks.row(one.id).name
            value = found.get(one.id, b"")
            if not value or (one.value and value != one.value):
                return self._fail(
                    "the meter did not take: " + name if one.value else "the meter does not know its " + name
                )
            result[name] = plain(one.id, value)
        return self._done(result)


class MacLink(MacRead):
    """mac-link WORD...: uplink sub-mode ("UL-B4", "UL-B1+B2"), coding ("7/8", "1/2", "1/3", "multi"), power reduction ("-6"
    dB), allowed sub-carriers ("n=0,2,4"); downlink sub-mode ("DL-B4"), "downlink-multi". "temporary": until the session ends."""

    def _plan(self, known):
        uplink = coding = downlink = None
        reduction, carriers, multi, temporary = 0, None, 0, 0
        for word in self.words[1:]:
            if word[:3] == "UL-":
                uplink = word
            elif word[:3] == "DL-":
                downlink = word
            elif word in values.CODINGS:
                coding = word
            elif word[:2] == "n=":
                if [1 for n in word[2:].split(",") if not is_number(n)]:
                    raise MisuseError("no sub-carriers: " + word, None, _LINK_WORDS)
                carriers = tuple([int(n) for n in word[2:].split(",")])
            elif word[:1] == "-" and is_number(word[1:]) and int(word) % 3 == 0:
                reduction = -int(word) // 3
            elif word == "downlink-multi":
                multi = 1
            elif word == "temporary":
                temporary = 1
            else:
                raise MisuseError("mac-link does not know " + word, None, _LINK_WORDS)
        asked = []
        if uplink:
            carriers = carriers or ((2,) if uplink == "UL-B4" else _ALL_N)
            up = values.Uplink(temporary, reduction, uplink, carriers, coding or "7/8")
            asked.append(values.encode(blocks.UPLINK, up))
        if downlink:
            asked.append(values.encode(blocks.DOWNLINK, values.Downlink(temporary, multi, downlink)))
        if not asked:
            raise MisuseError("mac-link needs a sub-mode", None, "such as UL-B4 1/2, or DL-B3")
        if not uplink and (coding or reduction or carriers):
            raise MisuseError(
                "coding, power and n are set with the uplink sub-mode", None, "such as UL-B4 1/2"
            )
        if multi and not downlink:
            raise MisuseError("downlink-multi is set with the downlink sub-mode", None, "such as DL-B3")
        self._ask(asked)


class MacSet(MacRead):
    """mac-session MINUTES (an uplink of its own accord then), mac-resume SECONDS, mac-fallback ACCESSES [temporary]."""

    def _plan(self, known):
        words = self.words[1:]
        if not words or not is_number(words[0]):
            raise MisuseError("{} needs a number".format(self.words[0]))
        if words[1:] not in ([], ["temporary"] if self.words[0] == "mac-fallback" else []):
            raise MisuseError("{} does not know {}".format(self.words[0], " ".join(words[1:])))
        number = int(words[0])
        if self.words[0] == "mac-session":
            one = values.encode(blocks.SESSION_REQUEST, number)
        elif self.words[0] == "mac-resume":
            one = values.encode(blocks.RESUME_DELAY, number)
        else:
            counter = values.FallbackCounter(int("temporary" in words), number)
            one = values.encode(blocks.FALLBACK_COUNTER, counter)
        self._ask([one])


class MacRenew(MacRead):
    """mac-renew [MDERCOUNTER]: another derived key; the meter's own counters begin at 0 again (Q.3.4.3.1). Without a number: the
    next one. 255 is the last."""

    def _plan(self, known):
        words = self.words[1:]
        if len(words) > 1 or (words and not (is_number(words[0]) and 0 < int(words[0]) <= 255)):
            raise MisuseError("mac-renew takes an MDerCounter, 1 to 255")
        self._ask([])

    def _exchange(self, wall_us):
        wanted = int(self.words[1]) if len(self.words) > 1 else 0
        return Exchange("MCMD", wanted, b"")


class MacClock(MacRead):
    """mac-clock [SECONDS]: the meter's clock moved by so many seconds, or to the time of day (UTC); 60 s at most."""

    @property
    def timed(self):
        return "blocks" not in self.state

    @property
    def once(self):
        return not self.timed

    def _plan(self, known):
        if len(self.words) > 2:
            raise MisuseError("mac-clock takes one number of seconds")
        if len(self.words) > 1:
            try:
                self._ask([values.encode(blocks.CLOCK, int(self.words[1]))])
            except ValueError:
                raise MisuseError("{} is no number of seconds".format(self.words[1]))

    def _exchange(self, wall_us):
        if not self.timed:
            return super()._exchange(wall_us)
        if wall_us is None:
            self._fail("nobody knows what time it is")
            return None
        seconds = wall_us % _DAY_US // 1000000
        one = values.encode(blocks.CLOCK, values.Time(seconds // 3600, seconds // 60 % 60, seconds % 60))
        self.state["told"] = blocks.build([one]).hex()
        return Exchange("MCMD", None, bytes.fromhex(self.state["told"]))

    def heard(self, heard, wall_us):
        if self.timed and "told" in self.state:
            self.state["blocks"] = self.state.pop("told")
        return super().heard(heard, wall_us)


def plain(block_id, value):
    """What an MBlock says, as plain data; its bytes where nobody can read them."""
    try:
        meaning = values.decode(block_id, value)
    except OmsError:
        meaning = bytes(value)
    if isinstance(meaning, bytes):
        return meaning.hex().upper()
    if hasattr(meaning, "_fields") or isinstance(meaning, tuple):
        return _fields(meaning)
    return meaning


def _fields(meaning):
    names = _FIELDS.get(type(meaning).__name__) if hasattr(type(meaning), "__name__") else None
    plain = [list(one) if isinstance(one, tuple) else one for one in meaning]
    return dict(zip(names, plain)) if names else plain  # noqa: B905  (MicroPython's zip has no strict)


_FIELDS = {
    "LinkStatus": ("reduction", "margin", "corrected"),
    "FallbackStatus": ("next", "counter"),
    "FallbackCounter": ("temporary", "value"),
    "Time": ("hour", "minute", "second"),
    "Uplink": ("temporary", "reduction", "sub_mode", "carriers", "coding"),
    "Downlink": ("temporary", "multi", "sub_mode"),
    "Capability": ("uplinks", "dual", "downlinks", "codings", "multi"),
}
