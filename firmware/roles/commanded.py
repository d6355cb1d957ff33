"""What a meter does with the commands and requests that reach it, and what it says to them; when, is not
decided here but in window_meter.py.

Sheets en13757-7-security 3.3, 10.1, 11 and oms-requirements 10.1, 14.4, 14.5. SND-UD is acknowledged and its
result fetched with REQ-UD2, SND-UD2 is answered with it. Commands are protected with the meter's own profile,
A, B or D; whatever is not gets an application error in clear and changes nothing. What a command changes is
stored before it is answered; if that fails, nothing has changed and there is no answer.

Inferred: in profile A no key is changed, since nobody could tell an old command from a new one. Secured
application data have a counter of their own and are taken.
"""

from collections import namedtuple

from ..application import error_codes
from ..application import sitp_blocks as sitp
from ..errors import MisuseError, OmsError, StoreError
from ..portable import const
from ..security.counters import MessageCounter
from ..transport import authentication, ci, protection
from .actions import Deliver
from .answers import ANSWER_CI, Answers, Response
from .asked import Asked, take
from .key_holder import MASTER, KeyHolder
from .meter import BLOCK

RESPONSE_US = 255000000  # a response is kept so long behind the last command (oms-requirements 10.1)
_MICRO = const(1000000)
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


class CommandedMeter(Answers):
    """profile: roles.meter.Profile of security mode 5, 7 or 10; its key is replaced by the active master key.
    entropy: as for a Meter. keys, storage_key: see KeyHolder. device: None, or the application above it
    (roles/device.py). What secured commands ask for comes out as Deliver(Executed) too. state: what the last
    Persist held.

    More counters: executed, rolled_back, `error.<code>` (two hex digits).
    """

    response_us = RESPONSE_US
    secured_ci = (sitp.COMMAND,)

    def __init__(self, profile, entropy, keys, storage_key, device=None, state=None):
        if profile.security_mode not in (5, 7, 10):
            raise MisuseError("commands are taken in profiles A, B and D only")
        self.keys = KeyHolder(keys, storage_key, state and state.get("keys"))
        super().__init__(profile, entropy, state)
        self.device = device
        profile.key = self.keys.key(MASTER)
        # Of the other communication keys, those that were used: one partner, one counter (sheet 10.1).
        self._others = {}
        if state is not None:
            self._restore_counters(state)
        self._named = False  # KI flag: answers name the key version
        self._response = None  # None is the standard response
        self._response_until_us = 0
        self._alarm = None  # alarm data that are being told
        self._fragments = None
        self._before = None  # to go back to if storing fails
        self._now_us = 0

    def _restore_counters(self, state):
        """StoreError if one is missing or is none: it would begin again, and use its keys twice."""
        try:
            for key_id, stored in state["counters"]:
                if not isinstance(key_id, int) or stored is None:
                    raise ValueError
                self._others[key_id] = MessageCounter(stored)
            if self.message_counter and state["message_counter"] is None:
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise StoreError(
                "the message counters in the stored state cannot be read",
                hint="bring the state back, or store counters above all that were sent",
            )

    def _present(self, now_us, wall_us):
        """Before anything else at each event: what time it is. Returns UTC as the device knows it, or
        None."""
        self._now_us = now_us
        self._before = None
        if self.device is None:
            return wall_us
        values = []
        for index, register in enumerate(self.profile.registers):
            values.append(self._values[index] // _MICRO if isinstance(register.value, int) else None)
        self.device.at(now_us, wall_us, values)
        time_us = self.device.clock_us(now_us)
        return wall_us if time_us is None else time_us

    def _asked(self, event, now_us, counted=True):
        """The frame, if it is whole and for this meter, as Asked; None is counted."""
        asked = take(event, self.profile, now_us)
        if asked is None and counted:
            self._count("ignored")
        return asked

    def _answer_to(self, asked, wall_us):
        """(actions that come before the answer, telegram or None) for what was Asked."""
        self._alarm = None
        if asked.kind is None:
            return [], self._refuse(asked)
        if asked.end_us > self._response_until_us:
            self._response = None
        actions = []
        if asked.kind == "SND-UD" and asked.afl and asked.afl.fragmented():
            joined = self._join(asked)
            if joined is None:
                return [], self._acknowledge(asked, False)
            asked = joined
        if asked.kind in ("SND-UD", "SND-UD2"):
            actions = self._command(asked)
        alarm = self.device.alarm() if self.device and asked.kind == "REQ-UD1" else None
        if alarm:
            self._alarm = alarm[1]
        if asked.kind == "SND-UD" or (asked.kind == "REQ-UD1" and alarm is None):
            return actions, self._acknowledge(asked)
        told = self._answer(asked, wall_us, alarm)
        if told is None:
            return actions, None
        telegram, persist = told
        if persist and not actions:
            actions = [persist]
        return actions, telegram

    def _told(self):
        """An answer was sent: the alarm that it told is over."""
        if self._alarm and self.device:
            self.device.alarm_sent(self._alarm)
        self._alarm = None

    def _join(self, asked):
        """The command whose last fragment came (sheet oms-requirements 14.7); None while some are
        outstanding."""
        from ..transport import fragmentation, header

        if self._fragments is None:
            self._fragments = fragmentation.Reassembly(1)
        piece = asked.raw[asked.afl.payload_offset :]
        try:
            found = self._fragments.add(asked.link.address.link_bytes(), asked.afl, piece, self._now_us)
            if found is None:
                return None
            afl, message = found
            tpl = header.parse(message, 0)
        except OmsError:
            return asked  # it is refused as what it is
        afl.fragment_id, afl.more = 0, False
        return Asked(asked.kind, message, asked.link, afl, tpl, asked.number, asked.at_us, asked.end_us)

    def _command(self, asked):
        """Execute it, or note the error to be told: actions that come before the answer."""
        self._response_until_us = asked.end_us + self.response_us
        code, opened = self._open(asked.raw, asked.tpl, asked.afl)
        if code is not None:
            self._fail(code)
            return []
        self._before = self._snapshot()
        self.keys.reset = False  # of an earlier command: the counter restarts once for each new master key
        if opened.counter is not None:
            self._counter(opened.key_id).raise_to(opened.counter)
        self._named = opened.key_version is not None
        effects = self._execute(asked.tpl, opened)
        if self.keys.reset:
            self.message_counter = MessageCounter()
        self.profile.key = self.keys.key(MASTER)
        jobs = []
        if self.device:
            jobs = self.device.take_jobs()
            self._take_changes()
        # Before the answer, which takes the next value of the counter.
        actions = [self._persist(BLOCK, BLOCK)]
        self._covered = BLOCK - 1
        return actions + [Deliver(Executed(*effect)) for effect in effects] + [Deliver(job) for job in jobs]

    def _take_changes(self):
        for place, value in self.device.take_changes():
            if isinstance(value, int):
                self._values[place] = value * _MICRO
            else:
                self.profile.registers[place].value = value

    def _open(self, raw, tpl, afl):
        """(application error, None) or (None, Opened) of an authentic new command (security sheet 11,
        11.1)."""
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
        # An application reset says nothing.
        hidden = opened.encrypted_bytes or (own != 5 and not opened.payload)
        if not hidden or not (opened.authenticated or own == 5):
            return error_codes.TOO_WEAK, None
        if own != 5 and opened.counter <= self._counter(opened.key_id).value:
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
        data = opened.payload[2 if tpl.mode in (5, 7) else 0 : len(opened.payload) - opened.padding]
        if tpl.ci in self.secured_ci:
            return self._secured(data, opened)
        if self.device is None:
            self._fail(error_codes.CI_NOT_IMPLEMENTED)
            return []
        told = self.device.plain(tpl.ci, data, self._now_us)
        if told.code is not None:
            self._fail(told.code)
        else:
            self._count("executed")
            self._response = Response(None, told.ci, told.data, 0, opened.key_id, self._now_us + told.busy_us)
        return []

    def _secured(self, data, opened):
        try:
            blocks = sitp.read(data)
        except OmsError:
            self._fail(_MESSAGE_STRUCTURE)
            return []
        if self.profile.security_mode == 5 and [True for one in blocks if one.function != sitp.SECURED]:
            self._fail(error_codes.TOO_WEAK)
            return []
        before = self.device.snapshot() if self.device else None
        answers, effects = self.keys.execute(blocks, self._respond)
        failed = [one for one in answers if one.structure == sitp.STATUS and one.content[0] != sitp.OK]
        if not failed:
            self._count("executed")
        elif self.device:
            self.device.rollback(before)
        status = error_codes.STATUS if failed else 0
        self._response = Response(None, ANSWER_CI, sitp.build(answers), status, opened.key_id)
        return effects

    def _respond(self, key_id, protocol, apdu):
        if self.device is None:
            return error_codes.NO_FUNCTION, b""
        return self.device.respond(key_id, protocol, apdu)

    def _fail(self, code):
        self._response = Response(code)
        self._count("error.{:02X}".format(code))

    # --- what is stored ---

    def _persist(self, ahead, covers):
        persist = super()._persist(ahead, covers)
        persist.state["keys"] = self.keys.export()
        persist.state["counters"] = [[key_id, one.reserve(ahead)] for key_id, one in self._others.items()]
        if self.device:
            persist.state["device"] = self.device.export()
        return persist

    def _snapshot(self):
        others = {key_id: one.value for key_id, one in self._others.items()}
        master = self.message_counter
        device = self.device.snapshot() if self.device else None
        constants = [one.value for one in self.profile.registers]
        values = (list(self._values), constants, device)
        return (
            self.keys.snapshot(),
            master,
            master and master.value,
            others,
            self._response,
            self._named,
            values,
        )

    def _rollback(self):
        """Nothing was stored: no command was executed, and its answer will not go out, nor a fragment of
        it."""
        self._parts = None
        if self._before is None:
            return
        keys, self.message_counter, value, others, self._response, self._named, values = self._before
        self._before = None
        if self.message_counter:
            self.message_counter.value = value
        for key_id, one in self._others.items():
            one.value = others.get(key_id, 0)
        self._values, constants, device = values
        for place, value in enumerate(constants):
            self.profile.registers[place].value = value
        if self.device:
            self.device.rollback(device)
        self.keys.rollback(keys)
        self.profile.key = self.keys.key(MASTER)
        self._count("rolled_back")
