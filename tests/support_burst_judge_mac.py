"""MAC frames of the burst mode with their LLC, as they were on the air: layouts of LPWAN sheet 12 to 16 and 20, typed in. MAC bodies
are opened with an AES of others (cryptography).
"""

from collections import namedtuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

UP = {0: "MSNR", 1: "MRSP", 2: "MERR", 8: "MACC", 9: "MACK"}
DOWN = {12: "MCNR", 13: "MCMD"}
USAGE = {"MSNR": 0, "MRSP": 2, "MCMD": 3, "MCNR": 3}  # bit 0: downlink, bit 1: the command counter
C_UP = {
    0x44: "SND-NR",
    0x46: "SND-IR",
    0x47: "ACC-NR",
    0x48: "ACC-DMD",
    0x00: "ACK",
    0x01: "NACK",
    0x08: "RSP-UD",
}
C_DOWN = {0x40: "SND-NKE", 0x43: "SND-UD2", 0x53: "SND-UD", 0x73: "SND-UD", 0x5A: "REQ-UD1", 0x7A: "REQ-UD1"}
C_DOWN.update({0x5B: "REQ-UD2", 0x7B: "REQ-UD2", 0x00: "ACK", 0x06: "CNF-IR"})
MACK = bytes.fromhex("098378CFC7")
# CI codes that a LPWAN frame never has (sheet 20).
FORBIDDEN_CI = (0x50, 0x51, 0x52, 0x54, 0x70, 0x71, 0xB8, 0xBB, 0xBD, 0xBE, 0xBF, 0xCF)
# Section 15: MBlocks that never stand in a body that is not secured.
SECURE = (0, 1, 2, 3, 4, 5, 6, 7, 0x12, 0x13, 0x14)
# Section 14, access options #1 to #6: additional window, downlink multi, response timing, DL-RXM in ms of UL-B1..3, UL-B4
ACCESS = {
    1: (False, False, 2, 400, 75),
    2: (True, False, 2, 400, 75),
    3: (False, True, 2, 300, 50),
    4: (True, True, 2, 300, 50),
    5: (False, False, 1, None, None),
    6: (False, True, 1, None, None),
}
RXM_MS = (None, 25, 35, 50, 75, 110, 150, 200, 300, 400, 500, 650, 800, 1150, 1600, 2200)

# access: option 1..6 or None. code: DL-AC. downlink: "DL-B3". session: UL-SC. ub, uc: (n0, n1, n2). timing: option. rxm_ms: None
# unlimited.
Up = namedtuple("Up", "lms code access downlink session ub uc additional multi timing rxm_ms told")
Down = namedtuple("Down", "rtrm acp sc")
Body = namedtuple("Body", "raw der counter tag secret associated")


class Malformed(Exception):
    """No frame of the annex."""


def crc(data):
    rest = 0
    for byte in data:
        rest ^= byte << 24
        for _ in range(8):
            rest = rest << 1 ^ (0x1F4ACFB13 if rest & 1 << 31 else 0)
    return rest


def _triple(sci):
    if sci > 124:
        raise Malformed("SCI {}".format(sci))
    return sci % 5, sci // 5 % 5, sci // 25


class Frame:
    """A MAC frame. uplink: name of the sub-mode it came on, None in a downlink."""

    def __init__(self, raw, uplink):
        self.raw = raw
        if crc(raw):
            raise Malformed("MAC CRC")
        control, at, end = raw[0], 1, len(raw) - 4
        names = UP if uplink else DOWN
        self.kind = names.get(control & 15)
        if self.kind is None or control & 0x10:
            raise Malformed("MHCTL {:02X}".format(control))
        if control & 0x80:
            raise Malformed("MHCTL[1] {:02X}: MSP1 needs none".format(raw[at]))
        self.up = self.da = self.body = None
        self.ub_missing = False
        if uplink:
            self.up = Up(0, 0, None, None, 0, None, None, False, False, None, None, False)
        if control & 0x40:
            if uplink:
                at = self._elements(at, uplink)
            else:
                self.da = Down(raw[at] >> 4 & 7, raw[at] >> 1 & 1, raw[at] & 1)
                if raw[at] & 0x8C:
                    raise Malformed("DA {:02X}".format(raw[at]))
                at += 1
        if self.da is None and not uplink:
            self.da = Down(0, 0, 0)
        if control & 0x20:
            at = self._body(at)
        self._llc(raw[at:end], uplink)

    def _elements(self, at, uplink):
        raw = self.raw
        first = raw[at]
        at += 1
        code, more = first & 7, first & 0x80
        option = code - 1 if code >= 2 else None
        downlink = "DL-{}{}".format("BS"[first >> 5 & 1], (first >> 3 & 3) + 1) if option else None
        if first & 0x20 and not option:
            raise Malformed("DL-T is set without access")
        session = 0 if option else first >> 3 & 3
        ub = uc = None
        additional, multi, timing, b13, b4 = ACCESS[option] if option else (False, False, None, None, None)
        rxm = b4 if uplink == "UL-B4" else b13
        told = False
        if more and uplink != "UL-B4":
            ub, more = _triple(raw[at] & 0x7F), raw[at] & 0x80
            at += 1
        if more and downlink in ("DL-B1", "DL-B2"):
            uc, more = _triple(raw[at] & 0x7F), raw[at] & 0x80
            at += 1
        if more and option:
            timing, rxm, more = (raw[at] >> 4 & 7) + 1, RXM_MS[raw[at] & 15], raw[at] & 0x80
            told = True
            at += 1
        if more:
            raise Malformed("a MElement behind the last")
        if downlink in ("DL-B1", "DL-B2") and uc is None:
            raise Malformed("no UC for " + downlink)
        if additional and timing not in (1, 2, 3):
            raise Malformed("additional window with response timing {}".format(timing))
        lms = first >> 6 & 1
        self.up = Up(lms, code, option, downlink, session, ub, uc, additional, multi, timing, rxm, told)
        return at

    def _body(self, at):
        raw = self.raw
        control = raw[at]
        behind = at + 1
        length = control & 31
        if control & 0x80:
            if raw[behind] & 0xFE:
                raise Malformed("MBCTL[1] {:02X}".format(raw[behind]))
            length |= (raw[behind] & 1) << 5
            behind += 1
        end = behind + length
        if end > len(raw) - 4:
            raise Malformed("the MAC body is longer than the frame")
        start = behind
        der = counter = tag = None
        if control & 0x40:
            der = raw[behind]
            behind += 1
        associated = raw[at:behind]
        if control & 0x20:
            counter = int.from_bytes(raw[behind : behind + 2], "little")
            tag = raw[behind + 2 : behind + 6]
            behind += 6
        if behind > end:
            raise Malformed("the MAC body has no room for its counters")
        self.body = Body(raw[at:end], der, counter, tag, raw[behind:end], associated)
        assert start <= behind
        return end

    def _llc(self, data, uplink):
        self.flag = self.c = self.number = self.address = self.receiver = None
        self.kind_of_link, self.upper = None, b""
        self.message_counter = None
        self.tpl_number = None
        if not data:
            if self.kind != "MACK":
                raise Malformed("no LLC")
            return
        fields, at = data[0], 1
        if fields & 0x20:
            raise Malformed("LC[0] {:02X}".format(fields))
        if fields & 0x80:
            raise Malformed("LC[1] of an integrated meter")
        self.flag = fields >> 6 & 1
        if fields & 1:
            self.c, at = data[at], at + 1
            known = C_UP if uplink else C_DOWN
            bare = self.c & 0xCF if uplink and self.c < 0x40 else self.c
            self.kind_of_link = known.get(bare)
            if self.kind_of_link is None:
                raise Malformed("C-field {:02X}".format(self.c))
        if fields & 2:
            self.address, at = data[at : at + 8], at + 8
        if fields & 4:
            self.receiver, at = data[at : at + 8], at + 8
        if fields & 8:
            self.number, at = data[at], at + 1
        self.upper = data[at:]
        if bool(self.upper) != bool(fields & 0x10):
            raise Malformed("ULP of LC[0] {:02X}".format(fields))
        if self.upper:
            self._above()

    def _above(self):
        upper = self.upper
        if upper[0] in FORBIDDEN_CI:
            raise Malformed("CI {:02X}".format(upper[0]))
        self.fragment, at = 0, 0
        if upper[0] == 0x90:
            afl = upper[2 : 2 + upper[1]]
            fcl = int.from_bytes(afl[:2], "little")
            self.fragment = fcl & 0xFF
            if fcl >> 11 & 1:  # MCR, behind MCL and KI
                place = 2 + (fcl >> 13 & 1) + 2 * (fcl >> 9 & 1)
                self.message_counter = int.from_bytes(afl[place : place + 4], "little")
            at = 2 + upper[1]
        self.upper_ci = upper[at] if at < len(upper) else None

    @property
    def text(self):
        words = [self.kind]
        if self.kind_of_link:
            words.append(self.kind_of_link)
        if self.body is not None:
            words.append("body")
        return " ".join(words)


def blocks(data):
    """[(MBlockID, value)] of MBlocks in clear (section 12)."""
    out, at = [], 0
    while at < len(data):
        first, at = data[at], at + 1
        if first & 0x40:
            raise Malformed("MBH[0] {:02X}".format(first))
        number, length = first & 15, first >> 4 & 3
        if first & 0x80:
            second, at = data[at], at + 1
            if second & 0x8C:
                raise Malformed("MBH[1] {:02X}".format(second))
            number |= (second & 3) << 4
            length |= (second >> 4 & 7) << 2
        if at + length > len(data):
            raise Malformed("MBlocks do not add up")
        out.append((number, data[at : at + length]))
        at += length
    return out


def opened(frame, key, address, der):
    """[(MBlockID, value)] of a secured body; None if its tag is wrong. address: of the meter, M ID version type. der: MDerCounter in
    force where the body names none."""
    body = frame.body
    mac = CMAC(AES(key))
    mac.update(bytes((der if body.der is None else body.der,)) + address[:6] + b"\x09" * 9)
    nonce = address + bytes((USAGE[frame.kind], 0, 0)) + body.counter.to_bytes(2, "big")
    # The tag is sent in front of what it protects, encrypted as CCM has it at the end.
    try:
        clear = AESCCM(mac.finalize(), tag_length=4).decrypt(nonce, body.secret + body.tag, body.associated)
    except InvalidTag:
        return None
    return blocks(clear)
