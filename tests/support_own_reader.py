"""A second reader of telegrams, for the judge: link layer, security and records, from the published tables only.

Nothing of omsnode is used, and whoever wrote this did not write the decoder. It is slow, plain and trusts its input:
telegrams of the vector files, not of the air.
"""

import binascii
import collections
import struct
from fractions import Fraction

from Crypto.Cipher import AES
from Crypto.Hash import CMAC

Record = collections.namedtuple("Record", "at dib vib data function storage tariff subunit unit value")
Opened = collections.namedtuple(
    "Opened", "ci address header body"
)  # body: behind the last header, in plain text

_TIMES = ("s", "min", "h", "d")
_SIZES = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 6: 6, 7: 8, 8: 0, 9: 1, 10: 2, 11: 3, 12: 4, 14: 6}


def _crc(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x3D65 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc ^ 0xFFFF


def without_crcs(frame, kind):
    """The telegram of a stored frame. kind: what the corpus says about it."""
    if "format A" in kind:
        out, rest = frame[:10], frame[12:]
        while rest:
            out, rest = out + rest[:-2][:16] if len(rest) < 18 else out + rest[:16], rest[18:]
        return out
    if "format B" in kind:
        out = b""
        for at in range(0, len(frame), 128):
            out += frame[at : at + 128][:-2]
        return out
    return frame


def open_wireless(frame, key=None):
    """Opened of a telegram without link CRCs, decrypted where it is not stored in plain text."""
    link = frame[2:10]
    address, at, counter = link, 10, None
    ell = None
    if frame[at] == 0x8C:
        at += 3
    elif frame[at] == 0x8D:
        ell, at = frame[at + 1 : at + 9], at + 9
    rest = frame[at:]
    if ell and _crc(rest) != int.from_bytes(ell[6:8], "little") and key:
        block = link + ell[0:1] + ell[2:6] + bytes(3)  # M A CC SN FN BC
        cipher = AES.new(key, AES.MODE_CTR, nonce=block[:15], initial_value=0)
        rest = cipher.decrypt(frame[at - 2 :])
        assert _crc(rest[2:]) == int.from_bytes(rest[:2], "little")
        rest = rest[2:]
    if rest[0] == 0x90:
        afl = rest[2 : 2 + rest[1]]
        counter = afl[3:7]
        rest = rest[2 + rest[1] :]
    ci = rest[0]
    if ci in (0x72, 0x73, 0x6B, 0x53):
        address = rest[5:7] + rest[1:5] + rest[7:9]
        tpl, body = rest[9:13], rest[13:]
    elif ci in (0x7A, 0x7B, 0x6A):
        tpl, body = rest[1:5], rest[5:]
    else:
        return Opened(ci, address, b"", rest[1:])
    mode = tpl[3] & 0x1F
    if mode == 7:
        body = body[1:]
    size = 16 * (tpl[2] >> 4)
    if mode in (5, 7) and size and body[:2] != b"//":
        if mode == 5:
            iv = address + tpl[0:1] * 8
        else:
            ident = address[2:6]
            key = CMAC.new(key, bytes([0]) + counter + ident + bytes([7]) * 7, AES).digest()
            iv = bytes(16)
        body = AES.new(key, AES.MODE_CBC, iv).decrypt(body[:size]) + body[size:]
        assert body[:2] == b"//"
    return Opened(ci, address, tpl, body)


def open_wired(frame):
    """Opened of a frame 68 L L 68 C A CI ... CS 16."""
    assert frame[0] == frame[3] == 0x68 and frame[1] == frame[2] == len(frame) - 6 and frame[-1] == 0x16
    assert sum(frame[4:-2]) & 255 == frame[-2]
    rest = frame[6:-2]
    if rest[0] in (0x72, 0x73):
        return Opened(rest[0], rest[5:7] + rest[1:5] + rest[7:9], rest[9:13], rest[13:])
    return Opened(rest[0], b"", b"", rest[1:])


def open_entry(form, kind):
    """Opened of a corpus entry or its encrypted form. kind: the frame of the entry's header."""
    frame = binascii.unhexlify(form["telegram"])
    if kind == "wired":
        return open_wired(frame)
    text = form.get("key")
    key = binascii.unhexlify(text) if text and len(text) == 32 else None
    return open_wireless(without_crcs(frame, kind), key)


def expand(body, headers):
    """(full frame of a compact frame, whether its CRC fits), both behind CI or header. headers: {signature: DIBs and VIBs}."""
    head = headers[int.from_bytes(body[0:2], "little")]
    data, full, at = body[4:], b"", 0
    while at < len(head):
        end = head_end(head, at)
        dif = head[at] & 15
        size = _SIZES[dif] if dif != 13 else 1 + lvar_size(data[0])
        full += head[at:end] + data[:size]
        data, at = data[size:], end
    return full + data, _crc(full) == int.from_bytes(body[2:4], "little")


def signature(body):
    """(signature, DIBs and VIBs) of the records of a full frame."""
    head = b"".join(r.dib + r.vib for r in records(body) if r.vib)
    return _crc(head), head


def lvar_size(lvar):
    if lvar < 0xC0:
        return lvar
    if lvar < 0xF0:
        return lvar & 15
    return {0xF5: 48, 0xF6: 64}.get(lvar) or 4 * (lvar - 0xEC)


def head_end(body, at):
    """Index behind DIB and VIB of the record at `at`."""
    while body[at] & 0x80:
        at += 1
    at += 1
    start = at
    first = body[at]
    plain = first & 0x7F == 0x7C
    if plain and first == 0x7C:
        return at + 2 + body[at + 1]
    if (
        plain
        and 0 < body[at + 1] <= 12
        and all(0x20 <= b < 0x7F for b in body[at + 2 : at + 2 + body[at + 1]])
    ):
        at += 1 + body[at + 1]  # length and text directly behind FC, its VIFEs behind them
        while True:
            at += 1
            if not body[at] & 0x80:
                return at + 1
    while body[at] & 0x80:
        at += 1
    at += 1
    if plain:
        at += 1 + body[at]
    assert at > start
    return at


def records(body):
    """All records that are whole; manufacturer data behind DIF 0F or 1F is a record without VIB."""
    out, at = [], 0
    while at < len(body):
        if body[at] == 0x2F:
            at += 1
            continue
        if body[at] in (0x0F, 0x1F):
            out.append(Record(at, body[at : at + 1], b"", body[at + 1 :], 0, 0, 0, 0, None, None))
            break
        if body[at] & 15 == 15:
            break
        try:
            one, at = _record(body, at)
        except IndexError:
            break
        out.append(one)
    return out


def _record(body, at):
    """(Record at `at`, index behind it); IndexError where the body ends before."""
    dif = body[at]
    end = at + 1
    storage, tariff, subunit, k = dif >> 6 & 1, 0, 0, 0
    while body[end - 1] & 0x80:
        e = body[end]
        storage |= (e & 15) << (1 + 4 * k)
        tariff |= (e >> 4 & 3) << (2 * k)
        subunit |= (e >> 6 & 1) << k
        k += 1
        end += 1
    stop = head_end(body, at)
    vib = body[end:stop]
    size = _SIZES[dif & 15] if dif & 15 != 13 else 1 + lvar_size(body[stop])
    data = body[stop : stop + size]
    if len(data) < size:
        raise IndexError
    unit, exponent, signed = meaning(vib)
    raw = number(dif & 15, data, signed)
    value = raw if raw is None or unit is None else raw * Fraction(10) ** exponent
    one = Record(at, body[at:end], vib, data, dif >> 4 & 3, storage, tariff, subunit, unit, value)
    return one, stop + size


def bcd(data):
    """Digits of BCD, least significant byte first; a leading F is a minus sign; None where there are others."""
    digits = "".join("{:02X}".format(b) for b in reversed(data))
    sign = 1
    if digits[:1] == "F":
        sign, digits = -1, "0" + digits[1:]
    return sign * int(digits) if digits.isdecimal() else None


def number(field, data, signed=True):
    if field in (9, 10, 11, 12, 14):
        value = bcd(data)
        return None if value is None else Fraction(value)
    if field == 5:
        value = struct.unpack("<f", data)[0]
        return None if value != value else Fraction(value)
    if field in (1, 2, 3, 4, 6, 7):
        return Fraction(int.from_bytes(data, "little", signed=signed))
    return None


def meaning(vib):
    """(unit or None, power of ten, signed) of a VIB; VIFEs that multiply are applied, others left alone."""
    first, rest = vib[0], vib[1:]
    code = first & 0x7F
    signed = True
    if first == 0xFB:
        unit, exponent = _fb(rest[0] & 0x7F)
        code, rest = 0x100, rest[1:]
    elif first == 0xFD:
        unit, exponent = _fd(rest[0] & 0x7F)
        signed = not (0x08 <= rest[0] & 0x7F <= 0x3F or rest[0] & 0x7F in (0x66, 0x74, 0x75, 0x60, 0x61))
        code, rest = 0x100, rest[1:]
    else:
        unit, exponent = _primary(code)
    for at, vife in enumerate(rest if first & 0x7F != 0x7F else b""):
        one = vife & 0x7F
        if one == 0x7F:
            break
        if one == 0x7D:
            exponent += 3
        elif 0x70 <= one <= 0x77:
            exponent += one - 0x76
        elif 0x50 <= one <= 0x5F or 0x60 <= one <= 0x67:
            unit, exponent = _TIMES[one & 3], 0
        elif one == 0x7C and rest[at + 1] & 0x7F == 0x11:
            signed = False
            break
    return unit, exponent, signed


def _primary(code):
    low = code & 7
    for start, unit, exponent in (
        (0x00, "Wh", -3), (0x08, "J", 0), (0x10, "m3", -6), (0x18, "kg", -3), (0x28, "W", -3), (0x30, "J/h", 0),
        (0x38, "m3/h", -6), (0x40, "m3/min", -7), (0x48, "m3/s", -9), (0x50, "kg/h", -3),
    ):  # fmt: skip
        if start == code & 0x78:
            return unit, low + exponent
    if 0x58 <= code <= 0x67:
        return ("K" if code & 0x7C == 0x60 else "°C"), (code & 3) - 3
    if 0x68 <= code <= 0x6B:
        return "bar", (code & 3) - 3
    if 0x20 <= code <= 0x27 or 0x70 <= code <= 0x77:
        return _TIMES[code & 3], 0
    return ("HCA", 0) if code == 0x6E else (None, 0)


def _fb(code):
    for start, mask, unit, exponent in (
        (0x00, 1, "Wh", 5), (0x02, 1, "varh", 3), (0x04, 1, "VAh", 3), (0x08, 1, "J", 8), (0x10, 1, "m3", 2),
        (0x14, 3, "var", 0), (0x18, 1, "kg", 5), (0x1A, 1, "%", -1), (0x28, 1, "W", 5), (0x2C, 3, "Hz", -3),
        (0x30, 1, "J/h", 8), (0x34, 3, "VA", 0), (0x78, 7, "W", -3),
    ):  # fmt: skip
        if code & ~mask == start:
            return unit, (code & mask) + exponent
    return None, 0


def _fd(code):
    if 0x40 <= code <= 0x4F:
        return "V", (code & 15) - 9
    if 0x50 <= code <= 0x5F:
        return "A", (code & 15) - 12
    for start in (0x24, 0x2C, 0x34, 0x3C):
        if code & 0x7C == start:
            return _TIMES[code & 3], 0
    if 0x31 <= code <= 0x33:
        return _TIMES[code & 3], 0
    return {0x71: ("dBm", 0), 0x74: ("d", 0), 0x6C: ("h", 0), 0x6D: ("d", 0)}.get(code, (None, 0))
