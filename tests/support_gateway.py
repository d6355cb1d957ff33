"""Telegrams of meters in clear text for tests of the gateway's value handling."""

from omsnode.firmware.application import obis, telegram

RECEIVED = 1767225600000  # 2026-01-01T00:00:00Z


def meter(records, device_type="07", status=0, annotate=True, number="12345678"):
    """An annotated Telegram of a meter KAM version 1B: short header, mode 0, these records (hex, may hold blanks)."""
    ident = bytes.fromhex(number)[::-1].hex()
    text = "44 2D2C {} 1B {} 7A 2A {:02X} 0000 {}".format(ident, device_type, status, records)
    body = bytes.fromhex(text)
    result = telegram.decode(bytes([len(body)]) + body)
    assert result.error is None and result.undecoded is None, (result.error, result.undecoded)
    if annotate:
        obis.annotate(result)
    return result


def wired(records, device_type="07", address=0x05, status=0):
    """The same in a wired long frame RSP-UD: long header, primary address."""
    body = bytes([0x08, address]) + bytes.fromhex(
        "72 78563412 2D2C 1B {} 2A {:02X} 0000 {}".format(device_type, status, records)
    )
    frame = bytes([0x68, len(body), len(body), 0x68]) + body + bytes([sum(body) & 0xFF, 0x16])
    result = telegram.decode(frame)
    assert result.error is None and result.undecoded is None, (result.error, result.undecoded)
    obis.annotate(result)
    return result
