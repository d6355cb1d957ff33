"""Messages of security.json beside the repository, taken apart to where transport.protection begins."""

import json

from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, header, protection, sealing

SEALED_MODES = (5, 7, 10)


def vectors(shared):
    return json.loads((shared / "vectors" / "security.json").read_text(encoding="utf-8"))


class Parts:
    """data: from the first CI code on. afl, tpl, address, key: as the vector has them."""

    def __init__(self, text, key, wired=False):
        raw = bytes.fromhex(text)
        self.address = None
        if wired:
            self.data = raw[6:-2]
        else:
            link = link_telegram.parse(raw)
            self.address = link.address
            self.data = raw[link.offset :]
        self.key = Key.from_hex(key)
        self.afl = authentication.parse(self.data, 0) if self.data[0] == authentication.CI else None
        self.message = self.data[self.afl.payload_offset :] if self.afl else self.data
        if not (self.afl and self.afl.fragmented()):
            self.read(self.message)

    def read(self, message):
        self.message = message
        self.tpl = header.parse(message, 0)
        self.address = self.tpl.address or self.address

    def open(self, afl=None, accepted=protection.ACCEPTED):
        return protection.open_message(
            self.message, self.tpl, afl or self.afl, self.address, lambda address, *which: self.key, accepted
        )

    def sealed(self, opened, afl=None):
        """(Afl, message) that our sender makes of what was opened, with the choices the other sender made."""
        afl = afl or self.afl
        tpl = self.tpl
        field = tpl.configuration_field
        at = afl.authentication_type() if tpl.mode == 7 else authentication.CMAC_8
        how = sealing.Security(
            tpl.mode, self.key, opened.counter, opened.key_id, opened.key_version, at, opened.padding > 0
        )
        how.content = field >> 2 & 3 if tpl.mode == 5 else field >> 14
        data = opened.payload[: opened.encrypted_bytes]
        if tpl.mode != 10:
            data = data[2 : len(data) - opened.padding]
        if tpl.mode == 7:
            how.content_index = field & 7
        if tpl.mode == 10:
            how.content_index = tpl.configuration_extension[1] >> 2
            how.n = 255 if field & 0xFF == 0xFF else None
        return sealing.seal(
            how,
            tpl.ci,
            self.address,
            tpl.access_number,
            tpl.status,
            data,
            opened.payload[opened.encrypted_bytes :],
            long=tpl.kind == "long",
            up=tpl.direction != "down",
            flags=field & 0xE003,
            fragmented=afl is not None and afl.message_length is not None,
        )
