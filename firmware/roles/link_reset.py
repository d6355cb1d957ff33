"""The SND-NKE behind a SND-IR that was repeated: who installs the meter learns that it is, and how strong it is heard here
(OMS Vol.2 5.2.5.2; link sheet 8.7, 10)."""

from ..errors import OmsError
from ..link import control, extended
from ..link import telegram as link_telegram
from ..link.address import Address
from ..portable import const
from ..transport import compose, header

_AFL = b"\x90"
_NO_DATA_DOWN = const(0x80)  # CI: long header and nothing behind it


def build(own, heard, level_dbm, access_number):
    """Telegram (bytes, without link CRCs). own: Address of the repeater. heard: the SND-IR. level_dbm: of it, or None."""
    status = 0 if level_dbm is None else min(63, max(1, (level_dbm + 130) // 2))
    payload = compose.build(_NO_DATA_DOWN, access_number, status, 0, _meter(heard))
    if 0x8C <= heard[10] <= 0x8F:
        payload = extended.build(0, access_number) + payload
    return link_telegram.build(control.SND_NKE, own, payload)


def _meter(telegram):
    """Address of the meter of a telegram: of its long header, else the sender."""
    try:
        link = link_telegram.parse(telegram)
        offset = link.offset
        if telegram[offset : offset + 1] == _AFL:
            offset += 2 + int.from_bytes(telegram[offset + 1 : offset + 2], "little")
        if not (link.ell and link.ell.encrypted):
            return header.parse(telegram, offset).address or link.address
    except OmsError:  # a layer above those that the link CRCs vouch for
        pass
    return Address.from_link(telegram[2:10])
