"""Orders in a secured container: SITP, application data with a CMAC (ASP10) under the KeyID of their purpose (sheets
en13757-7-security 10.2, 10.3, oms-requirements 14.9, 14.10, 14.13).

The key counter is asked for first (BCF 09), so nothing of it has to be kept here; and where an answer was lost it tells
whether the command was executed. A meter that does not tell its counters gets the time in seconds since 1970: it rises.
Inferred: that such a meter takes any counter above its own, and that a counter which has not risen means not executed.
"""

from ...application import commands, error_codes, record, sitp
from ...application import sitp_blocks as blocks
from ...application.valve import ALONE, BUILT_IN, BY_ITSELF
from ...errors import MisuseError, OmsError
from .data import confirmed, match, understand
from .order import Exchange, Order, body, plain_record

SITP_CI = 0xC3
ANSWER_CI = (blocks.ANSWER_SHORT, blocks.ANSWER_LONG)
_LAST = 0xFFFFFFFF  # key counter
_ERROR = 2  # application bits of the status byte
_MBUS = 1

# First bytes of a VIB: KeyID that changing it needs (UC-03, 06, 12, 14, 20).
_KEY_IDS = {
    b"\xfd\x1f": 0x20,
    b"\xfd\x17": 0x24,
    b"\xfd\x97": 0x24,
    b"\xfd\xfd": 0x25,
    b"\xfd\x11": 0x26,
    b"\xec\x7e": 0x26,
    b"\x6c": 0x26,
    b"\xfd\x9f": 0x1F,
}
_OTHERS = 0x27  # adapter: its address, its index
_CONTROL, _PHYSICAL = b"\xfd\x1f", b"\xfd\x1a"  # VIB of DC1!, DC2!
_BECOMES = {"close": (0,), "open": (1, 2), "release": (1, 2)}  # DC1! behind a command (UC-03)
_VALVE = {"close": 0, "open": 1, "release": 2}


class Secured(Order):
    """What a container carries: subclasses say its KeyID (state "key_id"), `protocol` and `_apdu`."""

    protocol = _MBUS

    def _need(self, key_id):
        self.state["key_id"] = key_id
        self._key()

    def _key(self, version=None):
        """(version, Key); MisuseError if there is none."""
        key_id = self.state["key_id"]
        found = self.keys(key_id, version) if self.keys else None
        if found is None:
            raise MisuseError(
                "no key with KeyID {:02X} for this meter".format(key_id),
                None,
                "such a command comes from whoever holds this application key: add it to the key store",
            )
        return found

    def _exchange(self, wall_us):
        if self.state.get("counter") is None:
            block = blocks.block(blocks.KEY_COUNTERS, blocks.EMPTY, blocks.UNUSED, blocks.UNUSED)
            return Exchange("SND-UD2", SITP_CI, blocks.build([block]))
        try:
            version, key = self._key(self.state.get("version"))
        except MisuseError as error:
            self._fail(error.message)
            return None
        apdu = self._apdu(wall_us)
        if apdu is None:
            return None
        self.state["version"] = version
        secured = blocks.Secured(self.state["counter"], blocks.AT_ONCE, self.protocol, apdu)
        content = blocks.secure(key, secured)
        block = blocks.block(blocks.SECURED, blocks.CMAC_8, self.state["key_id"], version, content)
        return Exchange("SND-UD2", SITP_CI, blocks.build([block]))

    def _answer(self, heard, wall_us):
        counter = self.state.get("counter")
        function = blocks.KEY_COUNTERS if counter is None else blocks.SECURED
        block = _found(heard.telegram, function | blocks.RESPONSE)
        if counter is None:
            return self._guess(wall_us) if block is None else self._counters(block, wall_us)
        named = (self.state["key_id"], self.state["version"])
        if block is None or (block.key_id, block.key_version) != named:
            return self._unknown("the answer is none to this command")
        return self._executed(block, heard, counter)

    def _counters(self, block, wall_us):
        """The meter told its key counters: go on with the next one."""
        if block.structure != blocks.COUNTERS:
            return self._guess(wall_us)
        try:
            rows = [row for row in blocks.read_counters(block.content) if row[0] == self.state["key_id"]]
        except OmsError:
            return self._guess(wall_us)
        if not rows:
            return self._fail("the meter has no key with KeyID {:02X}".format(self.state["key_id"]))
        _, version, last = rows[0]
        doubt = self.state.pop("doubt", None)
        if doubt is not None:
            if version != self.state["version"] or last > doubt:
                return self._unknown("no answer, and the key was changed, or used by somebody else")
            if last == doubt:
                return self._done(
                    {"status": None, "records": [], "confirmed": False, "executed": "key counter"}
                )
        if last == _LAST:
            return self._fail("the key counter is at its end: the meter needs a new key")
        # The counter of a command that was lost is used up by this one, so a copy of it is worth nothing any more.
        self.state["version"], self.state["counter"] = version, max(last + 1, doubt or 0)
        return self.outcome

    def _guess(self, wall_us):
        """The meter does not tell its counters."""
        if self.state.pop("doubt", None) is not None:
            return self._unknown("no answer, and the meter does not tell its key counters")
        seconds = 0 if wall_us is None else wall_us // 1000000
        if not 0 < seconds < _LAST:
            return self._fail("the meter does not tell its key counters, and the time is not known")
        self.state["counter"] = seconds
        return self.outcome

    def _executed(self, block, heard, counter):
        if block.structure == blocks.STATUS:
            code = block.content[0] if block.content else blocks.PARAMETER
            if code == blocks.OK and heard.status is not None and heard.status & 3 == _ERROR:
                return self._unknown("the meter reports both success and an error")
            if code == blocks.OK:
                return self._told(b"", heard)
            if code == blocks.SECURITY and not self.once and not self.state.get("again"):
                self.state["again"] = True  # somebody else has used the key meanwhile
                self.state["counter"] = None
                return self.outcome
            if code == error_codes.NO_FUNCTION and self._other():
                self.state["counter"] = None
                return self.outcome
            self.code = code
            reason = "{} (status {:02X}h)".format(sitp.status_name(code), code)
            # Of what must not come twice an earlier copy may have used the counter.
            return self._unknown(reason) if code == blocks.SECURITY and self.once else self._fail(reason)
        try:
            told = blocks.verify(self._key(self.state.get("version"))[1], block.content, block.structure)
        except OmsError as error:
            return self._unknown(error.message)
        if told.counter != counter or told.protocol != self.protocol:
            return self._unknown("the answer is to another command")
        return self._told(told.apdu, heard)

    def _other(self):
        """The meter has no such point, and has executed nothing: whether there is another way to name it."""
        return False

    def _told(self, apdu, heard):
        """It was executed; apdu: of the answer."""
        records = record.decode(apdu)[0]
        return self._done(
            {"status": heard.status, "records": [plain_record(one) for one in records], "confirmed": True}
        )

    def _error(self, code, wall_us):
        if code == error_codes.NO_FUNCTION and self.state.get("counter") is None:
            return self._guess(wall_us)
        return self._refused(code)

    def _silence(self, wall_us):
        counter = self.state.get("counter")
        if counter is not None:
            self.state["counter"] = None
            if self.once:
                self.state["doubt"] = counter
        return self.outcome


class SecuredWrite(Secured):
    """write ... --secured [KEYID]."""

    def _plan(self, known):
        words = self.words[1:]
        at = words.index("--secured")
        understand(self, known, words[:at])
        key_id = _KEY_IDS.get(bytes.fromhex(self.state["vib"])[:2], _OTHERS)
        if len(words) > at + 2:
            raise MisuseError("behind --secured stands a KeyID", None, "for instance --secured 27")
        if len(words) > at + 1:
            key_id = _number(words[at + 1])
        self._need(key_id)

    def _apdu(self, wall_us):
        return bytes.fromhex(self.state["data"])

    def _told(self, apdu, heard):
        return self._done(confirmed(self, record.decode(apdu)[0], heard.status))


def _found(telegram, function):
    """The Block of an answer that has this function and the number of ours, or None."""
    if telegram is None or telegram.tpl is None or telegram.tpl.ci not in ANSWER_CI:
        return None
    try:
        found = [one for one in blocks.read(body(telegram)) if one.function == function and not one.number]
    except OmsError:
        return None
    return found[0] if found else None


def _number(word):
    try:
        number = int(word, 16)
    except ValueError:
        number = -1
    if not 0x18 <= number <= 0x2F:
        raise MisuseError("no KeyID of an application key: " + word, None, "two hex digits, 18 to 2F")
    return number


class Valve(SecuredWrite):
    """valve open|close|release. Result: state (DC1!) as the meter confirms it, and physical (DC2!) if it tells it.

    A breaker or valve that is built into a meter is its subunit 1, one by itself is not (UC-03); a meter that does not know the one
    is asked for the other.
    """

    def _plan(self, known):
        command = _VALVE.get(self.words[1] if len(self.words) == 2 else None)
        if command is None:
            raise MisuseError("valve takes one word", None, "valve open, valve close or valve release")
        own = [one.dib for one in known if one.vib == _CONTROL and one.storage == 0]
        alone = self.meter is None or self.meter.device_type in ALONE
        self._name(own[0] if own else BY_ITSELF if alone else BUILT_IN, command)
        self.state["other"] = not own
        self._need(_KEY_IDS[_CONTROL])

    def _name(self, dib, command):
        self.state["dib"], self.state["vib"] = dib.hex(), _CONTROL.hex()
        self.state["data"] = commands.build(dib, _CONTROL, None, command).hex()

    def _other(self):
        if not self.state.pop("other", False):
            return False
        by_itself = self.state["dib"] == BY_ITSELF.hex()
        self._name(BUILT_IN if by_itself else BY_ITSELF, _VALVE[self.words[1]])
        return True

    def _told(self, apdu, heard):
        records = record.decode(apdu)[0]
        places = [match(records, bytes.fromhex(self.state["dib"]), vib) for vib in (_CONTROL, _PHYSICAL)]
        state, physical = [None if place is None else records[place].mantissa for place in places]
        if state not in (None,) + _BECOMES[self.words[1]]:
            return self._fail("the meter tells state {} (DC1!) behind it".format(state))
        return self._done(
            {
                "status": heard.status,
                "state": state,
                "physical": physical,
                "confirmed": state is not None,
            }
        )
