"""What a scripted meter can do wrong: the table of faults, each with its parameters (link sheet 8, 9; oms-requirements sheet 14).

A fault of SENDING changes one transmission, one of HEARING keeps a frame from the meter or changes it, one of METER changes the
meter itself. Whatever else is in a telegram stays right: MACs, lengths and link CRCs fit, unless they are the fault.
"""

from ..link import access, control
from ..link import telegram as link_telegram
from ..link.address import Address
from ..link.extended import ACCESSIBLE, BIDIRECTIONAL
from ..security.counters import LAST
from ..security.keys import Key
from . import scripted_telegram as change

SENDING, HEARING, METER = "sending", "hearing", "meter"
# What the meter must have for a fault: a MAC (mode 7 or 10), a key, access windows.
MAC, KEY, WINDOW = "mac", "key", "window"

EVERYTHING, NOTHING = "everything", "nothing"
_ACCESSIBILITY = {
    "none": 0,
    "closed": ACCESSIBLE,
    "window": BIDIRECTIONAL,
    "always": BIDIRECTIONAL | ACCESSIBLE,
}
_BITS = {"ACD": 0x20, "DFC": 0x10, "ACD DFC": 0x30}
_FCB = 0x20
_ENDLESS_US = 1000000000000000


class Sending:
    """A transmission on its way to the node. telegram: without link CRCs. at_us, until_us: as in a Transmit. dropped: the
    meter believes that it was sent. again_us: it is sent once more so long behind its end. broken_block: number of the
    block whose link CRC is wrong, broken_chip: of the chip behind the sync word that is another; or None."""

    def __init__(self, telegram, at_us, until_us):
        self.telegram = telegram
        self.at_us = at_us
        self.until_us = until_us
        self.dropped = False
        self.again_us = None
        self.broken_block = None
        self.broken_chip = None


# --- sending: function(sending, meter, values), False where this transmission cannot have the fault ---


def _move(sending, by_us):
    sending.at_us += by_us
    if sending.until_us is not None:
        sending.until_us += by_us
    return True


def _late(sending, meter, values):
    return _move(sending, values["by_us"])


def _early(sending, meter, values):
    return _move(sending, -values["by_us"])


def _drop(sending, meter, values):
    sending.dropped = True
    return True


def _double(sending, meter, values):
    sending.again_us = values["after_us"]
    return True


def _crc(sending, meter, values):
    sending.broken_block = values["block"]
    return True


def _chip(sending, meter, values):
    sending.broken_chip = values["chip"]
    return True


def _replace(sending, telegram):
    if telegram is None or telegram == sending.telegram:
        return False
    sending.telegram = telegram
    return True


def _other_address(sending, meter, values):
    own = link_telegram.parse(sending.telegram).address
    ident = "%08d" % ((int(own.ident) + values["by"]) % 100000000) if own.ident.isdigit() else "00000000"
    other = Address(own.manufacturer, ident, own.version, own.device_type)
    return _replace(sending, change.link(sending.telegram, address=other))


def _other_number(sending, meter, values):
    if not change.has_ell(sending.telegram):
        return _replace(sending, change.sealed(sending.telegram, meter, by=values["by"]))
    return _replace(sending, change.link(sending.telegram, by=values["by"]))


def _other_message_number(sending, meter, values):
    return _replace(sending, change.sealed(sending.telegram, meter, by=values["by"]))


def _other_data(sending, meter, values):
    if change.kind(sending.telegram) not in ("RSP-UD", "SND-NR", "SND-IR"):
        return False
    return _replace(sending, change.sealed(sending.telegram, meter, data=bytes.fromhex(values["data"])))


def _nack(sending, meter, values):
    if sending.telegram[1] & 0x40:
        return False
    return _replace(sending, change.nack(sending.telegram))


def _acknowledge(sending, meter, values):
    """As a meter does that does not know the request, or has nothing to say."""
    return _replace(sending, change.acknowledgement(sending.telegram))


def _error(sending, meter, values):
    return _replace(sending, change.error(sending.telegram, values["code"]))


def _busy(sending, meter, values):
    if sending.telegram[1] & 0x40:
        return False
    return _replace(sending, change.sealed(sending.telegram, meter, application=change.BUSY))


def _wrong_mac(sending, meter, values):
    return _replace(sending, change.wrong_mac(sending.telegram))


def _wrong_key(sending, meter, values):
    return _replace(sending, change.sealed(sending.telegram, meter, other_key=Key(bytes(16))))


def _old_counter(sending, meter, values):
    return _replace(sending, change.sealed(sending.telegram, meter, counter=-values["by"]))


def _control_bits(sending, meter, values):
    if sending.telegram[1] & 0x40:
        return False
    return _replace(sending, change.link(sending.telegram, c_field=_BITS[values["bits"]]))


def _accessibility(sending, meter, values):
    return _replace(sending, change.link(sending.telegram, accessibility=_ACCESSIBILITY[values["says"]]))


# --- hearing: function(script, telegram, sync_us, values): the telegram as the meter gets it, or None; False where this frame
# cannot have the fault ---


def _deaf(script, telegram, sync_us, values):
    sent_us = script.sent_us
    if values["after_us"] and (sent_us is None or sync_us < sent_us + values["after_us"]):
        return False
    return None


def _heed_fcb(script, telegram, sync_us, values):
    """Takes a frame with the FCB of the last one for its repetition, whatever its access number is."""
    bits = control.split(telegram[1])
    before, script.last_fcb = script.last_fcb, None
    if not bits.fcv:
        return False
    link = link_telegram.parse(telegram)
    if link.ell is None:
        return False
    script.last_fcb = (bits.fcb, link.ell.access_number)
    if before is None or before[0] != bits.fcb or before[1] == link.ell.access_number:
        return False
    script.last_fcb = before
    out = bytearray(telegram)
    out[12] = before[1]
    return bytes(out)


# --- meter: function(script, now_us, values); what it returns undoes it, or is None ---


def _message_counter(script, now_us, values):
    counter = script.meter.message_counter
    counter.value = max(0, min(counter.value + values["by"], LAST))


def _access_number(script, now_us, values):
    script.meter.access_number = (script.meter.access_number + values["by"]) & 0xFF


def _forget_key(script, now_us, values):
    """Every key is another one: sixteen bytes of 0."""
    meter = script.meter
    holder = getattr(meter, "keys", None)
    before, kept = meter.profile.key, holder and holder.snapshot()
    if holder:
        script.true_keys = holder.export()
        holder.rollback({name: [row[0], Key(bytes(16)), row[2]] for name, row in holder.snapshot().items()})
    meter.profile.key = Key(bytes(16))

    def remember():
        script.true_keys = None
        if script.meter is meter:
            meter.profile.key = before
            if holder:
                holder.rollback(kept)

    return remember


def _restart(script, now_us, values):
    script.restart(now_us, values["keeps"] == EVERYTHING, values["off_s"] * 1000000)


def _clock(script, now_us, values):
    script.move_clock(values["by_s"] * 1000000)
    return lambda: script.move_clock(-values["by_s"] * 1000000)


def _drift(script, now_us, values):
    script.crystal.drift(now_us, values["ppm"])
    return lambda: script.crystal.drift(script.now_us, 0)


def _slots(script, now_us, values):
    script.crystal.jump(now_us, -values["by_ms"] * 1000)


def _interval(script, now_us, values):
    profile = script.meter.profile
    before = profile.nominal_us
    profile.nominal_us = values["seconds"] * 1000000

    def back():
        profile.nominal_us = before

    return back


def _leave_cycle(script, now_us, values):
    machine = script.meter.access
    if machine.over_us is not None:
        machine.over_us = script.crystal.inside(now_us)


def _stay_in_cycle(script, now_us, values):
    """Neither SND-NKE nor t_TO ends it."""
    machine = script.meter.access
    before = machine.end_us
    machine.end_us = _ENDLESS_US
    if machine.over_us is not None:
        machine.over_us += _ENDLESS_US
    script.ends_cycles = False

    def back():
        machine.end_us = before
        script.ends_cycles = True
        if machine.over_us is not None and machine.state != access.REST:
            machine.over_us = script.crystal.inside(script.now_us)

    return back


# --- what happens to a meter, and is nobody's fault ---


def _alarm(script, now_us, values):
    script.meter.device.raise_alarm(values["bits"])


def _button(script, now_us, values):
    script.meter.install(script.crystal.inside(now_us))


# Name: (stage, function, parameters, what the meter must have). A parameter is (name, kind, default); kind is int, "hex", or the
# words it may be; a default of None: it must be given.
_BY = (("by", int, 1),)
FAULTS = {
    "late": (SENDING, _late, (("by_us", int, None),), None),
    "early": (SENDING, _early, (("by_us", int, None),), None),
    "drop": (SENDING, _drop, (), None),
    "double": (SENDING, _double, (("after_us", int, 20000),), None),
    "wrong CRC": (SENDING, _crc, (("block", int, 1),), None),
    "wrong chip": (SENDING, _chip, (("chip", int, 100),), None),
    "wrong address": (SENDING, _other_address, _BY, None),
    "wrong access number": (SENDING, _other_number, _BY, None),
    "wrong message number": (SENDING, _other_message_number, _BY, None),
    "wrong data": (SENDING, _other_data, (("data", "hex", None),), None),
    "NACK": (SENDING, _nack, (), None),
    "ACK instead": (SENDING, _acknowledge, (), None),
    "application error": (SENDING, _error, (("code", int, None),), None),
    "busy": (SENDING, _busy, (), None),
    "wrong MAC": (SENDING, _wrong_mac, (), MAC),
    "wrong key": (SENDING, _wrong_key, (), KEY),
    "old message counter": (SENDING, _old_counter, _BY, MAC),
    "control bits": (SENDING, _control_bits, (("bits", tuple(sorted(_BITS)), None),), None),
    "accessibility": (SENDING, _accessibility, (("says", tuple(sorted(_ACCESSIBILITY)), None),), None),
    "deaf": (HEARING, _deaf, (("after_us", int, 0),), WINDOW),
    "heed FCB": (HEARING, _heed_fcb, (), WINDOW),
    "message counter jump": (METER, _message_counter, (("by", int, None),), MAC),
    "access number jump": (METER, _access_number, (("by", int, None),), None),
    "forget key": (METER, _forget_key, (), KEY),
    "restart": (METER, _restart, (("keeps", (EVERYTHING, NOTHING), EVERYTHING), ("off_s", int, 0)), None),
    "clock": (METER, _clock, (("by_s", int, None),), None),
    "drift": (METER, _drift, (("ppm", int, None),), None),
    "move slots": (METER, _slots, (("by_ms", int, None),), None),
    "interval": (METER, _interval, (("seconds", int, None),), None),
    "leave cycle": (METER, _leave_cycle, (), WINDOW),
    "stay in cycle": (METER, _stay_in_cycle, (), WINDOW),
    "alarm": (METER, _alarm, (("bits", int, 1),), WINDOW),
    "installation": (METER, _button, (), WINDOW),
}
# Faults of METER that can be taken back: those of which `for_s` may be said.
LASTING = ("forget key", "clock", "drift", "interval", "stay in cycle")
# Largest and smallest value of the numbers, by parameter.
RANGES = {
    "bits": (1, 255),
    "by": (-LAST, LAST),
    "by_us": (1, 60000000),
    "after_us": (0, 60000000),
    "block": (1, 17),
    "chip": (0, 4000),
    "code": (0, 255),
    "ppm": (-100000, 100000),
    "off_s": (0, 31536000),
    "by_s": (-3155760000, 3155760000),
    "by_ms": (-3600000, 3600000),
    "seconds": (1, 86400),
}
