"""The gateway changes a key of a meter that always receives (B A = 11): the steps of key_steps.py, with a radio of its own.

What `export` gives is plain and has no key in clear (the new one is in it as the meter gets it, wrapped), and with it a new
object goes on behind a power cut at any instant: each message counter is stored before it is used. The new key is delivered.
"""

from ..application import sitp_blocks as sitp
from ..errors import OmsError, StoreError
from ..link import control, extended, frame_a, frame_b
from ..link import telegram as link_telegram
from ..phy import framing, modes, radio
from ..security.counters import LAST
from ..transport import authentication, ci, compose, header, protection, sealing
from .actions import REFUSED, Deliver, Listen, Persist, Transmit
from .key_steps import (
    CHANGED,
    DESTROY,
    KEPT,
    MASTER,
    PROBE,
    SENDS,
    TABLE,
    TRANSFER,
    KeyChange,
    block,
    meaning,
)

MODE = "C2"
LEAD_US = 200000  # a telegram is made and loaded so long before it is sent
ANSWER_US = 2000000  # silence: t_RO of 1 s, the frame, and some more
STORE_US = 10000000  # until it is tried again what could not be stored
TRIES = 3  # a telegram is sent so often, then it is silence
ROUNDS = 5  # so often again; then it waits until the meter is heard
# Of the message counter; 100 is the most, and jumps over what a restarted meter left out.
FIRST_STEP, STEP = 1, 100
_DATAGRAM = 0x84  # CC of the ELL: B and A
_REQUEST = 0x80  # CI of a message without data


class _Side:
    """One communication key: version, Key, last counter that we used, last authentic one of the meter."""

    def __init__(self, version, key, sent=0, heard=0):
        self.version = version
        self.key = key
        self.sent = sent
        self.heard = heard


class KeyChanger:
    """gateway, meter: Addresses. master: (version, Key) of the active master key. new: (version, Key) to be introduced;
    the Key is None where `state` has it. wrapper: (KeyID, version, Key). key_id: whose version is changed. old_version: of
    another key than the master key, the version it replaces. mode: security mode, 7 or 10. heard: last authentic message
    counter of the meter. access_number: the last one used towards it. long_ell: name the meter in the ELL (8E).

    state: of TABLE. counters: sent, silence, too_late, `refused.<code>`, ignored.
    """

    def __init__(
        self,
        gateway,
        meter,
        master,
        new,
        wrapper,
        key_id=MASTER,
        old_version=None,
        mode=7,
        heard=0,
        access_number=0,
        long_ell=False,
        state=None,
    ):
        self.gateway = gateway
        self.meter = meter
        self.wrapper = wrapper
        self.key_id = key_id
        self.old = _Side(master[0], master[1], heard, heard)
        self.new = _Side(new[0], new[1])
        self.old_version = master[0] if key_id == MASTER else old_version
        self.mode = mode
        self.access_number = access_number
        self.long_ell = long_ell
        self.counters = {}
        self.due_us = None
        self.state = TRANSFER
        self._rounds = 0
        self._tries = 0
        self._telegram = None  # under way
        self._level = 0
        if state is None:
            self._wrapped = sitp.wrap_key(wrapper[2], new[1], key_id, new[0])
        else:
            self._restore(state)

    def _restore(self, state):
        try:
            self.state = state["state"]
            self._wrapped = bytes.fromhex(state["wrapped"])
            self._rounds = 0
            self.access_number = state["access_number"] & 0xFF
            self.old.sent, self.old.heard = state["old"]
            self.new.sent, self.new.heard = state["new"]
            for count in (self.old.sent, self.old.heard, self.new.sent, self.new.heard):
                if not isinstance(count, int) or not 0 <= count <= LAST:
                    raise ValueError
            _, self.new.key, key_id, version = sitp.unwrap_key(self.wrapper[2], self._wrapped)
            if self.state not in SENDS and self.state not in (CHANGED, KEPT):
                raise ValueError
            if (key_id, version) != (self.key_id, self.new.version):
                raise ValueError
        except (OmsError, ValueError, TypeError, KeyError):
            raise StoreError(
                "the stored state of a key change cannot be read",
                hint="it belongs to another key, or is damaged",
            )

    def export(self):
        """Plain data for `state`."""
        return {
            "state": self.state,
            "access_number": self.access_number,
            "old": [self.old.sent, self.old.heard],
            "new": [self.new.sent, self.new.heard],
            "wrapped": self._wrapped.hex(),
        }

    # --- the doors ---

    def start(self, now_us):
        """Begin, or go on where `state` was. What was told behind that is told again: nobody knows whether it was heard."""
        actions = [Listen(MODE, modes.UP)]
        if self.state in SENDS:
            self.due_us = now_us
        if self.state in (DESTROY, CHANGED, KEPT):
            actions.append(Deliver(self._told(self.state != DESTROY)))
        return actions

    def tick(self, now_us, wall_us=None):
        """At `due_us`: send, send again, or take it for silence."""
        if self.due_us is None or now_us < self.due_us:
            return []
        self.due_us = None
        if self._telegram is None:
            return self._send(now_us)
        if self._tries < TRIES:
            return self._transmit(now_us)
        self._count("silence")
        return self._event("silence", now_us)

    def feed(self, event, now_us, wall_us=None):
        """event: of the radio driver (a frame of the meter, or what became of a Transmit), or REFUSED by the node."""
        kind = event.kind
        if kind == radio.SENT:
            self._count("sent")
            if self._telegram is not None:
                self.due_us = event.end_us + ANSWER_US
        elif kind == radio.TOO_LATE:
            self._count("too_late")
            self.due_us = now_us
        elif kind == REFUSED:
            self._count("refused." + event.code)
            if event.code == "persist":
                self._telegram = None
                self.due_us = now_us + STORE_US
            else:
                self._tries -= 1
                self.due_us = max(now_us, event.at_us or 0) + LEAD_US
        elif kind == radio.FRAME:
            try:
                strip = frame_b.strip if event.frame_format == "B" else frame_a.strip
                return self._heard(strip(event.frame), event, now_us)
            except OmsError:
                self._count("ignored")
        return []

    def stop(self):
        """An orderly end."""
        return [Persist(self.export(), 0)]

    # --- what comes from the meter ---

    def _heard(self, raw, event, now_us):
        link = link_telegram.parse(raw)
        kind = control.name(link.c_field, True)
        afl, at = authentication.parse_if_any(raw, link.offset)
        tpl = header.parse(raw, at)
        address = tpl.address or link.address
        if kind is None or address.tpl_bytes() != self.meter.tpl_bytes() or tpl.direction != ci.UP:
            return []
        if event.rssi_dbm is not None:
            self._level = max(0, min(0x3F, (event.rssi_dbm + 130) // 2))
        number = link.ell.access_number if link.ell else tpl.access_number
        ours = self._telegram is not None and number == self.access_number and kind in ("ACK", "RSP-UD")
        if tpl.content == ci.EMPTY or tpl.content == ci.ERROR:
            if not ours:
                return []
            told = "error" if tpl.content == ci.ERROR else "acknowledged"
            return self._event(told, now_us)
        side, opened = self._open(raw, tpl, afl)
        if side is None or opened.counter <= side.heard:
            self._count("ignored")
            return []
        side.heard = opened.counter
        side.sent = max(side.sent, opened.counter)
        if side is self.new and self.state != DESTROY:
            return self._event("changed", now_us)
        if ours:
            return self._answer(tpl, opened, now_us)
        if self.state in SENDS and self._telegram is None and self.due_us is None:
            self._rounds = 0  # it waited for a sign of life
            return self._send(now_us)
        return []

    def _open(self, raw, tpl, afl):
        """(side, Opened) under the key that it is authentic with, or (None, None)."""
        sides = (self.new, self.old) if self.key_id == MASTER else (self.old,)
        for side in sides:
            if side is self.old and self.state == DESTROY and self.key_id == MASTER:
                continue
            try:
                opened = protection.open_message(raw, tpl, afl, self.meter, _only(side))
            except OmsError:
                continue
            if opened.authenticated:
                return side, opened
        return None, None

    def _answer(self, tpl, opened, now_us):
        """An authentic answer that is not the sign of the change."""
        if tpl.ci not in (sitp.ANSWER_SHORT, sitp.ANSWER_LONG):
            return self._event("error", now_us)
        start = 2 if tpl.mode == 7 else 0
        body = opened.payload[start : len(opened.payload) - opened.padding]
        return self._event(meaning(self.state, body, self.key_id, self.new.version), now_us)

    # --- the machine ---

    def _event(self, event, now_us):
        found = TABLE.get((self.state, event))
        if found is None:
            return []
        self.state, what = found
        self._telegram = None
        self.due_us = None
        if what == "end":
            return [Persist(self.export(), 0), Deliver(self._told(True))]
        if what == "again":
            self._rounds += 1
            if self._rounds >= ROUNDS:
                return [Persist(self.export(), 0)]  # until the meter is heard
        elif what == "adopt":
            self._rounds = 0
            return [Persist(self.export(), 0), Deliver(self._told(False))] + self._send(now_us)
        return self._send(now_us)

    def _told(self, done):
        outcome = KEPT if self.state == KEPT else CHANGED
        version, key = self.new.version, self.new.key
        if outcome == KEPT:
            version, key = self.old_version, self.old.key if self.key_id == MASTER else None
        return KeyChange(self.meter, self.key_id, version, key, outcome, done)

    def _send(self, now_us):
        """A new datagram for the present state: its numbers are stored first."""
        c_field, function, whose, named = SENDS[self.state]
        side = self.new if whose and self.key_id == MASTER else self.old
        if function is not None:
            side.sent += STEP if self._rounds or self.state == PROBE else FIRST_STEP
            if side.sent > LAST:
                self._count("exhausted")  # nothing can be said under this key any more
                return []
        self.access_number = (self.access_number + 1) & 0xFF
        # FCB changes with the number.
        out = bytearray((0, c_field | (0 if self.access_number & 1 else 0x20))) + self.gateway.link_bytes()
        out += extended.build(_DATAGRAM, self.access_number, self.meter if self.long_ell else None)
        if function is None:
            out += compose.build(_REQUEST, self.access_number, self._level, 0, self.meter)
        else:
            out += self._sealed(function, side, named)
        out[0] = len(out) - 1
        self._telegram = bytes(out)
        self._tries = 0
        return [Persist(self.export(), TRIES)] + self._transmit(now_us)

    def _sealed(self, function, side, named):
        made = block(function, self.wrapper, self._wrapped, self.key_id, self.new.version, self.old_version)
        body = sitp.build([made])
        version = side.version if named else None
        security = sealing.Security(self.mode, side.key, side.sent, MASTER, version)
        security.padded = self.mode == 7 and sitp.padded(body)
        afl, message = sealing.seal(
            security, sitp.COMMAND, self.meter, self.access_number, self._level, body, long=True, up=False
        )
        return (authentication.build(afl) if afl else b"") + message

    def _transmit(self, now_us):
        self._tries += 1
        chips = framing.chips(modes.find(MODE, modes.DOWN), frame_a.build(self._telegram))
        return [Transmit(MODE, modes.DOWN, chips, now_us + LEAD_US, self._telegram, None)]

    def _count(self, name):
        self.counters[name] = self.counters.get(name, 0) + 1


def _only(side):
    """key_for of a single key, which a message may also name by its version."""

    def key_for(_address, key_id=MASTER, version=None):
        return side.key if key_id == MASTER and version in (None, side.version) else None

    return key_for
