"""Commands as a gateway sends them, made with transport.sealing, and the breaker of OMS Vol.2 Annex M UC-03 (direct type)."""

from omsnode.firmware.application import error_codes, sitp_blocks
from omsnode.firmware.link import extended, frame_a
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import radio
from omsnode.firmware.roles.device import Told
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, header, protection, sealing

METER = Address.parse("12345678.M=XYZ.V=55.T=20")
GATEWAY = Address.parse("87654321.M=XYZ.V=08.T=31")
MASTER = Key(bytes(range(16)))
WRAPPER = Key(bytes(range(100, 116)))
STORAGE = Key(bytes(range(200, 216)))
# Annex N.12.2
APPLICATION = Key.from_hex("08154711081547110815471108154711")
KEYS = {(0, 0): MASTER, (0x12, 0): WRAPPER, (0x20, 0): APPLICATION}


class Breaker:
    """DC1! 01 FD1F xx in secured data under KeyID 20."""

    def __init__(self):
        self.asked = []

    def respond(self, key_id, protocol, apdu):
        self.asked.append(apdu)
        if protocol != 1 or apdu[:3] != b"\x01\xfd\x1f" or len(apdu) != 4 or apdu[3] > 1:
            return sitp_blocks.PARAMETER, b""
        return (sitp_blocks.OK, apdu) if key_id == 0x20 else (error_codes.TOO_WEAK, b"")

    def plain(self, ci, data, now_us):
        """A protected function outside of a secured container (OMS Vol.2 8.8)."""
        code = error_codes.TOO_WEAK if ci == 0x5B else error_codes.CI_NOT_IMPLEMENTED
        return Told(code, None, b"", 0)

    # What else a roles.device.Device has; there is nothing to it here.
    status = 0

    def at(self, now_us, wall_us=None, values=()):
        pass

    rollback = alarm_sent = at

    def snapshot(self):
        pass

    clock_us = alarm = response = export = lambda self, *nothing: None

    def take_changes(self):
        return []

    take_jobs = take_changes


def heard(telegram, end_us):
    """The event of a radio for a telegram without link CRCs."""
    frame = frame_a.build(telegram)
    return radio.Event(radio.FRAME, end_us - 20000, end_us, bytes(frame), "C", "A", -66)


def command(
    data,
    counter,
    number=0x23,
    ci=0xC3,
    c_field=0x43,
    mode=7,
    key=MASTER,
    tpl_number=None,
    key_id=0,
    key_version=None,
    receiver=None,
    up=False,
    cc=0x84,
    meter=METER,
    with_afl=True,
):
    """A sealed telegram from GATEWAY to METER; bytes without link CRCs."""
    security = sealing.Security(mode, key if mode else None, counter, key_id, key_version)
    security.padded = mode == 7 and (len(data) + 2) % 16 != 0
    number_of_tpl = number if tpl_number is None else tpl_number
    afl, message = sealing.seal(security, ci, meter, number_of_tpl, 0x20, data, long=True, up=up)
    head = extended.build(cc, number, receiver) + (authentication.build(afl) if afl and with_afl else b"")
    return link_telegram.build(c_field, GATEWAY, head + message)


def request(number, c_field=0x5B):
    """REQ-UD2 with long header (or another C-field without data)."""
    tpl = bytes.fromhex("80") + METER.tpl_bytes() + bytes((number, 0x20, 0, 0))
    return link_telegram.build(c_field, GATEWAY, extended.build(0x84, number) + tpl)


class Answer:
    """A telegram of the meter, opened. blocks: of an SITP answer, else None. data: application bytes."""

    def __init__(self, telegram, key=MASTER):
        self.telegram = telegram
        self.link = link_telegram.parse(telegram)
        at = self.link.offset
        self.afl = authentication.parse(telegram, at) if telegram[at] == 0x90 else None
        self.tpl = header.parse(telegram, self.afl.payload_offset if self.afl else at)
        opened = protection.open_message(telegram, self.tpl, self.afl, METER, lambda *which: key)
        self.opened = opened
        start = 2 if self.tpl.mode == 7 else 0
        self.data = opened.payload[start : len(opened.payload) - opened.padding]
        self.blocks = sitp_blocks.read(self.data) if self.tpl.ci in (0xC4, 0xC5) else None
