"""A meter that listens between its slots and answers commands: the receiver of mode C2, always on (B A = 11).

Link sheet 8.2, 9; sheets en13757-7-security 3.3, 10.1, 11 and oms-requirements 10.1, 14.4, 14.5. SND-UD is acknowledged and its
result fetched with REQ-UD2, SND-UD2 is answered with it. Commands are protected with the meter's own profile, B or D; whatever
is not gets an application error in clear and changes nothing. What a command changes is stored before it is answered; if that
fails, nothing has changed and there is no answer. An answer that was not heard is given again to the same access number.

Not here: windows, repetition of answers by the meter itself, fragments.
"""

from collections import namedtuple

from ..application import error_codes
from ..application import sitp_blocks as sitp
from ..errors import MisuseError, OmsError, StoreError
from ..link import control, extended, frame_a, frame_b
from ..link import telegram as link_telegram
from ..phy import modes, radio
from ..portable import const
from ..security.counters import MessageCounter
from ..transport import authentication, ci, compose, header, protection, sealing
from .actions import REFUSED, Deliver, Listen, Transmit
from .key_holder import MASTER, KeyHolder
from .meter import BLOCK, LEAD_US, Meter

MODE = "C2"
# t_RO of mode C2 by bit D of the frame that is answered (link sheet 8.2)
SLOW_US = 1000000
FAST_US = 100000
ACCESS_US = 30000000  # end of a frequent access cycle without a valid frame: 25 to 30 s (link sheet 8.3)
RESPONSE_US = 255000000  # a response is kept so long behind the last command (oms-requirements 10.1)
_ALWAYS = const(0x84)  # B and A of the ELL
_ERROR_STATUS = const(0x02)
_MESSAGE_STRUCTURE = const(0x17)
_SECURITY = const(0x20)
_ACCEPTED = (authentication.CMAC_8,)  # AT

# Application error for a message that was not opened, by the code of what was raised (sheet 11).
_ERRORS = {
    "transport": _MESSAGE_STRUCTURE,
    "padding": _MESSAGE_STRUCTURE,
    "fragment": _MESSAGE_STRUCTURE,
    "unsupported": error_codes.MECHANISM,
}

# Application data of a secured container that was executed: key_id is the one that authenticated it.
Executed = namedtuple("Executed", ("key_id", "protocol", "apdu"))


class _Response:
    """What the next RSP-UD says. code: application error, or None. ci: of the answer as (short, long). key_id: of the
    communication key."""

    def __init__(self, code=None, codes=None, data=b"", status=0, key_id=MASTER):
        self.code = code
        self.ci = codes
        self.data = data
        self.status = status
        self.key_id = key_id


_ERROR_CI = (0x6E, 0x6F)
_DATA_CI = (0x7A, 0x72)
_ACK_CI = (0x8A, 0x8B)
_ANSWER_CI = (sitp.ANSWER_SHORT, sitp.ANSWER_LONG)


class AnsweringMeter(Meter):
    """profile: roles.meter.Profile of security mode 7 or 10; its key is replaced by the active master key. entropy: as for a
    Meter. keys, storage_key: see KeyHolder. application: None, or an object with `respond(key_id, protocol, apdu)` (see
    KeyHolder.execute) for secured data and `refuse(ci, data)`, the application error for any other command. What it is to
    do comes out as Deliver(Executed). state: what the last Persist held.

    More counters: repeated, ignored (not for us, or damaged), executed, rolled_back, `error.<code>` (two hex digits).
    """

    def __init__(self, profile, entropy, keys, storage_key, application=None, state=None):
        if profile.security_mode not in (7, 10):
            raise MisuseError("commands are taken in profiles B and D only")
        self.keys = KeyHolder(keys, storage_key, state and state.get("keys"))
        super().__init__(profile, entropy, state)
        self.application = application
        profile.key = self.keys.key(MASTER)
        # Of the other communication keys, those that were used: one partner, one counter (sheet 10.1).
        self._others = {}
        if state is not None:
            self._restore_counters(state)
        self._named = False  # KI flag: answers name the key version
        self._response = None  # None is the standard response
        self._response_until_us = 0
        self._answered = None  # ((partner, access number), telegram) of the last answer
        self._answered_until_us = 0
        self._busy_until_us = None  # an answer is armed until then
        self._before = None  # to go back to if storing fails

    def _restore_counters(self, state):
        """StoreError if one is missing or is none: it would begin again, and use its keys twice."""
        try:
            for key_id, stored in state["counters"]:
                if not isinstance(key_id, int) or stored is None:
                    raise ValueError
                self._others[key_id] = MessageCounter(stored)
            if state["message_counter"] is None:
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise StoreError(
                "the message counters in the stored state cannot be read",
                hint="bring the state back, or store counters above all that were sent",
            )

    def start(self, now_us):
        """As a Meter; and listen, until the node ends."""
        return super().start(now_us) + [Listen(MODE, modes.DOWN)]

    def tick(self, now_us, wall_us=None):
        """As a Meter; a slot that meets an answer stays empty."""
        self._before = None
        if self._slot_us is not None and self._busy_until_us is not None:
            # Slots do not move.
            if self._slot_us - LEAD_US <= self._busy_until_us and now_us >= self.due_us:
                self._next_slot()
                self._grow()
                self._count("skipped")
                return []
            if now_us > self._busy_until_us:
                self._busy_until_us = None
        return super().tick(now_us, wall_us)

    def feed(self, event, now_us, wall_us=None):
        """As a Meter; a frame may be a command: what it changed is to be persisted before its answer is transmitted."""
        if event.kind == radio.FRAME:
            self._before = None
            try:
                strip = frame_b.strip if event.frame_format == "B" else frame_a.strip
                return self._frame(strip(event.frame), event.end_us or now_us, wall_us)
            except OmsError:
                self._count("ignored")
                return []
        if event.kind == REFUSED and event.code == "persist":
            self._rollback()
        if event.kind != radio.REJECTED:
            super().feed(event, now_us, wall_us)
        return []

    def telegram(self, wall_us=None):
        """As a Meter; its ELL says that it always listens."""
        out = bytearray(super().telegram(wall_us))
        if out[10] == 0x8C:
            out[11] |= _ALWAYS
        return bytes(out)

    # --- from the air ---

    def _frame(self, raw, end_us, wall_us):
        link = link_telegram.parse(raw)
        kind = control.name(link.c_field, False)
        if kind not in ("SND-NKE", "SND-UD", "SND-UD2", "REQ-UD2"):
            self._count("ignored")
            return []
        afl, at = authentication.parse_if_any(raw, link.offset)
        ours = link.ell is not None and link.ell.receiver is not None
        if ours and link.ell.receiver.link_bytes() != self.profile.address.link_bytes():
            self._count("ignored")
            return []
        tpl = None if at == len(raw) else header.parse(raw, at)
        if tpl and tpl.address:
            ours = tpl.address.tpl_bytes() == self.profile.meter_address.tpl_bytes()
        if not ours:
            self._count("ignored")
            return []
        number = link.ell.access_number if link.ell else tpl.access_number if tpl else None
        who = (link.address.link_bytes(), number)
        if end_us > self._answered_until_us:
            self._answered = None
        self._answered_until_us = end_us + ACCESS_US
        if kind == "SND-NKE" or number is None:
            self._answered = None
            return []
        if self._answered and self._answered[0] == who:
            self._count("repeated")
            return self._transmit(self._answered[1], link, end_us)
        if end_us > self._response_until_us:
            self._response = None
        actions = [] if kind == "REQ-UD2" else self._command(raw, tpl, afl, end_us)
        if kind == "SND-UD":
            telegram = self._acknowledge(link, number, tpl)
        else:
            told = self._answer(link, number, tpl, wall_us)
            if told is None:
                return []
            telegram, persist = told
            if persist and not actions:
                actions = [persist]
        self._answered = (who, telegram)
        return actions + self._transmit(telegram, link, end_us)

    def _transmit(self, telegram, link, end_us):
        fast = link.ell is not None and link.ell.cc & extended.FAST_RESPONSE
        at_us = end_us + (FAST_US if fast else SLOW_US)
        self._busy_until_us = at_us + LEAD_US
        return [Transmit(self.profile.mode, modes.UP, self._chips(telegram), at_us, telegram, None)]

    # --- commands ---

    def _command(self, raw, tpl, afl, end_us):
        """Execute it, or note the error to be told: actions that come before the answer."""
        self._response_until_us = end_us + RESPONSE_US
        code, opened = self._open(raw, tpl, afl)
        if code is not None:
            self._fail(code)
            return []
        self._before = self._snapshot()
        self.keys.reset = False  # of an earlier command: the counter restarts once for each new master key
        self._counter(opened.key_id).raise_to(opened.counter)
        self._named = opened.key_version is not None
        effects = self._execute(tpl, opened)
        if self.keys.reset:
            self.message_counter = MessageCounter()
        self.profile.key = self.keys.key(MASTER)
        # Before the answer, which takes the next value of the counter.
        actions = [self._persist(BLOCK, BLOCK)]
        self._covered = BLOCK - 1
        return actions + [Deliver(Executed(*effect)) for effect in effects]

    def _open(self, raw, tpl, afl):
        """(application error, None) or (None, Opened) of an authentic new command (security sheet 11, 11.1)."""
        own = self.profile.security_mode
        if tpl is None:
            return _MESSAGE_STRUCTURE, None
        if tpl.direction != ci.DOWN or tpl.content == ci.REFUSED:
            return error_codes.CI_NOT_IMPLEMENTED, None
        if tpl.mode not in (None, 0, 5, own):
            return error_codes.MECHANISM, None
        has_mac = afl is not None and afl.mac and afl.authentication_type()
        if (own == 7 and not has_mac) or (afl is not None and afl.fragmented()):
            return _MESSAGE_STRUCTURE, None
        if tpl.mode != own:
            return error_codes.TOO_WEAK, None
        try:
            opened = protection.open_message(
                raw, tpl, afl, self.profile.meter_address, self._key_for, _ACCEPTED
            )
        except OmsError as error:
            return _ERRORS.get(error.code, _SECURITY), None
        if not opened.authenticated or not opened.encrypted_bytes:
            return error_codes.TOO_WEAK, None
        if opened.counter <= self._counter(opened.key_id).value:
            return _SECURITY, None
        return None, opened

    def _key_for(self, _address, key_id=MASTER, version=None):
        return self.keys.key(key_id, version)

    def _counter(self, key_id):
        if key_id == MASTER:
            return self.message_counter
        return self._others.setdefault(key_id, MessageCounter())

    def _execute(self, tpl, opened):
        """Note the response to an authentic command; the effects that are to be carried out."""
        data = opened.payload[2 if tpl.mode == 7 else 0 : len(opened.payload) - opened.padding]
        if tpl.ci != sitp.COMMAND:
            application = self.application
            self._fail(application.refuse(tpl.ci, data) if application else error_codes.CI_NOT_IMPLEMENTED)
            return []
        try:
            blocks = sitp.read(data)
        except OmsError:
            self._fail(_MESSAGE_STRUCTURE)
            return []
        answers, effects = self.keys.execute(blocks, self._respond)
        failed = [one for one in answers if one.structure == sitp.STATUS and one.content[0] != sitp.OK]
        if not failed:
            self._count("executed")
        status = _ERROR_STATUS if failed else 0
        self._response = _Response(None, _ANSWER_CI, sitp.build(answers), status, opened.key_id)
        return effects

    def _respond(self, key_id, protocol, apdu):
        if self.application is None:
            return error_codes.NO_FUNCTION, b""
        return self.application.respond(key_id, protocol, apdu)

    def _fail(self, code):
        self._response = _Response(code)
        self._count("error.{:02X}".format(code))

    # --- answers ---

    def _link(self, c_field, link, number):
        """Link layers of an answer: they name the partner where he named us."""
        out = bytearray((0, c_field)) + self.profile.address.link_bytes()
        if link.ell:
            receiver = link.address if link.ell.receiver else None
            out += extended.build(_ALWAYS, number, receiver)
        return out

    def _head(self, codes, access_number, status):
        """Header of a message in clear."""
        long = self.profile.header == "long"
        address = self.profile.meter_address if long else None
        return compose.build(codes[long], access_number, status, 0, address)

    def _acknowledge(self, link, number, tpl):
        failed = self._response.code is not None or self._response.status
        out = self._link(control.ACK, link, number)
        if tpl and tpl.access_number is not None:
            out += self._head(_ACK_CI, tpl.access_number, _ERROR_STATUS if failed else 0)
        return _finished(out)

    def _answer(self, link, number, tpl, wall_us):
        """(RSP-UD, Persist or None that it needs), or None at the end of the message counter."""
        response = self._response
        access_number = number if tpl is None or tpl.access_number is None else tpl.access_number
        out = self._link(control.RSP_UD, link, number)
        if response and response.code is not None:
            out += self._head(_ERROR_CI, access_number, _ERROR_STATUS) + bytes((response.code,))
            return _finished(out), None
        if response is None:
            secret, clear = self._records(wall_us)
            response = _Response(None, _DATA_CI, secret, self.profile.status)
        else:
            secret, clear = response.data, b""
        key_id = response.key_id
        counter = self._counter(key_id)
        if not counter.take():
            self._count("exhausted")
            return None
        persist = None
        if self._covered <= 0 or not counter.covered():
            persist = self._persist(BLOCK, BLOCK)
            self._covered = BLOCK - 1
        version = self.keys.active(key_id) if self._named else None
        security = sealing.Security(
            self.profile.security_mode, self.keys.key(key_id), counter.value, key_id, version
        )
        security.padded = response.ci is _ANSWER_CI and sitp.padded(secret)
        long = self.profile.header == "long"
        afl, message = sealing.seal(
            security,
            response.ci[long],
            self.profile.meter_address,
            access_number,
            response.status,
            secret,
            clear,
            long,
        )
        out += (authentication.build(afl) if afl else b"") + message
        return _finished(out), persist

    # --- what is stored ---

    def _persist(self, ahead, covers):
        persist = super()._persist(ahead, covers)
        persist.state["keys"] = self.keys.export()
        persist.state["counters"] = [[key_id, one.reserve(ahead)] for key_id, one in self._others.items()]
        return persist

    def _snapshot(self):
        others = {key_id: one.value for key_id, one in self._others.items()}
        master = self.message_counter
        return self.keys.snapshot(), master, master.value, others, self._response, self._named

    def _rollback(self):
        """Nothing was stored: no command was executed, and its answer will not go out."""
        self._answered = self._busy_until_us = None
        if self._before is None:
            return
        keys, self.message_counter, value, others, self._response, self._named = self._before
        self._before = None
        self.message_counter.value = value
        for key_id, one in self._others.items():
            one.value = others.get(key_id, 0)
        self.keys.rollback(keys)
        self.profile.key = self.keys.key(MASTER)
        self._count("rolled_back")


def _finished(telegram):
    telegram[0] = len(telegram) - 1
    return bytes(telegram)
