"""Text lines that hold a telegram: read whatever the tools of this field write, and write `rtlwmbus` lines.

Understood: hex with or without link CRCs and wired frames (found out by itself), `rtlwmbus` lines, CUL `b...` and
`bY...` lines, wmbusmeters' `telegram=|...|+5` lines. Blank lines and lines that begin with `#` are no telegrams.
"""

import re
from dataclasses import dataclass

from ..errors import CrcError, LengthError, LineError
from ..link import frame_a, frame_b, wired
from ..link.crc import crc16

_HEX = frozenset("0123456789abcdefABCDEF")
_BLANKS = frozenset(" \t_|")  # for reading only
_MODE = re.compile(r"[A-Z][0-9](?:-[a-zA-Z])?\Z")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?Z?\Z", re.ASCII)
_LEVEL = re.compile(r"[+-]?\d{1,3}\Z", re.ASCII)


@dataclass
class Line:
    """A telegram out of a text line.

    telegram: bytes from the L-field on without link CRCs, or a whole wired frame. frame_format: "A", "B" or "wired", None if
    the line does not tell. frame: the same with its link CRCs, None if the line had none. error: LengthError if the L-field does not fit; then
    `telegram` is what there is, with its own number of bytes in the L-field, and `l_field` is what stood there. cut:
    bytes are missing from it. mode: "T1", "C1", "S1" ..., rssi_dbm, timestamp (ISO 8601, UTC): None where the line does
    not tell.
    """

    telegram: bytes
    frame_format: str | None = None
    frame: bytes | None = None
    error: LengthError | None = None
    l_field: int | None = None
    cut: bool = False
    mode: str | None = None
    rssi_dbm: int | None = None
    timestamp: str | None = None


def parse_line(line, keep=False):
    """Read one line of text. Returns a Line, or None for a blank line or a comment.

    Raises LineError (position = column), LengthError (position = byte), CrcError (position = block), or what
    link.wired.parse raises. keep: a
    LengthError is not raised but stands in the Line, if at least the address is there. Never send such a telegram.
    """
    text = line.strip()
    if not text or text[0] == "#":
        return None
    column = line.index(text[0])
    if text.startswith("telegram="):
        return _wmbusmeters(text, column, keep)
    if ";" in text:
        return _rtlwmbus(text, column, keep)
    if text[0] == "b" and (text[1:2] == "Y" or _is_odd(text)):
        return _cul(text, column)
    return frame_or_telegram(hex_bytes(text, column), keep)


def _is_odd(text):
    """Whether this is an odd number of hex digits and nothing else: the b of a CUL line makes it so."""
    return len(text) % 2 == 1 and _HEX.issuperset(text)


def looks_like_hex(text):
    """Whether these are hex digits and what may stand between them, whatever their number."""
    return _HEX.union(_BLANKS).issuperset(text[2:] if text[:2] in ("0x", "0X") else text)


def hex_bytes(text, column):
    """Bytes of hex digits; blanks, bars and underscores between them are for reading. column: of text in the line."""
    if text[:2] in ("0x", "0X"):
        text, column = text[2:], column + 2
    try:
        data = bytes.fromhex(text)
        if data and 2 * len(data) == len(text):
            return data
    except ValueError:
        pass  # told below
    if not _HEX.issuperset(text):
        for index, char in enumerate(text):
            if char not in _HEX and char not in _BLANKS:
                json = text[0] in "{["
                message = "this is JSON, no telegram line" if json else "not a hex digit"
                raise LineError(message, position=column + index)
        text = "".join(char for char in text if char not in _BLANKS)
    if len(text) % 2:
        message = "odd number of hex digits ({})".format(len(text))
        raise LineError(message, position=column + len(text), hint="a digit is missing, or the line was cut")
    if not text:
        raise LineError("no hex digits", position=column)
    return bytes.fromhex(text)


def frame_or_telegram(data, keep=False):
    """A Line from bytes that may or may not have link CRCs, in format A or B, or that are a wired frame.

    Without CRCs there are L bytes behind the L-field. The same holds for format B with its CRCs; then the CRCs decide.
    keep: see parse_line.
    """
    if not data:
        raise LengthError("no bytes", position=0)
    if wired.is_wired(data) and not _has_crcs(data):
        wired.parse(data)
        return Line(data, "wired")
    length = data[0]
    blocks = -((9 - length) // 16) if length > 9 else 0
    if len(data) == length + 1:
        if _may_be_b(data):
            try:
                return Line(bytes(frame_b.strip(data)), "B", data)
            except (CrcError, LengthError):
                pass
        return Line(data)
    if length >= 9 and len(data) == length + 1 + 2 * (1 + blocks):
        return Line(bytes(frame_a.strip(data)), "A", data)
    message = "L = {} announces {} bytes, or {} with link CRCs, but there are {}".format(
        length, length + 1, length + 3 + 2 * blocks, len(data)
    )
    error = LengthError(message, position=min(len(data), length + 1))
    line = _what_there_is(data, error) if keep else None
    if line is None:
        raise error
    return line


def _parities():
    """Some bits of the CRC: of each a mask. A right frame has an odd number of ones below it, its CRC being the last."""
    masks = [1 << bit for bit in range(8)]
    first = remainder = crc16(b"\x01") ^ 0xFFFF
    for at in range(16, 16 + 8 * _SPLIT):
        for bit in range(8):
            masks[bit] |= (remainder >> bit & 1) << at
        remainder = remainder << 1 & 0xFFFF ^ (first if remainder & 0x8000 else 0)
    return masks


_SPLIT = 126  # format B: bytes below the first CRC at the most
_PARITIES = _parities()


def _may_be_b(data):
    """Whether the first CRC of format B may be right. Most lines have none, and their second or third parity tells: the
    whole CRC would take as long as to decrypt them."""
    number = int.from_bytes(data[: min(len(data), _SPLIT + 2)], "big")
    return all((number & mask).bit_count() & 1 for mask in _PARITIES)


def _has_crcs(data):
    """Whether this is a frame of format A or B with right CRCs: what looks wired may have come by radio."""
    for strip in (frame_a.strip, frame_b.strip):
        try:
            strip(data)
            return True
        except (CrcError, LengthError):
            pass
    return False


def _what_there_is(data, error):
    """The Line of bytes whose L-field does not fit them, or None if they are less than an address or more than a telegram."""
    telegram = bytearray(data)
    announced = data[0] + 1
    if len(data) >= 12 and crc16(data, 0, 10) == data[10] << 8 | data[11]:
        telegram, rest = _right_blocks(data)
        message = "{}; behind the last block with a right CRC: {}".format(error.message, rest.hex().upper())
        error = LengthError(message, error.position)
    if not 10 <= len(telegram) <= 256:
        return None
    cut = len(telegram) < announced
    telegram[0] = len(telegram) - 1
    return Line(bytes(telegram), error=error, l_field=data[0], cut=cut)


def _right_blocks(data):
    """The blocks of format A at the beginning of `data` whose CRC is right, no more than the L-field announces, without
    their CRCs; and what stands behind them.
    """
    out = bytearray()
    start, size = 0, 10
    while size > 0:
        block = data[start : start + size + 2]
        if len(block) < size + 2 or crc16(block, 0, size) != block[size] << 8 | block[size + 1]:
            break
        out += block[:size]
        start += size + 2
        size = min(16, data[0] + 1 - len(out))
    return out, data[start:]


def _wmbusmeters(text, column, keep):
    """telegram=|HEADER_PAYLOAD|+seconds: one or two parts between bars, the seconds may be missing."""
    start = text.find("|")
    end = text.rfind("|")
    if start < 0 or start == end:
        raise LineError("no bars around the telegram", position=column + len("telegram="))
    return frame_or_telegram(hex_bytes(text[start + 1 : end], column + start + 1), keep)


def _cul(text, column):
    """b<format A> or bY<format B>, always with link CRCs, then LQI and RSSI; no mode, no time."""
    skip = 2 if text[1:2] == "Y" else 1
    data = hex_bytes(text[skip:], column + skip)
    frame, tail = data[:-2], data[-2:]
    if len(frame) < 10:
        raise LengthError("a CUL line holds a frame and two bytes of LQI and RSSI", position=len(data))
    strip = frame_b.strip if skip == 2 else frame_a.strip
    level = tail[1] - 256 if tail[1] > 127 else tail[1]
    return Line(bytes(strip(frame)), "B" if skip == 2 else "A", frame, rssi_dbm=level // 2 - 74)


def _rtlwmbus(text, column, keep):
    """MODE;CRC_OK;3OUTOF6OK;TIME;RSSI;CUR_RSSI;ID;0xHEX, as rtl_wmbus writes it, perhaps behind an algorithm's name."""
    fields = text.split(";")
    first = 0 if _MODE.match(fields[0]) else 1
    if len(fields) < first + 8 or not _MODE.match(fields[first]):
        raise LineError("semicolons, but no rtlwmbus line", position=column)
    mode, crc_ok, _, time, level = fields[first : first + 5]
    if crc_ok != "1":
        raise CrcError("the receiver says that the link CRC is wrong")
    at = column + sum(len(field) + 1 for field in fields[: first + 7])
    line = frame_or_telegram(hex_bytes(fields[first + 7], at), keep)
    line.mode = mode
    line.rssi_dbm = int(level) if _LEVEL.match(level) else None
    match = _TIME.match(time)
    line.timestamp = "{}T{}.{:0<3}Z".format(match[1], match[2], match[3] or "") if match else None
    return line


def rtlwmbus(telegram, mode, timestamp, rssi_dbm=None):
    """An `rtlwmbus` line (without line end) that wmbusmeters accepts.

    telegram: bytes from the L-field on without link CRCs, L counted so. mode: name of the radio mode; only T1, C1 and
    S1 are accepted, so the others are written as the one they sound like. timestamp: "2026-01-31T12:00:00.000Z" or with
    a blank, UTC. rssi_dbm: written as a negative integer, or as 0, which that program takes for "not known". LineError
    for a mode without a counterpart.
    """
    short = mode[:1] + "1"
    if short not in ("T1", "C1", "S1"):
        raise LineError("no rtlwmbus name for mode " + mode)
    level = 0 if rssi_dbm is None else min(-1, max(-999, int(round(rssi_dbm))))
    time = timestamp.replace("T", " ").rstrip("Z")
    return "{};1;1;{};{};;;0x{}".format(short, time, level, bytes(telegram).hex())
