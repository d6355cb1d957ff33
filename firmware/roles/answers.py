"""What a meter says to a partner: acknowledgements and responses (sheets oms-requirements 4.2, 9, 10.1;
en13757-7-security 3.3).

Place: upon meter.py, below commanded.py, which decides what is said (the list is in window_meter.py)."""

from ..application import error_codes
from ..application import sitp_blocks as sitp
from ..errors import MisuseError
from ..link import control, extended
from ..phy import modes
from ..portable import const
from ..transport import authentication, compose, sealing
from . import room
from .key_holder import MASTER
from .meter import BLOCK, Meter

ACD = const(0x20)  # C-field: class 1 data, an alarm, are waiting (EN 60870-5-2; link sheet 6)
BUSY = const(0x01)  # status: the application has not finished (Table 17)

_ERROR_CI = (0x6E, 0x6F)
DATA_CI = (0x7A, 0x72)
EMPTY_CI = (0x8A, 0x8B)
ANSWER_CI = (sitp.ANSWER_SHORT, sitp.ANSWER_LONG)
_FILLER = b"\x2f"
_LONGEST = const(255)  # L


class Response:
    """What the next RSP-UD says. code: application error, or None. ci: of the answer as (short, long), None
    for the standard or selected response. status: application bits. key_id: of the communication key.
    done_us: until then it is busy."""

    def __init__(self, code=None, codes=None, data=b"", status=0, key_id=MASTER, done_us=0):
        self.code = code
        self.ci = codes
        self.data = data
        self.status = error_codes.STATUS if code is not None else status
        self.key_id = key_id
        self.done_us = done_us


class Answers(Meter):
    """The part of CommandedMeter that speaks."""

    carries = None
    _parts = None  # (partner, payloads) of a fragmented response that are still to be asked for

    def _link(self, c_field, asked, named=False):
        """Link layers of an answer: they name the partner where he named us, and in every fragment."""
        waiting = self.device is not None and self._alarm is None and self.device.alarm() is not None
        out = bytearray((0, c_field | ACD if waiting else c_field)) + self.profile.address.link_bytes()
        if asked.link.ell:
            receiver = asked.link.address if named or asked.link.ell.receiver else None
            out += extended.build(0, asked.number, receiver)  # its bits are set when it is sent
        return out

    def _head(self, codes, access_number, status):
        """Header of a message in clear."""
        long = self.profile.header == "long"
        address = self.profile.meter_address if long else None
        return compose.build(codes[long], access_number, status | self.profile.status & 0xFC, 0, address)

    def _refuse(self, asked):
        """NACK: no transport layer."""
        return finished(self._link(control.NACK, asked))

    def _acknowledge(self, asked, last=True):
        """last: not a fragment of a command behind which more are to come; those have no transport layer."""
        out = self._link(control.ACK, asked)
        if last and asked.tpl and asked.tpl.access_number is not None:
            status = 0
            if asked.kind == "SND-UD":
                status = BUSY if self._response.done_us > self._now_us else self._response.status
            out += self._head(EMPTY_CI, asked.tpl.access_number, status)
        return finished(out)

    def _answer(self, asked, wall_us, alarm=None):
        """(RSP-UD, Persist or None that it needs), or None at the end of the message counter. alarm: what is
        to be told instead of the response, as ((short, long) CI, data)."""
        more = self._parts and asked.kind == "REQ-UD2" and asked.tpl is None
        if more and self._parts[0] == asked.link.address.link_bytes():
            return self._next_part(asked), None
        self._parts = None
        response = self._response
        tpl = asked.tpl
        access_number = asked.number if tpl is None or tpl.access_number is None else tpl.access_number
        out = self._link(control.RSP_UD, asked)
        if alarm:
            response = Response(None, alarm[0], alarm[1])
        elif response and response.code is not None:
            out += self._head(_ERROR_CI, access_number, error_codes.STATUS) + bytes((response.code,))
            return finished(out), None
        codes, status, secret, clear, key_id = self._content(response, wall_us)
        return self._protected(out, codes, access_number, status, secret, clear, key_id, asked=asked)

    def _protected(
        self, out, codes, access_number, status, secret, clear, key_id=MASTER, content=0, asked=None
    ):
        """(telegram, Persist or None that it needs) of link layers `out` and a message in the meter's
        profile; None at the end of the message counter. secret, clear: application bytes. content: bits CC of
        the configuration field. asked: the request to a response, which may be fragmented."""
        counter = self._counter(key_id) if self.profile.security_mode > 5 else None
        if counter and not counter.take():
            self._count("exhausted")
            return None
        persist = None
        if self._covered <= 0 or counter and not counter.covered():
            persist = self._persist(BLOCK, BLOCK)
            self._covered = BLOCK - 1
        security = sealing.Security(
            self.profile.security_mode,
            self.keys.key(key_id),
            counter and counter.value,
            key_id,
            self.keys.active(key_id) if self._named else None,
        )
        security.padded = codes != DATA_CI and sitp.padded(secret)  # security sheet 2.2
        security.content = content
        long = self.profile.header == "long"
        message = (
            security,
            codes[long],
            self.profile.meter_address,
            access_number,
            status,
            secret,
            clear,
            long,
        )
        afl, plain = sealing.seal(*message)
        whole = out + (authentication.build(afl) if afl else b"") + plain
        if self._fits(whole, asked):
            return finished(whole), persist
        if not self._splits(asked):
            if asked is None:
                raise MisuseError("the records of {} do not fit one telegram".format(self.profile.address))
            error = self._head(_ERROR_CI, access_number, error_codes.STATUS)
            return finished(out + error + bytes((error_codes.TOO_MANY_RECORDS,))), persist  # UC-32
        from ..transport import fragmentation

        afl, plain = sealing.seal(*message, fragmented=True)
        return self._in_parts(out, fragmentation.split(afl, plain, [self._piece()]), asked), persist

    def _splits(self, asked):
        """Whether an answer may be split: only with an ELL, which a request to it had too."""
        return asked is not None and asked.link.ell is not None

    def _piece(self):
        """Bytes of a message in a fragment."""
        return room.piece(self.profile.mode, modes.UP)

    def _fits(self, whole, asked):
        """Whether a telegram, its L-field not yet set, goes out unsplit."""
        split = self._splits(asked)
        if len(whole) > 1 + (room.whole(self.profile.mode, modes.UP) if split else _LONGEST):
            return False
        return split or asked is None or not self.carries or self.carries(self._chips(finished(whole)))

    def _in_parts(self, out, payloads, asked):
        """The first telegram of an answer with link layers `out` whose message is split into these
        payloads."""
        self._parts = (asked.link.address.link_bytes(), payloads)
        return self._next_part(asked)

    def _next_part(self, asked):
        """The next fragment of a response (sheet oms-requirements 14.6)."""
        parts = self._parts[1]
        out = self._link(control.RSP_UD, asked, True) + parts.pop(0)
        if not parts:
            self._parts = None
        return finished(out)

    def _content(self, response, wall_us):
        """(CI codes, status, bytes to be encrypted, bytes in clear, key id) of a response that is no
        error."""
        profile = self.profile
        if response is None:
            alarm = self.device.status if self.device else 0
            status, key_id = profile.status | alarm, MASTER
        else:
            busy = response.done_us > self._now_us
            status = (BUSY if busy else response.status) | profile.status & 0xFC
            key_id = response.key_id
            if busy:
                return DATA_CI, status, _FILLER, b"", key_id
            if response.ci:
                return response.ci, status, response.data, b"", key_id
        selected = self.device.response() if self.device else None
        if selected is not None:
            return DATA_CI, status, selected, b"", key_id
        secret, clear = self._records(wall_us)
        return DATA_CI, status, secret, clear, key_id


def finished(telegram):
    """A telegram whose L-field is not set yet."""
    telegram[0] = len(telegram) - 1
    return bytes(telegram)
