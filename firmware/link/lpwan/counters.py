"""MAC security with its counters, on the meter's side; manager_counters.py is the other one (OMS Vol. 2 Annex Q.3.4.3 to
Q.3.4.7; LPWAN sheet section 16).

MDerCounter (8 bits) chooses the derived key, the NW-Manager raises it; SNR-MMsgCounter (16 bits) counts the secured MSNR of
the meter, CMD-MMsgCounter the commands of the NW-Manager. None of them ever begins again under the same key, so what changed
is stored before a frame that depends on it leaves: `export` behind each step, `rollback` if storing failed.

Inferred: an MDerCounter equal to the one that is stored may stand in any command (Q.K.6 has it); the command that raises it
may have any CMD-MMsgCounter (0 by Q.3.4.3.1, 1 in Figure Q.J.8); it is no repetition, even where its counter is the one
stored; a repetition is believed only if its MMAC is right.
"""

from collections import namedtuple

from ...errors import BodyError, MacError, MisuseError, OmsError, StoreError
from ...portable import const
from . import mac as frames
from . import protection

LAST = const(0xFFFF)
LAST_DER = const(0xFF)

# What a command's counters make of it, against those stored.
REPETITION, UPDATE, NEW, OLD, OPEN = "repetition", "update", "new", "old", "not secured"
# What a meter does.
EXECUTE, REPEAT, MERR, SILENCE = "execute", "repeat", "MERR", "silence"

# (what it is, whether nothing speaks against it: above all, whether its MMAC is right) -> what becomes of a MCMD, of a MCNR.
TABLE = {
    (REPETITION, True): (REPEAT, SILENCE),
    (REPETITION, False): (MERR, SILENCE),
    (UPDATE, True): (EXECUTE, EXECUTE),
    (UPDATE, False): (MERR, SILENCE),
    (NEW, True): (EXECUTE, EXECUTE),
    (NEW, False): (MERR, SILENCE),
    (OLD, False): (MERR, SILENCE),
    (OPEN, False): (MERR, SILENCE),
}

# action: EXECUTE, REPEAT, MERR or SILENCE. data: bytes of the MBlocks to be executed, else None. error: the OmsError that
# says why not, or None.
Judgement = namedtuple("Judgement", ("action", "data", "error"))


def classify(body, der_counter, cmd, alive):
    """What the counters of a command say. body: body.Body or None. der_counter, cmd: as stored at the meter. alive: whether
    the session was open before this command."""
    if body is None or body.counter is None:
        return OPEN
    if body.der_counter is not None and body.der_counter > der_counter:
        return UPDATE
    if body.der_counter is not None and body.der_counter < der_counter:
        return OLD
    if body.counter > cmd:
        return NEW
    return REPETITION if alive and body.counter == cmd else OLD


class Side:
    """What both sides have. der_counter, snr, cmd: the counters, as they were used or accepted last."""

    def __init__(self, key, address, stored):
        self._key = key
        self._address = address
        self._derived = None  # (MDerCounter, Key)
        self.der_counter = self.snr = self.cmd = 0
        if stored is not None:
            self.rollback(stored)

    def rollback(self, stored):
        """Go back to what `export` gave. StoreError if it is something else: counters that began again would be used twice."""
        if not isinstance(stored, (list, tuple)) or len(stored) != 3:
            raise damaged()
        for i, most in enumerate((LAST_DER, LAST, LAST)):
            if not isinstance(stored[i], int) or not 0 <= stored[i] <= most:
                raise damaged()
        self.der_counter, self.snr, self.cmd = stored

    def rekey(self, key):
        """The MAC key was changed: all counters begin at 0."""
        self._key = key
        self._derived = None
        self.der_counter = self.snr = self.cmd = 0

    def _derive(self, der_counter):
        if self._derived is None or self._derived[0] != der_counter:
            self._derived = (der_counter, protection.derive(self._key, der_counter, self._address))
        return self._derived[1]

    def _open(self, frame_type, der_counter, body):
        return protection.open_(self._derive(der_counter), self._address, frame_type, body)

    def _seal(self, frame_type, counter, data, named):
        derived = self._derive(self.der_counter)
        der_counter = self.der_counter if named else None
        return protection.seal(derived, self._address, frame_type, counter, data, der_counter)


class Meter(Side):
    """A meter's side. key: MAC key (KeyID 0F). address: its own, as in the LLC. stored: what `export` gave, None at the first
    start.
    """

    def __init__(self, key, address, stored=None):
        Side.__init__(self, key, address, stored)
        self.reserved = self.snr  # the store covers the SNR-MMsgCounter up to here
        self._answer = (
            None  # (CMD-MMsgCounter, whether to name the MDerCounter) of a command that has no answer yet
        )

    def export(self, ahead=0):
        """What is to be stored: [MDerCounter, SNR, CMD], the SNR so many above, which are then used without storing."""
        self.reserved = min(self.snr + ahead, LAST)
        return [self.der_counter, self.reserved, self.cmd]

    def covered(self):
        """Whether a restart would not use the present SNR-MMsgCounter again."""
        return self.snr <= self.reserved

    def rollback(self, stored):
        Side.rollback(self, stored)
        self.reserved = self.snr
        self._answer = None

    def command(self, mac, alive):
        """The Judgement of a MCMD or MCNR with a body. mac: mac.Mac. alive: whether the session was open before it.

        With EXECUTE the counters are changed: store them (`export`), then execute, then `answer` a MCMD. With REPEAT send
        again the bytes that were sent. Else nothing is changed. Why nothing was: BodyError, UnsupportedSecurityError,
        DowngradeError for a body that is not secured, MacError, ReplayError.
        """
        merr = 0 if mac.type == frames.MCMD else 1
        situation = OPEN
        data = error = None
        try:
            situation, data = self._look(mac, alive)
        except OmsError as refused:
            error = refused
            if mac.error is None and mac.profile == frames.MSP1:
                situation = classify(mac.body, self.der_counter, self.cmd, alive)
        action = TABLE[situation, error is None][merr]
        if action != EXECUTE:
            return Judgement(action, None, error)
        if situation == UPDATE:
            self.der_counter = mac.body.der_counter
            self.snr = self.reserved = 0
        self.cmd = mac.body.counter
        named = mac.body.der_counter is not None
        self._answer = (self.cmd, named) if mac.type == frames.MCMD else None
        return Judgement(action, data, None)

    def _look(self, mac, alive):
        """(what it is, MBlocks); raises why it is refused."""
        if mac.profile != frames.MSP1:
            from ...errors import UnsupportedSecurityError

            raise UnsupportedSecurityError("MAC security profile {}".format(mac.profile + 1))
        if mac.error is not None:
            raise mac.error
        body = mac.body
        situation = classify(body, self.der_counter, self.cmd, alive)
        if body is None:
            raise BodyError("a {} without MAC body".format(frames.name(mac.type)))
        if situation == OPEN:
            from ...errors import DowngradeError

            raise DowngradeError("the MAC body of a command is not secured")
        if situation == OLD:
            raise replayed("MMsgCounter {} replayed".format(body.counter))
        der_counter = body.der_counter if situation == UPDATE else self.der_counter
        try:
            return situation, self._open(mac.type, der_counter, body)
        except MacError:
            self._derived = None  # of a key that nobody has
            raise

    def answer(self, data):
        """The secured Body of the MRSP to the command that was executed last; once only, as its counter is its nonce."""
        if self._answer is None:
            raise MisuseError("there is no command to answer, or it was answered: send the same bytes again")
        counter, named = self._answer
        body = self._seal(frames.MRSP, counter, data, named)
        self._answer = None
        return body

    def unsolicited(self, data, named=False):
        """The secured Body of a new MSNR, None where the SNR-MMsgCounter is used up; store if not `covered`.

        data: bytes of the MBlocks. named: with the MDerCounter, as it should be about twice a day.
        """
        if self.snr >= LAST:
            return None
        body = self._seal(frames.MSNR, self.snr + 1, data, named)
        self.snr += 1
        return body


def damaged():
    """The StoreError of stored counters that are none."""
    return StoreError(
        "the stored counters of the MAC security are damaged", None, "change the MAC key: they begin with it"
    )


def replayed(message):
    """A ReplayError."""
    from ...errors import ReplayError

    return ReplayError(message)
