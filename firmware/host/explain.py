"""What every byte of a telegram means, told from the objects that `application.telegram.decode` returned.

No second parser: the layers know where they stand and what they read; this names the bytes between.
"""

from collections import namedtuple

from ..application.dib import FIELDS
from ..application.telegram import AUTHENTICATED, DECRYPTED, DEFAULT, application_start
from ..link import control, extended
from ..link.address import device_type_name
from ..security import modes
from ..transport import ci, ci_names
from . import table

# Bytes start..end of the telegram. plain: the same bytes decrypted, or None. known: False where they are damaged: then
# `meaning` says what is wrong with them. What is encrypted without a key, or only its manufacturer's business, is known.
Span = namedtuple("Span", ("start", "end", "layer", "meaning", "plain", "known"))

_FIELD_NAMES = {code: name for name, code in FIELDS.items()}
_CC_BITS = (
    (extended.BIDIRECTIONAL, "bidirectional"),
    (extended.FAST_RESPONSE, "fast response"),
    (extended.SYNCHRONOUS, "synchronous"),
    (extended.HOP, "repeated once"),
    (extended.PRIORITY, "priority"),
    (extended.ACCESSIBLE, "accessible"),
    (extended.REPEATED_ACCESS, "repeated access"),
    (extended.EXTENDED_DELAY, "extended delay"),
)
_CF_BITS = (
    (0x8000, "bidirectional"),
    (0x4000, "accessible"),
    (0x2000, "synchronous"),
    (0x0002, "repeated access"),
    (0x0001, "repeated once"),
)
_INCREMENTS = ("absolute values", "increments", "decrements", "signed differences")
_CONTENT = ("standard data", "additional data", "static data", "reserved content")


class Spans:
    """Collects spans from left to right; what is skipped becomes an unexplained span."""

    def __init__(self, telegram):
        self.telegram = telegram
        self.list = []
        self.at = 0

    def add(self, length, layer, meaning, known=True):
        start, end = self.at, min(self.at + length, len(self.telegram.raw))
        if end > start:
            self.list.append(Span(start, end, layer, meaning, self._plain(start, end), known))
        self.at = end

    def skip_to(self, end, layer, meaning="not explained", known=False):
        if end > self.at:
            self.add(end - self.at, layer, meaning, known)

    def rest(self, end):
        """What is left of a compact profile behind its last value."""
        self.skip_to(end, "data", "no further value", True)

    def more(self, text):
        """Add to the meaning of the last span."""
        if self.list:
            self.list[-1] = self.list[-1]._replace(meaning="{}; {}".format(self.list[-1].meaning, text))

    def _plain(self, start, end):
        telegram = self.telegram
        first = start - telegram.payload_offset
        if telegram.verdict in (DECRYPTED, AUTHENTICATED) and 0 <= first < telegram.encrypted_bytes:
            return telegram.payload[first : end - telegram.payload_offset]
        if telegram.opened_offset is not None and start >= telegram.opened_offset:
            return telegram.opened[start:end]
        return None


def explain(telegram):
    """List of Span that covers every byte of a Telegram, in order."""
    spans = Spans(telegram)
    link = telegram.link
    end = len(telegram.raw)
    if link is not None and link.address is None:
        _wired(spans, link)
        end = link.end
    elif link is not None:
        _link(spans, link)
        if link.ell is not None:
            ell_fields(spans, link.ell)
    upper(spans, telegram, end)
    if link is not None and link.address is None and link.end < len(telegram.raw):
        spans.add(1, "link", "checksum over C to the last data byte, right")
        spans.add(1, "link", "stop byte")
    error = telegram.error.message if telegram.error else "not explained"
    spans.skip_to(len(telegram.raw), "?", error)
    return spans.list


def upper(spans, telegram, end):
    """Add what stands behind the link layers, up to `end`."""
    if telegram.joined:
        text = "last fragment, joined with those before it: security profile {}, {}"
        spans.skip_to(end, "AFL", text.format(telegram.profile, telegram.verdict), True)
        return
    if telegram.afl is not None:
        _afl(spans, telegram.afl, telegram)
    if telegram.tpl is not None:
        _tpl(spans, telegram.tpl)
    _payload(spans, telegram, end)


def _bits(value, names):
    return ", ".join(name for bit, name in names if value & bit) or "no flags"


def device(spans, address, layer, whose, id_first=False):
    """Add the eight bytes of an Address. whose: "the sender"."""
    manufacturer = (2, "manufacturer {} of {}".format(address.manufacturer_code, whose))
    ident = (4, "identification {} of {}".format(address.ident, whose))
    kind = device_type_name(address.device_type) or "reserved"
    for length, meaning in (ident, manufacturer) if id_first else (manufacturer, ident):
        spans.add(length, layer, meaning)
    spans.add(1, layer, "version {} ({:02X}h)".format(address.version, address.version))
    spans.add(1, layer, "device type {:02X}h: {}".format(address.device_type, kind))


def _wired(spans, link):
    if link.primary_address is None:
        spans.add(1, "link", "E5: acknowledged")
        return
    if link.offset > 3:
        length = "L-field: {} bytes from C to the last data byte".format(link.end - 4)
        spans.add(
            1, "link", "start byte of a long frame" if link.end > 7 else "start byte of a control frame"
        )
        spans.add(1, "link", length)
        spans.add(1, "link", "L-field, repeated")
        spans.add(1, "link", "start byte, repeated")
    else:
        spans.add(1, "link", "start byte of a short frame")
    c_field_of(spans, link.c_field)
    number = link.primary_address
    special = {0: ": not configured", 253: ": the slave that is selected", 254: ": test", 255: ": all slaves"}
    spans.add(1, "link", "A-field: primary address {}{}".format(number, special.get(number, "")))


def _link(spans, link):
    spans.add(1, "link", "L-field: {} bytes follow, CRCs not counted".format(len(spans.telegram.raw) - 1))
    c_field_of(spans, link.c_field)
    device(spans, link.address, "link", "the sender")


def c_field_of(spans, c_field, layer="link"):
    """Add a C-field."""
    bits = control.split(c_field)
    names = ("fcb", "fcv") if bits.prm else ("acd", "dfc")
    flags = "".join(", {} set".format(name.upper()) for name in names if getattr(bits, name))
    spans.add(1, layer, "C-field: {}{}".format(control.name(c_field) or "unknown", flags))


def ell_fields(spans, ell):
    """Add an extended link layer."""
    spans.add(1, "ELL", "CI: " + ci_names.name(ell.ci))
    spans.add(1, "ELL", "CC: " + _bits(ell.cc, _CC_BITS))
    spans.add(1, "ELL", "access number {}".format(ell.access_number))
    if ell.receiver is not None:
        device(spans, ell.receiver, "ELL", "the receiver")
    if ell.sn is not None:
        text = "session number: minute {}, session {}, encryption {}"
        spans.add(4, "ELL", text.format(ell.sn >> 4 & 0x1FFFFFF, ell.sn & 15, ell.encryption))
        opened = not ell.encrypted or spans.telegram.opened_offset is not None
        spans.add(2, "ELL", "payload CRC, right" if opened else "payload CRC, encrypted")


def _afl(spans, afl, telegram):
    more = ", more follow" if afl.more else ""
    spans.add(1, "AFL", "CI: authentication and fragmentation layer")
    spans.add(1, "AFL", "length: {} bytes".format(afl.payload_offset - afl.offset - 2))
    spans.add(2, "AFL", "fragmentation control: fragment {}{}".format(afl.fragment_id, more))
    if afl.control is not None:
        spans.add(1, "AFL", "message control: authentication type {}".format(afl.control & 15))
    if afl.key_information is not None:
        spans.add(2, "AFL", "key information")
    if afl.counter is not None:
        spans.add(4, "AFL", "message counter {}".format(afl.counter))
    checked = "right" if telegram.verdict == AUTHENTICATED else "not right or not checked"
    spans.add(len(afl.mac), "AFL", "message authentication code, " + checked)
    if afl.message_length is not None:
        spans.add(2, "AFL", "message length {} bytes".format(afl.message_length))


def _tpl(spans, tpl):
    if tpl.content == ci.REFUSED:
        spans.add(1, "TPL", "CI: " + tpl.name)
        return
    way = {ci.UP: "from the meter", ci.DOWN: "to the meter"}[tpl.direction]
    spans.add(
        1, "TPL", "CI: {}, {} header, {}".format(tpl.name, "no" if tpl.kind == ci.NONE else tpl.kind, way)
    )
    if tpl.kind == ci.NONE:
        return
    if tpl.address is not None:
        device(spans, tpl.address, "TPL", "the meter", id_first=True)
    spans.add(1, "TPL", "access number {}".format(tpl.access_number))
    if tpl.direction == ci.DOWN:
        level = tpl.level_dbm()
        spans.add(
            1, "TPL", "the meter is heard " + ("at {} dBm".format(level) if level else "at an unknown level")
        )
    else:
        spans.add(1, "TPL", "status: " + (", ".join(tpl.status_flags()) or "no error"))
    spans.add(2, "TPL", _configuration(tpl))
    spans.add(len(tpl.configuration_extension), "TPL", "configuration field extension, key version, counter")


def _configuration(tpl):
    text = "configuration field {:04X}h: {}".format(tpl.configuration_field, modes.describe(tpl.mode))
    if tpl.mode in (0, 5):
        if tpl.mode == 5:
            text += ", all is encrypted" if tpl.blocks == 15 else ", blocks encrypted: {}".format(tpl.blocks)
        text += "; {}; {}".format(
            _bits(tpl.configuration_field, _CF_BITS), _CONTENT[tpl.configuration_field >> 2 & 3]
        )
    return text


# Refusals behind which the bytes are in order, only not ours to read.
_NOT_READ = {
    "no_key": "encrypted",
    "wrong_key_or_altered": "encrypted",
    "mac_mismatch": "encrypted or in the clear, but not authentic",
    "unsupported": "encrypted or protected",
    "unsupported_ci": "not read",
    "incomplete": "to be joined",
    "unknown_format": "data of a compact frame",
    "replayed": "not used",
    "downgraded": "not used",
}


def _refused(spans, telegram, end):
    """What stands behind the place where reading ended: encrypted, unknown or damaged."""
    error = telegram.error
    code = error.code
    known = code in _NOT_READ and not (telegram.tpl and telegram.tpl.name == "reserved")
    if telegram.opened_offset is None and telegram.link and telegram.link.ell and telegram.link.ell.encrypted:
        spans.skip_to(end, "ELL", "encrypted: " + error.message, known)
        return
    spans.skip_to(telegram.payload_offset, "?", error.message, known)
    base = telegram.payload_offset
    if telegram.verdict in (DECRYPTED, AUTHENTICATED):
        _check_bytes(spans, telegram)
    elif telegram.encrypted_bytes:
        spans.skip_to(base + telegram.encrypted_bytes, "security", "encrypted: " + error.message, known)
        spans.skip_to(end, "data", "in the clear behind the encrypted part, not read", known)
    if (
        telegram.tpl is not None
        and telegram.tpl.content == ci.COMPACT
        and code in ("unknown_format", "format_mismatch")
    ):
        _check_words(spans, "" if code == "unknown_format" else ", wrong")
    spans.skip_to(end, "data", "{}: {}".format(_NOT_READ.get(code, "damaged"), error.message), known)


def _check_bytes(spans, telegram):
    if application_start(telegram):
        known = "the key is right" if telegram.key != DEFAULT else "a publicly known default key fits"
        spans.add(2, "security", "check bytes 2F 2F: " + known)


def _check_words(spans, verdict=", right"):
    payload, at = spans.telegram.payload, spans.at - spans.telegram.payload_offset
    if at + 4 <= len(payload):
        signature = payload[at] | payload[at + 1] << 8
        spans.add(2, "data", "format signature {:04X}h: which DIBs and VIBs are left out".format(signature))
        spans.add(2, "data", "CRC over the full frame" + verdict)


def _protocol(spans, telegram):
    read = False
    for _, length, name, value, unit in telegram.protocol.fields:
        text = name.replace("_", " ") + ": " + table.printable(str(value)) + (" " + unit if unit else "")
        if not length:
            spans.more(text)
        elif name == "undecoded":
            # Behind fields that were read these bytes should not be there; without any the protocol is another world.
            text = "should not be here" if read else "not read here, kept whole"
            spans.add(length, "data", "{}: {}".format(telegram.protocol.name, text), not read)
        else:
            spans.add(length, "data", text)
            read = True


def _payload(spans, telegram, end):
    base = telegram.payload_offset
    if telegram.protocol is not None and (telegram.error is None or telegram.protocol.fields):
        if telegram.error is None:
            _check_bytes(spans, telegram)
        _protocol(spans, telegram)
    if telegram.error is not None:
        _refused(spans, telegram, end)
        return
    if telegram.protocol is None:
        _records(spans, telegram, base)
    spans.skip_to(base + len(telegram.payload) - telegram.padding, "data", "idle filler", True)
    spans.skip_to(base + len(telegram.payload), "security", "padding", True)
    if telegram.verdict == AUTHENTICATED:
        spans.skip_to(end, "security", "authentication tag, right", True)


def _records(spans, telegram, base):
    _check_bytes(spans, telegram)
    compact = telegram.tpl is not None and telegram.tpl.content == ci.COMPACT
    if compact:
        _check_words(spans)
    end = base  # of the record that was looked at last, its values included
    records = telegram.records
    for index, record in enumerate(records):
        if record.dib:
            spans.rest(end)
            _gap(spans, telegram, base + record.offset)
            head = 0 if compact else len(record.dib) + len(record.vib)
            end = base + record.offset + head + len(record.data)
        expanded = index + 1 < len(records) and not records[index + 1].dib
        _record(spans, record, expanded and record.dib, compact)
    spans.rest(end)
    undecoded = telegram.undecoded
    stop = base + len(telegram.payload) - telegram.padding
    _gap(spans, telegram, base + undecoded.offset if undecoded else stop)
    if undecoded is not None:
        spans.skip_to(stop, "data", "damaged: " + undecoded.reason)


def _gap(spans, telegram, end):
    """Bytes between records: idle filler, and nothing else."""
    first = spans.at - telegram.payload_offset
    between = telegram.payload[first : end - telegram.payload_offset]
    if between == b"\x2f" * len(between):
        spans.add(len(between), "data", "idle filler")
    else:
        spans.skip_to(end, "data")


def _record(spans, record, expanded, compact):
    """expanded: whether it is a compact profile whose values follow as records of their own. compact: its DIB and VIB are
    not in the telegram."""
    if not record.dib:
        spans.add(len(record.data), "data", "{}: {}".format(table.details(record), table.value(record)))
        return
    details = table.details(record)
    unit = " in {}".format(table.printable(record.unit)) if record.unit else ""
    what = table.quantity(record) + unit
    if compact:
        whose = "{}{}: ".format(what, ", " + details if details else "")
    elif not record.vib:  # DIF 0F, 1F, 7F
        spans.add(1, "data", "DIF {:02X}h: {}".format(record.dib[0], what))
        whose = ""
    else:
        field = _FIELD_NAMES.get(record.dib[0] & 15, "special function")
        name = "DIF" if len(record.dib) == 1 else "DIF, DIFE"
        spans.add(len(record.dib), "data", "{}: {}{}".format(name, field, ", " + details if details else ""))
        spans.add(
            len(record.vib), "data", "{}: {}".format("VIF" if len(record.vib) == 1 else "VIF, VIFE", what)
        )
        whose = ""
    if expanded:
        spans.add(1, "data", "{}LVAR: {} bytes".format(whose, record.data[0]))
        spans.add(
            1, "data", "spacing control {:02X}h: {}".format(record.data[1], _INCREMENTS[record.data[1] >> 6])
        )
        spans.add(1, "data", "spacing value {}".format(record.data[2]))
    elif record.quantity == "manufacturer data":
        spans.add(len(record.data), "data", "only the manufacturer knows ({})".format(record.flag))
    else:
        spans.add(len(record.data), "data", whose + (table.value(record) or "(no value)"))


def with_crcs(spans, frame_format):
    """The same spans over the frame: link CRCs put between them, spans that a CRC cuts are continued behind it."""
    total = spans[-1].end if spans else 0
    borders = list(range(10, total, 16)) if frame_format == "A" else [126] if total > 126 else []
    borders.append(total)
    out, shift = [], 0
    queue = list(reversed(spans))
    for number, border in enumerate(borders, 1 if frame_format == "A" else 2):
        while queue and queue[-1].start < border:
            span = queue.pop()
            if span.end > border:
                queue.append(_cut(span, border, span.end, " (continued)"))
                span = _cut(span, span.start, border, "")
            out.append(span._replace(start=span.start + shift, end=span.end + shift))
        out.append(
            Span(
                border + shift,
                border + shift + 2,
                "link",
                "CRC of block {}, right".format(number),
                None,
                True,
            )
        )
        shift += 2
    if frame_format == "B":
        # The telegram's own L-field was made without the CRCs; the one on the air counts them (EN 13757-4 12.5.3).
        out[0] = out[0]._replace(meaning="L-field: {} bytes follow, CRCs counted".format(out[-1].end - 1))
    return out


def _cut(span, start, end, note):
    plain = None if span.plain is None else span.plain[start - span.start : end - span.start]
    meaning = span.meaning if span.meaning.endswith(note) else span.meaning + note
    return Span(start, end, span.layer, meaning, plain, span.known)
