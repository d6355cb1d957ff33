"""The meter: encrypts and sends its registers, periodically and synchronously (EN 13757-4 12.6.2; link sheet 8.4, 8.5).

Each synchronous transmission takes the next access number, and that number tells when the next one comes. Numbers and
registers are handed out to be stored before the telegram that uses them, so a restart never sends two telegrams with one
number: in mode 5 the access number is part of the initialisation vector, in modes 7 and 10 the message counter makes the
key. A flash wears out, so what is stored is how far they will be in BLOCK telegrams, and a restart goes on from there.

A slot that could not be used (duty cycle, storage failed, radio late) is left empty and its number is spent: slots
never move, because a battery receiver predicts them from the last number that it heard.
"""

from ..application import encode
from ..application.fields import SIZES
from ..errors import MisuseError
from ..link import interval_us
from ..phy import framing, modes, radio
from ..portable import const
from ..security import mode5
from ..transport import compose
from .actions import REFUSED, Persist, Transmit

_SND_NR = const(0x44)
BLOCK = 64  # telegrams for which one write to the store is enough
LEAD_US = 300000  # a telegram is made and loaded this long before its slot

# CI: M-Bus data from the meter
_DATA_SHORT = const(0x7A)
_DATA_LONG = const(0x72)
_MICRO = const(1000000)
_HOUR_US = const(3600000000)


class Register:
    """One record that the meter sends.

    dib, vib: bytes. value: mantissa (integer) for a number, bytes for a constant field, or CLOCK for date and time.
    step_micro: how much the mantissa grows per nominal interval, in millionths. unsigned: the VIF's integers are type
    C instead of B.
    """

    def __init__(self, dib, vib, value, step_micro=0, unsigned=False):
        self.dib = dib
        self.vib = vib
        self.value = value
        self.step_micro = step_micro
        self.unsigned = unsigned


CLOCK = "clock"  # value of a Register: UTC at the time of sending; left out while that is unknown


class Profile:
    """What kind of device this is (its OMS security profile follows from security_mode).

    address: link Address. registers: list of Register; those from number `clear_from` on follow the encrypted part in
    clear (None: all is encrypted). mode: "T1", "C1", "S1", "S1-m", ... nominal_us: t_NOM. key: security Key.
    security_mode: 0 is plain, 5, 7 and 10 (profiles A, B and D) need the key. header: "short", or "long" with
    `meter_address` as the meter behind a radio adapter. with_ell: send the short ELL (8C), as OMS wants in mode C (link
    sheet 7.3). status: TPL status byte.
    """

    def __init__(
        self,
        address,
        registers,
        mode="T1",
        frame_format="A",
        nominal_us=900 * _MICRO,
        key=None,
        security_mode=0,
        clear_from=None,
        header="short",
        meter_address=None,
        with_ell=False,
        status=0,
    ):
        if security_mode not in (0, 5, 7, 10):
            raise MisuseError("a meter sends in security mode 0, 5, 7 or 10, not {}".format(security_mode))
        if security_mode and key is None:
            raise MisuseError("security mode {} needs a key".format(security_mode))
        if frame_format not in modes.find(mode).sync:
            raise MisuseError("mode {} has no frame format {}".format(mode, frame_format))
        self.address = address
        self.registers = registers
        self.mode = mode
        self.frame_format = frame_format
        self.nominal_us = nominal_us
        self.key = key
        self.security_mode = security_mode
        self.clear_from = clear_from
        self.header = header
        self.meter_address = meter_address or address
        self.with_ell = with_ell
        self.status = status


class Meter:
    """The role. entropy: at least 5 random bytes. state: what the last Persist held, or None at the first start.

    message_counter: security.counters.MessageCounter in profiles B and D, else None.

    counters: sent, too_late, skipped (slots over which the node slept), exhausted (no message counter left) and
    `refused.<code>`.
    """

    def __init__(self, profile, entropy, state=None):
        self.profile = profile
        self.counters = {"sent": 0}
        # Random at the first power-up, never reset afterwards (OMS 7.2.2.1).
        self.access_number = entropy[0]
        self._wait_us = int.from_bytes(entropy[1:5], "big") % profile.nominal_us
        # Registers in millionths of their mantissa, so that slow growth is not lost.
        self._values = [one.value * _MICRO if isinstance(one.value, int) else 0 for one in profile.registers]
        self.message_counter = None
        # Kept also while another profile does not use it.
        self._kept = state.get("message_counter") if state else None
        if profile.security_mode > 5:
            from ..security.counters import MessageCounter

            self.message_counter = MessageCounter(self._kept)
        self._covered = 0  # slots that the store still covers
        if state:
            self._restore(state)
        self._slot_us = None

    def _restore(self, state):
        """Continue where the last run ended. Other registers than stored: theirs start at the profile's values."""
        number, values = state.get("access_number"), state.get("values")
        if isinstance(number, int):
            self.access_number = number & 0xFF
        fits = isinstance(values, list) and len(values) == len(self._values)
        if fits and all([isinstance(value, int) for value in values]):
            self._values = list(values)

    @property
    def due_us(self):
        """When the next telegram has to be made."""
        return None if self._slot_us is None else self._slot_us - LEAD_US

    def start(self, now_us):
        """The first slot is at a random time, tied to nothing (link sheet 8.5)."""
        self._slot_us = now_us + LEAD_US + self._wait_us
        return []

    def feed(self, event, now_us, wall_us=None):
        """What became of a Transmit is counted; event: of the radio driver, or REFUSED by the node."""
        if event.kind == radio.SENT:
            self._count("sent")
        elif event.kind == radio.TOO_LATE:
            self._count("too_late")
        elif event.kind == REFUSED:
            self._count("refused." + event.code)
            if event.code == "persist":
                self._covered = 0
        return []

    def tick(self, now_us, wall_us=None):
        """At `due_us`: the next telegram. wall_us: UTC in us since 1970, or None."""
        if self._slot_us is None or now_us < self.due_us:
            return []
        at_us = self._next_slot()
        while at_us < now_us:  # after a long sleep
            self._count("skipped")
            self._grow()
            at_us = self._next_slot()
        counter = self.message_counter
        if counter and not counter.take():
            self._count("exhausted")
            self._grow()
            return []
        actions = []
        if self._covered <= 0 or counter and not counter.covered():
            self._covered = BLOCK
            persist = self._persist(BLOCK - 1, min(BLOCK, 1 + _HOUR_US // self.profile.nominal_us))
            actions.append(persist)
        telegram = self.telegram(wall_us)
        self._grow()
        actions.append(Transmit(self.profile.mode, modes.UP, self._chips(telegram), at_us, telegram, None, 0))
        return actions

    def stop(self):
        """An orderly end: persist what was really used, so that nothing of the block is lost."""
        self._covered = 0
        return [self._persist(0, 0)]

    def _persist(self, ahead, covers):
        """Persist how far numbers and registers will be behind this telegram and `ahead` more."""
        values = []
        for index, register in enumerate(self.profile.registers):
            values.append(self._values[index] + (ahead and ahead + 1) * register.step_micro)
        state = {"access_number": (self.access_number + ahead) & 0xFF, "values": values}
        if self.message_counter:
            self._kept = self.message_counter.reserve(ahead)
        if self._kept is not None:
            state["message_counter"] = self._kept
        return Persist(state, covers)

    def _next_slot(self):
        """Take the slot that is due and its access number; when it is."""
        at_us = self._slot_us
        self.access_number = (self.access_number + 1) & 0xFF
        self._slot_us = at_us + interval_us(self.profile.nominal_us, self.access_number)
        return at_us

    def _grow(self):
        self._covered -= 1
        for index, register in enumerate(self.profile.registers):
            self._values[index] += register.step_micro

    def telegram(self, wall_us=None):
        """The SND-NR with the present access number and values, without link CRCs; bytes."""
        profile = self.profile
        number = self.access_number
        out = bytearray(2)
        out[1] = _SND_NR
        out += profile.address.link_bytes()
        if profile.with_ell:
            from ..link import extended

            out += extended.build(extended.SYNCHRONOUS, number)
        secret, clear = self._records(wall_us)
        if profile.security_mode > 5:
            from .protected import message

            out += message(profile, self.message_counter.value, number, secret, clear)
        else:
            blocks = 0
            if profile.security_mode:
                secret = mode5.seal(profile.key, profile.meter_address, number, secret)
                blocks = mode5.blocks(secret, len(clear))
            # With an ELL its CC field carries the S bit and the copy stays 0 (security sheet 4.1).
            field = compose.configuration(profile.security_mode, blocks, synchronous=not profile.with_ell)
            long = profile.header == "long"
            out += compose.build(
                _DATA_LONG if long else _DATA_SHORT,
                number,
                profile.status,
                field,
                profile.meter_address if long else None,
            )
            out += secret + clear
        if len(out) > 256:
            raise MisuseError("the records of {} do not fit one telegram".format(profile.address))
        out[0] = len(out) - 1
        return bytes(out)

    def _records(self, wall_us):
        """The records that are to be encrypted, and those behind them in clear."""
        profile = self.profile
        secret, clear = bytearray(), bytearray()
        for index, register in enumerate(profile.registers):
            value = register.value
            field = register.dib[0] & 0x0F
            if value is CLOCK:
                if wall_us is None:
                    continue
                from ..application import dates

                value = dates.from_unix(field, wall_us // _MICRO)
            elif isinstance(value, int):
                value = _rolled(field, self._values[index] // _MICRO, register.unsigned)
                value = encode.data(field, value, register.unsigned)
            part = clear if profile.clear_from is not None and index >= profile.clear_from else secret
            part += register.dib
            part += register.vib
            part += value
        return secret, clear

    def _chips(self, telegram):
        if self.profile.frame_format == "B":
            from ..link.frame_b import build
        else:
            from ..link.frame_a import build
        return framing.chips(modes.find(self.profile.mode), build(telegram), self.profile.frame_format)

    def _count(self, name):
        self.counters[name] = self.counters.get(name, 0) + 1


def _rolled(field, mantissa, unsigned):
    """A register that has no more room begins again at 0, as mechanical ones do, and so does one that falls. All ones
    are no value of type C, and neither is the most negative number of type B."""
    size = SIZES[field]
    if size < 1 or field == 5:
        return mantissa
    if field >= 9:
        room = 10 ** (2 * size if mantissa >= 0 else 2 * size - 1)  # the sign takes a digit
    elif unsigned:
        return mantissa % ((1 << 8 * size) - 1)
    else:
        room = 1 << (8 * size - 1)
    return mantissa % room if mantissa >= 0 else -(-mantissa % room)
