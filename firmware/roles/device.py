"""What a meter does with commands, above the transport layer: the application of a CommandedMeter (OMS Vol.2 8.2.5, 8.10, Annex
M; sheets oms-requirements 10, 14, en13757-3-application 8).

How the meter uses it, with everything here in the order of one event:

    device.at(now_us, wall_us, values)          first, at every event and tick; values: present mantissas of the registers
                                                of its profile (None where they are no numbers), which are the first of ours
    before = device.snapshot()
    told = device.plain(ci, data, now_us)       a command out of a protected message, or
    status, apdu = device.respond(...)          for KeyHolder.execute; if a block of the message failed: rollback(before)
    for place, value in device.take_changes():  registers of the profile that have changed by it: the meter's own values
    for job in device.take_jobs():              of the image transfer, to be delivered (application/image_meter.py)
    store device.export(); device.rollback(before) if that fails
    device.response()                           what a REQ-UD2 gets where no command or error response is held
    device.alarm(), device.alarm_sent()         for REQ-UD1, and when its answer was transmitted
    device.clock_us(now_us)                     instead of the wall clock for registers that are CLOCK

Inferred: alarm data behind CI 74 and 75 are one byte of eight bits; the physical state of a valve that is released is closed.
"""

from collections import namedtuple

from ..application import clock as clocks
from ..application import commands, error_codes
from ..application import sitp_blocks as sitp
from ..application import valve as valves
from ..errors import ApplicationError, OmsError, StoreError
from .selection import Selection

CLOCK = "clock"  # value of a Register: the device's own time
_CLOCK_KEYS = {0: 0x22, 1: 0x21, 2: 0x21, 3: 0x21}  # TC: KeyID (UC-04); 22 for the others

# code: application error, or None. ci: (short, long) CI of the response, or None: none of its own, the standard or selected
# response follows, and whatever response was held is dropped. data: its application bytes, to be protected. busy_us: executing
# goes on for so long, and until then the status byte says busy (01); 0 where it is done.
Told = namedtuple("Told", ("code", "ci", "data", "busy_us"))

_DATA_CI = (0x7A, 0x72)
_ALARM_CI = (0x74, 0x75)
_IMAGE_CI = (0xC1, 0xC2)
_FILLER = b"\x2f"  # an empty response
_SELECTION = b"\xfd\xfd\x00"  # VIB of MM6!
_TEST_VIB = b"\xfd\x9f\x1d"  # of CT1!
_MBUS, _CLOCK, _IMAGE = 1, 4, 6  # protocols of secured application data
_SET_KEY, _IMAGE_KEY = 0x22, 0x23
_ABNORMAL = 3
_CONTAINER_BYTES = 26  # block header, key counter, target time, protocol, MAC (DSI 32)
_MICRO = 1000000


class Device:
    """registers: list of commands.Register, those of the meter's profile first and in its order; `secured` of one is the KeyID
    that may change it (True: any). applications: {number: tuple of blocks, each a tuple of places of registers} for
    application select. clock_allowed: whom the clock obeys (clock.GATEWAY, HEAD_END, both; 0: there is no such protocol).
    clock_s: device time at the first start in seconds since 1970; None: as the wall clock says when it is first known.
    valve: (type of application/valve.py, place of DC1!, place of DC2! or None) or None. limit_bytes: of a response. busy_us: how long it takes to execute a plain command. image: image_meter.Meter or None.
    state: what `export` gave; StoreError if it cannot be read.
    """

    def __init__(
        self,
        registers,
        applications=None,
        clock_allowed=clocks.GATEWAY | clocks.HEAD_END,
        clock_s=None,
        valve=None,
        limit_bytes=190,
        busy_us=0,
        image=None,
        state=None,
    ):
        self.registers = registers
        self.clock_allowed = clock_allowed
        self.valve = valve
        self.limit_bytes = limit_bytes
        self.busy_us = busy_us
        self.image = image
        self.alarms = 0
        self.clock = None
        self._clock_s = clock_s
        self._dated = [place for place in range(len(registers)) if isinstance(registers[place].value, str)]
        self._bound = 0  # registers that are the profile's
        self._now_us = 0
        self.selection = Selection(applications or {})
        self._changes = []
        self._jobs = []
        self._stored = {}  # what `at` is to go on with
        self._wall_us = None
        if valve is not None:
            registers[valve[1]].becomes = valves.rule(valve[0])
        found = [place for place in range(len(registers)) if registers[place].vib == _SELECTION]
        self._mm6 = found[0] if found else None  # its place
        if state is not None:
            self._restore(state)

    # --- doors ---

    def at(self, now_us, wall_us=None, values=()):
        """The present, before anything else at each event. wall_us: UTC in microseconds since 1970, or None."""
        self._now_us = now_us
        self._wall_us = wall_us
        self._bound = len(values)
        for place, value in enumerate(values):
            if value is not None and place not in self._dated:
                self.registers[place].value = value
        if self.clock is None:
            stored = self._stored.pop("clock", None)
            seconds = self._clock_s if self._clock_s is not None else wall_us and wall_us // 1000000
            if stored is not None:
                self.clock = clocks.restore(stored, now_us, wall_us)
            elif seconds is not None:
                self.clock = clocks.start(seconds, now_us)
        if "image" in self._stored:
            self._image_actions(self.image.restart(self._stored.pop("image"), now_us))
        if self.selection.expire(now_us):
            self._tell_selected()

    def clock_us(self, now_us):
        """The device's own time in microseconds since 1970; None while it has none, or none that a record can tell."""
        if self.clock is None:
            return None
        time_us = clocks.device_us(self.clock, now_us)
        return time_us if clocks.FIRST_S <= time_us // _MICRO < clocks.END_S else None

    def plain(self, ci, data, now_us, wall_us=None):
        """Execute a command of a protected message that is no SITP. ci: CI of the header. data: application bytes. Returns Told;
        with an error nothing has changed."""
        self._now_us = now_us
        handler = _PLAIN.get(ci)
        if handler is None:
            return Told(error_codes.CI_NOT_IMPLEMENTED, None, b"", 0)
        return handler(self, bytes(data))

    def respond(self, key_id, protocol, apdu):
        """Execute secured application data. Returns (status, APDU of the answer); an APDU of None is answered by the status
        alone. For KeyHolder.execute: with another status than 0 nothing has changed."""
        if protocol == _CLOCK:
            return self._adjust(bytes(apdu), clocks.HEAD_END, key_id), None
        if protocol == _IMAGE and self.image:
            if key_id != _IMAGE_KEY:
                return error_codes.TOO_WEAK, b""
            code, body = self._image_actions(self.image.feed(apdu, self._now_us, True))
            return (sitp.OK, body) if code is None else (code, b"")
        if protocol != _MBUS:
            return error_codes.NO_FUNCTION, b""
        code, answers = self._execute(bytes(apdu), key_id)
        # Status 00h would be success, so an unspecified error has another one.
        return (sitp.OK, b"".join(answers)) if code is None else (code or sitp.PARAMETER, b"")

    def response(self):
        """The records of the selected application, or None: the standard response, which the meter makes."""
        places = self.selection.places()
        if not places:
            return None
        self._date()
        return b"".join([self.registers[place].record(self.registers[place].value) for place in places])

    @property
    def status(self):
        """Bits of the status byte of what is no reaction to a command: an alarm is waiting."""
        return _ABNORMAL if self.alarms else 0

    def raise_alarm(self, bits):
        """Set alarm bits (0 to FF); they stay until they were transmitted."""
        self.alarms |= bits & 0xFF

    def alarm(self):
        """What answers a REQ-UD1: ((short, long) CI, data), or None: no alarm, and an ACK."""
        return (_ALARM_CI, bytes((self.alarms,))) if self.alarms else None

    def alarm_sent(self, data):
        """The alarm data were transmitted, which clears them; one that came since then stays."""
        self.alarms &= ~data[0]

    # --- commands ---

    def _records(self, data):
        code, answers = self._execute(data, False)
        if code is not None:
            return Told(code, None, b"", 0)
        return Told(None, _DATA_CI, b"".join(answers) or _FILLER, self.busy_us)

    def _execute(self, data, secured):
        """(application error or None, answer records) of command records; carries them out. secured: KeyID or False."""
        found, code = commands.parse(data)
        if code is not None:
            return code, ()
        if [True for one in found if one.vib == _TEST_VIB]:
            return self._test(found, secured)
        if not self._lists_allowed(found, secured):
            return error_codes.TOO_WEAK, ()
        self._date()
        readout, offered = self.selection.readout, self.selection.first_blocks()
        room = self.limit_bytes - (_CONTAINER_BYTES if secured else 0)
        result = commands.execute(found, self.registers, readout, secured, room, offered)
        if result.error is not None:
            return result.error, ()
        for place, value in result.writes.items():
            self._set(place, value)
        self.selection.listed(result.readout, self._now_us)
        answers = result.answers
        if self.valve is not None and self.valve[1] in result.writes:
            before, after = self._move()
            answers = tuple([one for one in answers if one != before]) + after
        return None, answers

    def _test(self, found, secured):
        """UC-00: alone in its telegram."""
        from ..application import conformance

        if len(found) > 1:
            return error_codes.TOO_MANY_RECORDS, ()
        if secured not in (False, conformance.KEY):
            return error_codes.TOO_WEAK, ()
        room = self.limit_bytes - (_CONTAINER_BYTES if secured else 0)
        code, record = conformance.answer(found[0].dib, found[0].data, room)
        return code, (record,)

    def _lists_allowed(self, found, secured):
        """The readout list belongs to the data selection (UC-14), and is changed under its key."""
        if self._mm6 is None or not [True for one in found if one.action in ("arl", "drl")]:
            return True
        needed = self.registers[self._mm6].secured
        return not needed or (secured and needed in (True, secured))

    def _set(self, place, value):
        self.registers[place].value = value
        if place < self._bound:
            self._changes.append((place, value))

    def _move(self):
        """The valve follows its control state. Returns (record of its physical state before, (record of it now,)), if it tells it."""
        _, control, state = self.valve
        if state is None:
            return None, ()
        register = self.registers[state]
        before = register.record(register.value)
        self._set(state, valves.physical(self.registers[control].value))
        return before, (register.record(register.value),)

    def by_hand(self):
        """Somebody opens a manual valve that was released; returns whether that could be."""
        kind, control, _ = self.valve
        state = valves.TABLE.get((kind, self.registers[control].value, valves.HAND))
        if state is None:
            return False
        self._set(control, state)
        self._move()
        return True

    def _choose(self, data):
        try:
            self.selection.choose(data)
        except ApplicationError:
            return Told(error_codes.PARAMETER, None, b"", 0)
        self._tell_selected()
        return Told(None, None, b"", 0)

    def _tell_selected(self):
        """MM6! tells the selection that holds, as far as one byte can."""
        byte = self.selection.byte()
        if self._mm6 is not None and byte is not None:
            self._set(self._mm6, byte)

    def _image(self, data):
        if self.image is None:
            return Told(error_codes.CI_NOT_IMPLEMENTED, None, b"", 0)
        code, body = self._image_actions(self.image.feed(data, self._now_us))
        return Told(code, None if code is not None else _IMAGE_CI, body, 0)

    def _image_actions(self, actions):
        """(application error or None, answer) of what the image transfer wants; the rest are jobs for others."""
        code, body = None, b""
        for action in actions:
            if action[0] == "error":
                code = action[1]
            elif action[0] == "respond":
                body = action[1]
            elif action[0] != "persist":
                self._jobs.append(action)
        return code, body

    def image_event(self, event, now_us):
        """What became of a job of the image transfer, see image_meter.Meter.event; store afterwards."""
        self._image_actions(self.image.event(event, now_us))

    @property
    def due_us(self):
        """When `tick` is to be called: the image transfer has time-outs. Or None."""
        return self.image.due_us if self.image else None

    def tick(self, now_us):
        """Time has passed; look at take_jobs, and store if there are some."""
        if self.image:
            self._image_actions(self.image.tick(now_us))

    def _date(self):
        """The registers that tell the time tell the present one."""
        time_us = self.clock_us(self._now_us)
        for place in self._dated:
            self.registers[place].value = _dated(self.registers[place].dib[0] & 0x0F, time_us)

    def _synchronise(self, data):
        return Told(self._adjust(data, clocks.GATEWAY), None, b"", 0)

    def _adjust(self, data, sender, key_id=None):
        """The application error of a clock command, or None; 0 if it came secured."""
        if not self.clock_allowed:
            return error_codes.CI_NOT_IMPLEMENTED
        try:
            request = clocks.parse(data)
        except ApplicationError:
            return error_codes.PARAMETER
        if key_id is not None and key_id != _CLOCK_KEYS.get(request.tc, _SET_KEY):
            return error_codes.TOO_WEAK
        if self.clock is None and request.tc != clocks.SET:
            return error_codes.NO_DATA
        clock = self.clock or clocks.start(0, self._now_us)
        clock, code = clocks.apply(request, clock, self._now_us, sender, self.clock_allowed)
        if code is None:
            self.clock = clock
        return sitp.OK if code is None and key_id is not None else code

    # --- all or nothing ---

    def snapshot(self):
        """What `rollback` takes."""
        values = [one.value for one in self.registers]
        image = self.image.export() if self.image else None
        return values, self.clock, self.selection.snapshot(), self.alarms, image

    def rollback(self, snapshot):
        """Everything as it was when `snapshot` was taken."""
        values, self.clock, selection, self.alarms, image = snapshot
        self.selection.rollback(selection)
        for register, value in zip(self.registers, values):  # noqa: B905 - MicroPython has no strict
            register.value = value
        if image is not None:
            self.image.restart(image, self._now_us)
        self._changes = []
        self._jobs = []

    def export(self):
        """Plain data for `state`: what commands have changed, the clock, the selection, alarms that were not heard."""
        values = [
            [place, one.value if isinstance(one.value, int) else one.value.hex()]
            for place, one in enumerate(self.registers)
            if one.actions and place not in self._dated
        ]
        state = {"values": values, "selected": list(self.selection.selected), "alarms": self.alarms}
        if self.clock is not None:
            state["clock"] = clocks.export(self.clock, self._now_us, self._wall_us)
        if self.image:
            state["image"] = self.image.export()
        for name, stored in self._stored.items():  # not yet gone on with
            state[name] = stored
        return state

    def _restore(self, state):
        try:
            for place, value in state["values"]:
                register = self.registers[place]
                number = isinstance(register.value, int)
                if place < 0 or place in self._dated or number != isinstance(value, int):
                    raise ValueError
                register.record(value if number else bytes.fromhex(value))
                register.value = value if number else bytes.fromhex(value)
            if self.valve and self.registers[self.valve[1]].value not in valves.STATES:
                raise ValueError
            self.selection.restore(state["selected"])
            self.alarms = state["alarms"] & 0xFF
            if state.get("clock") is not None:
                clocks.check_stored(state["clock"])
                self._stored["clock"] = state["clock"]
            if self.image and state.get("image"):
                self._stored["image"] = state["image"]
        except (KeyError, TypeError, ValueError, IndexError, OmsError):
            raise StoreError(
                "the stored state of the device cannot be read",
                hint="it belongs to another one, or is damaged",
            )

    def take_changes(self):
        """[(place, value)] of the profile's registers that commands have changed since the last call."""
        taken, self._changes = self._changes, []
        return taken

    def take_jobs(self):
        """Actions of the image transfer since the last call, see application/image_meter.py."""
        taken, self._jobs = self._jobs, []
        return taken


def _dated(field, time_us):
    from ..application import dates

    if time_us is None:
        return {4: b"\x80\x00\x00\x00", 6: b"\x00\x80\x00\x00\x00\x00"}.get(field, b"\xff\xff")
    return dates.from_unix(field, time_us // 1000000)


_PLAIN = {
    0x53: Device._choose,
    0x57: Device._choose,
    0x5A: Device._records,
    0x5B: Device._records,
    0x6C: Device._synchronise,
    0x6D: Device._synchronise,
    0xC0: Device._image,
    0xC7: Device._image,
}
