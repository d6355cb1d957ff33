"""Telegrams of meters with one thing in them changed, on the published ones of OMS Vol.2 Annex N."""

import json

import pytest
from omsnode.firmware.errors import MacError, WrongKeyError
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.roles import scripted_telegram as change
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, header, protection


class Holder:
    def __init__(self, key, address):
        self.profile = self
        self.key = key
        self.meter_address = address


def up(shared):
    """{id: (telegram, Holder)} of all wireless telegrams from meters that are whole messages."""
    examples = json.loads((shared / "vectors" / "annex-n.json").read_text())["examples"]
    out = {}
    for one in examples:
        if one["direction"] != "up" or "bytes_without_crc" not in one or "tpl" not in one:
            continue
        keys = one.get("keys", {})
        key = keys.get("master_key") or keys.get("key")
        raw = bytes.fromhex(one["bytes_without_crc"])
        holder = Holder(key and Key.from_hex(key), Address.from_link(raw[2:10]))
        out[one["id"]] = raw, holder
    return out


def opened(raw, holder):
    """(Tpl, Opened) of a message, by the way that a gateway takes."""
    start = link_telegram.parse(raw).offset
    afl, at = authentication.parse_if_any(raw, start)
    tpl = header.parse(raw, at)
    address = tpl.address or holder.meter_address
    return tpl, protection.open_message(raw, tpl, afl, address, lambda *which: holder.key)


def test_nothing_changed_is_the_same_telegram(shared):
    """Taken apart and put together again: bit-exact with the published ones, in every security mode."""
    seen = set()
    for name, (raw, holder) in up(shared).items():
        again = change.sealed(raw, holder)
        if again is None:
            assert "N.3." in name or "N.4." in name or "N.5." in name, name  # fragments
            continue
        assert again == raw, name
        start = link_telegram.parse(raw).offset
        seen.add((name, opened(raw, holder)[0].mode, start))
    assert {mode for _, mode, _ in seen} == {0, 5, 7, 10}
    assert len(seen) >= 14


@pytest.mark.parametrize("name, counter", [("N.2.3", None), ("N.2.6", None), ("N.12.3", 2801)])
def test_another_message_under_another_counter(shared, name, counter):
    raw, holder = up(shared)[name]
    before = opened(raw, holder)[1]
    assert counter in (None, before.counter)
    data = bytes.fromhex("0C1312345678")
    again = change.sealed(raw, holder, by=3, application=1, counter=-2, data=data)
    tpl, after = opened(again, holder)
    assert after.authenticated and after.counter == before.counter - 2
    assert data in after.payload
    assert (tpl.status & 3, tpl.access_number) == (1, opened(raw, holder)[0].access_number + 3 & 0xFF)
    assert again[1:10] == raw[1:10] and again[0] == len(again) - 1


@pytest.mark.parametrize("name", ["N.2.3", "N.2.6", "N.12.3"])
def test_wrong_mac_and_wrong_key(shared, name):
    raw, holder = up(shared)[name]
    broken = change.wrong_mac(raw)
    assert sum(a != b for a, b in zip(raw, broken, strict=True)) == 1
    with pytest.raises(MacError):
        opened(broken, holder)
    other = change.sealed(raw, holder, other_key=Key(bytes(16)))
    assert other is not None
    with pytest.raises(MacError):
        opened(other, holder)
    opened(other, Holder(Key(bytes(16)), holder.meter_address))


def test_wrong_key_in_profile_a(shared):
    raw, holder = up(shared)["N.2.1"]
    other = change.sealed(raw, holder, other_key=Key(bytes(16)))
    with pytest.raises(WrongKeyError):
        opened(other, holder)
    assert change.wrong_mac(raw) is None  # there is none


def test_what_cannot_be_opened_is_not_changed(shared):
    raw, holder = up(shared)["N.2.3"]
    holder.key = None
    assert change.sealed(raw, holder, application=1) is None
    nack = change.nack(raw)
    assert change.sealed(nack, holder) is None
    assert change.wrong_mac(nack) is None and change.error(nack, 0x15) is None


def test_a_nack_is_link_layers_alone(shared):
    raw, _ = up(shared)["N.12.3"]
    # C 01, no TPL (oms-requirements sheet 4.2: "NACK never, by elimination")
    assert change.nack(raw).hex().upper() == "0C013A637856341255208C8423"
    assert change.kind(change.nack(raw)) == "NACK"


def test_a_failed_command(shared):
    """The application error of Annex N.9 in the place of a response, and the ACK that announces it."""
    raw, _ = up(shared)["N.9-RSP"]
    published, _ = up(shared)["N.9-ERR"]
    again = change.error(raw, published[-1])
    start = link_telegram.parse(again).offset
    # CI 6E, access number, status 02, configuration 0000, code: as in the published one but for the number
    assert again[start] == published[start] == 0x6E
    assert again[start + 2 :] == published[start + 2 :]
    failed, holder = up(shared)["N.8.2-ACK"]
    done = change.sealed(failed, holder, application=0)
    assert (failed[-3], done[-3]) == (2, 0)
    assert change.error(done, 0x15) == failed
    assert change.error(up(shared)["N.12.1"][0], 0x15) is None  # a SND-NR answers nobody


def test_other_link_layers(shared):
    raw, _ = up(shared)["N.12.3"]
    other = Address.parse("12345679.M=XYZ.V=55.T=20")
    assert link_telegram.parse(change.link(raw, address=other)).address.ident == "12345679"
    assert change.link(raw, by=-0x24)[12] == 0xFF
    assert change.link(raw, accessibility=0x04)[11] == 0x04
    assert change.link(raw, c_field=0x20)[1] == 0x28
    without_ell, _ = up(shared)["N.2.1"]
    assert change.link(without_ell, by=1) == without_ell
    changed = change.link(without_ell, accessibility=0x80)
    # Bit 15 of the configuration field (security sheet 4.1)
    assert changed == without_ell[:14] + bytes((without_ell[14] | 0x80,)) + without_ell[15:]
