"""A MAC frame of OMS LPWAN opened layer by layer for a person or a program: MAC, its body, LLC, and what is above them.

As application.telegram.decode, it never raises for what the air brought, and what could be read in front of a fault is kept.
"""

from collections import namedtuple

from ..application import telegram as application
from ..errors import CrcError, MacError, NoKeyError, OmsError
from ..link.lpwan import blocks, llc, mac, protection
from ..link.lpwan import telegram as link_telegram
from ..phy import modes
from . import bursts

_DER_COUNTERS = 256

# verdict: "plain", "authenticated", "no_key", "mac_mismatch", None where it cannot be read. der_counter: the MDerCounter that
# fits, whether the frame names it or not. data: bytes of the MBlocks, blocks: [MBlock]; or None. error: OmsError or None.
Body = namedtuple("Body", ("verdict", "der_counter", "data", "blocks", "error"))

NOTHING = Body(None, None, None, None, None)


class Opened:
    """direction, submode, bursts: as in the Sample. frame: MAC frame with its CRC, None if the bursts did not give one.
    right: whether its CRC is right. error: else the CrcError, where it was read all the same. mac, llc: mac.Mac and llc.Llc, None where they cannot be read. body: a Body, NOTHING where
    there is none. telegram: application.telegram.Telegram of the frame without CRC; its error is why the frame is refused.

    It stands in for a lines.Line, too: telegram bytes, timestamp and level are unknown.
    """

    frame_format = "C"
    timestamp = rssi_dbm = None
    error: OmsError | None = None

    def __init__(self, sample):
        self.direction = sample.direction
        self.submode = self.mode = sample.submode
        self.bursts = sample.bursts
        self.frame = sample.frame
        self.right = False
        self.mac = self.llc = None
        self.body = NOTHING
        self.telegram = application.Telegram(b"")


class Reader:
    """key_for: as for application.telegram.decode. mac_key_for: function of the meter's Address that gives its MAC key (KeyID
    0F) or None. all_the_same: a frame whose CRC is wrong is read like others, and refused behind it."""

    def __init__(self, key_for, mac_key_for, all_the_same=False):
        self.key_for = key_for
        self.mac_key_for = mac_key_for
        self.all_the_same = all_the_same
        self._der_counters = {}  # of each meter: the one that fitted last

    def read(self, sample, decode=application.decode, **more):
        """The Opened of a Sample. decode, more: what reads the layers above, and what it is told besides the keys."""
        found = Opened(sample)
        try:
            if found.frame is None:
                found.frame = bursts.solve(found.bursts)
        except OmsError as error:
            found.telegram.error = error
            return found
        frame = bytes(found.frame)
        found.telegram = application.Telegram(frame[:-4])
        found.right = mac.crc(frame[:-4]) == frame[-4:]
        if self.all_the_same and not found.right and mac.SHORTEST <= len(frame) <= mac.LONGEST:
            found.error = CrcError("MAC CRC wrong", len(frame) - 4)
            more.update(formats=None, fragments=None)  # nothing is learnt from it
            frame = frame[:-4] + mac.crc(frame[:-4])
        try:
            found.mac = mac.parse(frame, found.direction, found.submode)
            try:
                found.llc = llc.parse(found.mac.payload, found.direction == modes.UP)
            finally:
                self._body(found)
            link = link_telegram.read(found.mac, frame)
        except OmsError as error:
            found.telegram.error = error
            if found.llc is not None:
                found.telegram.address = _meter(found)
            return found
        found.telegram = decode(link.message, self.key_for, link=link, **more)
        self._judge(found)
        return found

    def _judge(self, found):
        """What the upper layers do not know of."""
        telegram = found.telegram
        telegram.address = telegram.address if _names_itself(telegram) else _meter(found)
        bare = telegram.link is None or telegram.link.offset == len(telegram.raw)
        if telegram.error is None and bare and (found.mac.body or found.mac.error):
            telegram.error, telegram.verdict = found.body.error, found.body.verdict

    def _body(self, found):
        """Read the MAC body; without the LLC nobody knows whose key it has."""
        body = found.mac.body
        if body is None:
            found.body = NOTHING._replace(error=found.mac.error)
            return
        data, der_counter, verdict = body.data, body.der_counter, application.PLAIN
        try:
            if body.counter is not None:
                data = None
                verdict = application.NO_KEY
                der_counter, data = self._unseal(found, body)
                verdict = application.AUTHENTICATED
            parsed = blocks.parse(data)
            if body.counter is None:
                blocks.check_plain(parsed)
            found.body = Body(verdict, der_counter, data, parsed, None)
        except MacError as error:
            found.body = Body(application.MAC_MISMATCH, der_counter, None, None, error)
        except OmsError as error:
            found.body = Body(verdict, der_counter, data, None, error)

    def _unseal(self, found, body):
        """(MDerCounter, MBlocks in plain) of a secured body. A frame seldom names its MDerCounter: then the one of the frame
        before is tried, and every other."""
        if found.mac.profile != mac.MSP1:
            from ..errors import UnsupportedSecurityError

            raise UnsupportedSecurityError("MAC security profile {}".format(found.mac.profile + 1))
        meter = _meter(found)
        key = self.mac_key_for(meter) if meter is not None else None
        if key is None:
            raise NoKeyError("no MAC key (KeyID 0F) for {}".format(meter or "a meter without address"))
        if body.der_counter is not None:
            numbers = [body.der_counter]
        else:
            last = self._der_counters.get(meter, 0)
            numbers = [last, *(number for number in range(_DER_COUNTERS) if number != last)]
        for number in numbers:
            try:
                derived = protection.derive(key, number, meter)
                data = protection.open_(derived, meter, found.mac.type, body)
            except MacError:
                continue
            self._der_counters[meter] = number
            return number, data
        raise MacError("MMAC wrong: wrong MAC key or tampered")


def _meter(found):
    """Address of the meter's radio, or None."""
    if found.llc is None:
        return None
    return found.llc.address if found.direction == modes.UP else found.llc.receiver


def _names_itself(telegram):
    """Whether the address is that of a header above the LLC, or the meter's anyway."""
    return telegram.tpl is not None and telegram.address is not None
