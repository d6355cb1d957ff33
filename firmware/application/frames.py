"""Full, compact and format frames (EN 13757-3:2018 Annex G; sheet en13757-3-application 6).

A compact frame is the data of a full frame without its DIBs and VIBs. Its format signature says which DIBs and VIBs
those were, a CRC over the full frame proves that they were put back rightly. A collector knows a signature from a full
frame or a format frame that it heard before. Both check words are the CRC of the link layer, low byte first.
"""

from ..errors import ApplicationError, FormatMismatchError, UnknownFormatError
from ..link.crc import crc16
from ..transport import ci
from . import dib, profile, record, vif
from .fields import SIZES

_FILLER = 0x2F
_MANUFACTURER = (0x0F, 0x1F)
_GLOBAL = 0x7F
_REST = -1  # data field of manufacturer data: all that is left

# How far a telegram can be trusted, by its verdict.
_TRUST = {"decrypted": 1, "authenticated": 2}


def trust(telegram):
    """0 for what anybody could have sent, 1 for what was decrypted, 2 for what was authenticated. A publicly known key
    proves nothing. telegram: application.telegram.Telegram, opened."""
    return _TRUST.get(telegram.verdict, 0) if telegram.key != "default" else 0


def header(records):
    """DIB and VIB of all records (as record.decode returns them) in a row, bytes: what the format signature is over."""
    return b"".join([one.dib + one.vib for one in records])


def parts(head):
    """[(bytes of DIB and VIB, data field)] of a header; the data field of manufacturer data is -1. ApplicationError if it
    is none (position: offset in the header)."""
    out = []
    _walk(head, 0, out, lambda at: _fits(head, at))
    return out


def _walk(head, at, out, fits):
    end = len(head)
    while at < end:
        dif = head[at]
        if dif in _MANUFACTURER:
            if at + 1 < end:
                raise ApplicationError("records behind manufacturer data", at + 1)
            behind, field = end, _REST
        elif dif == _GLOBAL:
            behind, field = at + 1, 0
        else:
            behind, field = dib.parse(head, at, end)[:2]
            behind = vif.scan(head, behind, end, fits)[0]
        out.append((behind - at, field))
        at = behind


def _fits(head, at):
    try:
        _walk(head, at, [], None)
    except ApplicationError:
        return False
    return True


def _split(payload):
    """(header, data) of a full frame's payload, fillers left out; ApplicationError if it cannot be read."""
    records, undecoded = record.decode(payload)
    if undecoded is not None:
        raise ApplicationError(undecoded.reason, undecoded.position)
    full = b"".join([one.dib + one.vib + one.data for one in records])
    head = header(records)
    data = b"".join([one.data for one in records])
    return head, data, full


def compact(payload):
    """The compact frame (bytes behind its TPL header) of a full frame (bytes behind its TPL header, decrypted).

    ApplicationError if a record cannot be read.
    """
    head, data, full = _split(payload)
    return _word(crc16(head)) + _word(crc16(full)) + data


def format_frame(payload):
    """The format frame (bytes behind its TPL header) of a full frame. ApplicationError if a record cannot be read or if
    the length byte cannot count the DIBs and VIBs."""
    head = _split(payload)[0]
    if len(head) > 253:
        raise ApplicationError("{} bytes of DIB and VIB are more than a format frame holds".format(len(head)))
    return bytes([len(head) + 2]) + _word(crc16(head)) + head


def read_format(payload, start=0):
    """The header (bytes) of a format frame whose length byte is payload[start]. Fillers may follow.

    FormatMismatchError if length or signature are wrong, ApplicationError if it is no row of DIBs and VIBs.
    """
    end = start + 1 + payload[start] if start < len(payload) else start
    if end < start + 3 or end > len(payload) or not _only_fillers(payload, end):
        raise FormatMismatchError("the format frame has an impossible length", start)
    head = payload[start + 3 : end]
    if crc16(head) != _read(payload, start + 1):
        raise FormatMismatchError("the signature of the format frame is wrong", start + 1)
    parts(head)
    return head


def rebuild(head, payload, at):
    """The full frame (bytes) of a header and of the data that begin at payload[at]. Behind the data may be fillers.

    FormatMismatchError if the data are too few or too many.
    """
    full = bytearray()
    done = 0
    for length, field in parts(head):
        end = _data_end(payload, at, field)
        full += head[done : done + length]
        full += payload[at:end]
        done += length
        at = end
    if not _only_fillers(payload, at):
        raise FormatMismatchError("{} bytes more than the format has".format(len(payload) - at), at)
    return bytes(full)


def _data_end(payload, at, field):
    size = len(payload) - at if field == _REST else SIZES[field]
    if size < 0:  # LVAR, which travels with the data
        size = dib.lvar_bytes(payload[at]) if at < len(payload) else -1
        if size < 0:
            raise FormatMismatchError("no LVAR where the format has one", at)
        size += 1
    if at + size > len(payload):
        raise FormatMismatchError("fewer bytes than the format has", len(payload))
    return at + size


def decode(payload, start, find, to_meter=False):
    """Records of a compact frame whose signature begins at payload[start], compact profiles expanded.

    find: function of a signature (integer) that returns the headers that may be meant, a list. Returns (header, records,
    None or Undecoded) like record.decode; `offset` of a record is the place of its data in the compact frame.
    UnknownFormatError, or FormatMismatchError if the CRC over the full frame is wrong: then nothing can be told.
    """
    if start + 4 > len(payload):
        raise FormatMismatchError("the compact frame ends inside its check words", len(payload))
    signature = _read(payload, start)
    heads = find(signature)
    if not heads:
        raise UnknownFormatError("format %04X is not known" % signature, start)
    refusal = None
    for head in heads:  # mostly it is one
        try:
            full = rebuild(head, payload, start + 4)
            if crc16(full) == _read(payload, start + 2):
                break
            wrong = FormatMismatchError("the CRC over the full frame is wrong", start + 2)
        except FormatMismatchError as error:
            wrong = error
        refusal = refusal or wrong
    else:
        raise refusal
    records, undecoded = record.decode(full, to_meter)
    at = start + 4
    for one in records:
        # As if DIB and VIB stood there, so that a profile finds its entries.
        one.offset = at - len(one.dib) - len(one.vib)
        at += len(one.data)
    if undecoded is not None:
        undecoded = record.Undecoded(at, payload[at:], undecoded.reason, None)
    expanded = profile.expand(records)
    for one in records:
        one.offset += len(one.dib) + len(one.vib)
    return head, expanded, undecoded


def read(telegram, payload, start, formats=None):
    """Read the compact or format frame of an opened application.telegram.Telegram into its records or its protocol.

    payload: application bytes; the frame begins at `start`. formats: Formats or None. Raises as `decode` and `read_format`.
    """
    level = trust(telegram)
    address = telegram.address
    if telegram.tpl.content == ci.COMPACT:

        def find(signature):
            return formats.candidates(address, signature, level) if formats is not None else public(signature)

        head, telegram.records, telegram.undecoded = decode(payload, start, find)
        if formats is not None:
            formats.prove(address, head, level)
        return
    head = read_format(payload, start)
    if formats is not None and address is not None:
        formats.learn(address, head, level)
    telegram.protocol = _protocol(telegram.tpl.name, payload, start, head)


def _protocol(name, payload, start, head):
    """The fields of a format frame as protocols.read would give them."""
    from .protocols import Protocol

    fields = [
        (start, 1, "length", payload[start], None),
        (start + 1, 2, "signature", "%04X" % _read(payload, start + 1), None),
    ]
    at = 0
    for number, (length, _) in enumerate(parts(head), 1):
        text = _hex(head[at : at + length]).upper()
        fields.append((start + 3 + at, length, "record_%d" % number, text, None))
        at += length
    at += start + 3
    if at < len(payload):
        fields.append((at, len(payload) - at, "filler", _hex(payload[at:]), None))
    return Protocol(name, fields)


def _only_fillers(payload, at):
    return payload[at:] == bytes([_FILLER]) * (len(payload) - at)


def _word(number):
    return bytes([number & 0xFF, number >> 8])


def _read(payload, at):
    return payload[at] | payload[at + 1] << 8


class Formats:
    """Formats that were learnt, bounded: of each meter, by signature.

    A format serves the meter that sent it, and others of the same manufacturer, version and device type; that it is the
    right one is proved by the CRC. Anybody can send a format with the signature of another: what was learnt first stays, and the
    CRC decides between the two. Since anybody can even compute one that passes both check words with another meaning, one
    that was learnt from a telegram less trusted than the compact frame (see `trust`) is not used: what is encrypted
    is never read with a layout that came in the clear. Formats that have served are kept apart from those that only
    might, so that a street of meters without compact frames does not push them out, and only they are exported. What is
    trusted less never pushes out what is trusted more.

    size: how many of each kind. changed: whether there is more to export than at the last export.
    """

    def __init__(self, size=128, state=()):
        self.size = size
        self.changed = False
        self._fresh = {}  # (address as 8 link bytes, header): (trust, signature)
        self._proven = {}
        self._last = {}  # header: who taught it last
        self._order = ([], [])  # keys of fresh and proven, the oldest first
        self._restore(state)

    def full(self, telegram, records):
        """Learn from the records of a full frame, as record.decode returned them, of an opened Telegram."""
        address = telegram.address
        if address is None or not records:
            return
        head = header(records)
        level = trust(telegram)
        if self._last.get(head) != (address, level):  # mostly it is
            self.learn(address, head, level)
            if len(self._last) >= 2 * self.size:
                self._last.clear()
            self._last[head] = (address, level)

    def learn(self, address, head, trust=0):
        """Remember a header (bytes) of the meter with this Address. It must be complete and valid."""
        key = (address.link_bytes(), head)
        proven = key in self._proven
        group = self._proven if proven else self._fresh
        known = group.get(key)
        if known is None:
            self._add(group, self._order[0], key, (trust, crc16(head)))
        elif known[0] < trust:
            group[key] = (trust, known[1])
            self.changed = self.changed or proven

    def _add(self, group, order, key, value):
        """Whether there was a place: that of the oldest one that is not trusted more."""
        if len(order) >= self.size:
            for oldest in order:
                if group[oldest][0] <= value[0]:
                    break
            else:
                return False
            order.remove(oldest)
            del group[oldest]
            self._last.pop(oldest[1], None)
        order.append(key)
        group[key] = value
        return True

    def candidates(self, address, signature, trust=0):
        """The headers (list of bytes) that a compact frame of this meter (Address or None) may mean: its own, those that
        have served first and the youngest first, those of its model, a public one. One counts as used only when `prove`
        is called."""
        own, mates = [], []
        identity = None if address is None else address.link_bytes()
        for group, order in ((self._proven, self._order[1]), (self._fresh, self._order[0])):
            for key in reversed(order) if identity else ():
                level, number = group[key]
                if number == signature and level >= trust and _model(key[0]) == _model(identity):
                    heads = own if key[0] == identity else mates
                    if key[1] not in heads:
                        heads.append(key[1])
        return own + mates + public(signature)

    def prove(self, address, head, trust=0):
        """The header has passed the CRC in a compact frame of this meter: it is kept, and exported."""
        if address is None:
            return
        key = (address.link_bytes(), head)
        if key in self._proven:
            return
        fresh = self._fresh.get(key)
        if fresh:
            trust = max(trust, fresh[0])
        if not self._add(self._proven, self._order[1], key, (trust, crc16(head))):
            return
        if fresh:
            del self._fresh[key]
            self._order[0].remove(key)
        self.changed = True

    def export(self):
        """The formats that have served as plain data for a store: [address (16 hex digits), trust, header (hex)] each."""
        self.changed = False
        return [[_hex(key[0]), self._proven[key][0], _hex(key[1])] for key in self._order[1]]

    def _restore(self, state):
        for row in state if isinstance(state, (list, tuple)) else ():
            try:
                identity, level, head = row
                identity, head = _bytes(identity), _bytes(head)
                if len(identity) != 8 or not isinstance(level, int):
                    continue
                parts(head)
            except (ApplicationError, ValueError, TypeError):
                continue  # damaged on the disk: it will be learnt again
            key = (identity, head)
            if key not in self._proven:
                self._add(self._proven, self._order[1], key, (level, crc16(head)))


def public(signature):
    """The headers (list of bytes) of publicly known formats: one or none."""
    from .known_formats import find

    head = find(signature)
    return [] if head is None else [head]


def _model(identity):
    return identity[:2] + identity[6:]


def _hex(data):
    return "".join(["%02x" % byte for byte in data])


def _bytes(text):
    return bytes([int(text[at : at + 2], 16) for at in range(0, len(text), 2)])
