"""Every MAC and LLC part of the vector file, in both directions. (PHY, timing and splitting have tests of their own.)"""

import json

import pytest
import support_lpwan as published
from omsnode.firmware.link.address import Address
from omsnode.firmware.link.lpwan import blocks, elements, llc, mac, managed, protection, telegram, values
from omsnode.firmware.security.keys import Key


@pytest.fixture
def vectors(shared):
    return json.loads((shared / "vectors" / "lpwan.json").read_text())


def test_what_is_typed_in_is_what_the_file_says(vectors):
    assert {row["id"]: (row["direction"], row["bytes"]) for row in vectors["frames"]} == published.FRAMES


def test_frames(vectors):
    assert len(vectors["frames"]) == 8
    for row in vectors["frames"]:
        frame, up, want = bytes.fromhex(row["bytes"]), row["direction"] == "up", row["mac"]
        got = mac.parse(frame, row["direction"], "UL-B4")
        assert frame[0] == int(want["mhctl0"], 16) and mac.name(got.type) == want["mft"]
        assert (got.elements is not None, got.body is not None) == (bool(want["ep"]), bool(want["bp"]))
        assert mac.crc(frame[:-4]).hex().upper() == want["crc"]
        if "ua" in want:
            ua = want["ua"]
            name = "DL-{}{}".format(ua["dl_t"][0].upper(), ua["dl_sm"] + 1)
            assert (got.elements.lms, got.elements.downlink, got.elements.access) == (
                ua["lms"],
                name,
                ua["dl_ac"],
            )
            assert elements.option(got.elements) == ua["access_option"]
            assert elements.build_up(got.elements, "UL-B4").hex().upper() == want["melements"]
        if "da" in want:
            assert got.elements == elements.Down(*[want["da"][key] for key in ("rtrm", "acp", "sc")])
            assert elements.build_down(got.elements).hex().upper() == want["melements"]
        if want["body"]:
            body = want["body"]
            assert got.body.associated[:1].hex().upper() == body["mbctl"]
            assert (got.body.der_counter, got.body.counter) == (body["mder_counter"], body["mmsg_counter"])
            assert (
                got.body.mmac.hex().upper() == body["mmac"] and got.body.data.hex().upper() == body["secured"]
            )
            assert got.body.associated[0] & 31 == body["ml"]
        check_llc(llc.parse(got.payload, up), got.payload, row["llc"], up)
        assert mac.build(got.type, got.elements, got.body, got.payload, "UL-B4") == frame
        telegram.parse(frame, row["direction"], "UL-B4")


def check_llc(got, data, want, up):
    if want is None:
        assert got is None
        return
    bits = int(want["lc0"], 16)
    flag = want["s"] if up else want["rrx"]
    present = (want["ulp"], want["anp"], want["rap"], want["tap"], want["cfp"])
    assert data[0] == bits == flag << 6 | int("".join(str(bit) for bit in present), 2)
    fields = (got.payload, got.access_number, got.receiver, got.address, got.c_field)
    assert [field is not None for field in fields] == [bool(bit) for bit in present]
    assert got.flag == flag
    for name, value in (
        ("c", got.c_field),
        ("acc", got.access_number),
        ("ci", got.payload and got.payload[0]),
    ):
        assert value == (int(want[name], 16) if name in want else None)
    for m, a, address in (("m", "a", got.address), ("m2", "a2", got.receiver)):
        assert (address.link_bytes().hex().upper() if address else None) == (
            want[m] + want[a] if m in want else None
        )
    assert llc.build(got, up) == data


def test_security(vectors):
    derivation, *bodies = vectors["mac_security"]
    assert len(bodies) == 3
    address = Address.from_link(bytes.fromhex(derivation["m_field"] + derivation["ident"] + "1503"))
    key = protection.derive(Key.from_hex(derivation["mac_key"]), derivation["mder_counter"], address)
    assert key == Key.from_hex(derivation["mder_key"])
    for row in bodies:
        direction, frame = published.FRAMES[row["frame"]]
        got = mac.parse(bytes.fromhex(frame), direction, "UL-B4")
        body = got.body
        assert protection.nonce(address, got.type, body.counter).hex().upper() == row["nonce"]
        assert body.associated.hex().upper() == row["associated_data"]
        plain = bytes.fromhex(row["payload"])
        assert protection.open_(key, address, got.type, body) == plain
        made = protection.seal(key, address, got.type, body.counter, plain, body.der_counter)
        assert made == body and (made.data.hex().upper(), made.mmac.hex().upper()) == (
            row["secured"],
            row["mmac"],
        )


def test_melements(vectors):
    for row in vectors["melements"]:
        if row["element"] == "UA":
            byte, want = bytes.fromhex(row["byte"]), row["fields"]
            up, at = elements.parse_up(byte, 0, "UL-B4")
            name = "DL-{}{}".format("BS"[want["dl_t"]], want["dl_sm"] + 1)
            assert (at, up.lms, up.downlink, up.access) == (1, want["lms"], name, want["dl_ac"])
            assert elements.build_up(up, "UL-B4") == byte
        elif row["element"] == "DA":
            down, _ = elements.parse_down(bytes.fromhex(row["byte"]), 0)
            assert down == elements.Down(*[row["fields"][key] for key in ("rtrm", "acp", "sc")])
            assert elements.build_down(down).hex().upper() == row["byte"]
        else:
            assert elements.carriers(row["n"]) == row["sci"]
            uplink, first = ("UL-B1", "81") if row["element"] == "UB" else ("UL-B4", "82")
            up, _ = elements.parse_up(bytes.fromhex(first) + bytes([row["sci"]]), 0, uplink)
            assert tuple(row["n"]) == (up.uplink_n if row["element"] == "UB" else up.downlink_n)


# What the file calls a meaning -> what ours has.
MEANINGS = {
    "power_reduction_db": lambda v: 3 * v.reduction,
    "link_margin_code": lambda v: v.margin,
    "corrected_percent": lambda v: v.corrected,
    "next_fallback": lambda v: {values.SOFT: "soft", values.HARD: "hard"}[v.next],
    "counter_at_least": lambda v: v.counter,
    "counter": lambda v: v.value,
    "temporary": lambda v: v.temporary,
    "delay_min": lambda v: v,
    "time": lambda v: "{:02}:{:02}:{:02}".format(*v),
    "seconds": lambda v: v,
    "sub_mode": lambda v: v.sub_mode,
    "subcarriers": lambda v: list(v.carriers),
    "coding": lambda v: {"multi": "multi-burst"}.get(v.coding, v.coding),
    "multi_burst": lambda v: v.multi,
    "phy_index": lambda v: int(v.sub_mode[4]),
    "technology": lambda v: {"B": "burst", "S": "splitting"}[v.sub_mode[3]],
    "cmd_mmsg_counter": lambda v: v,
    "supported": list,
    "release_year": lambda v: v,
    "delay_s": lambda v: v,
    "uplink": lambda v: list(v.uplinks),
    "dual": lambda v: v.dual,
    "downlink": lambda v: list(v.downlinks),
    "dl_multi_burst": lambda v: v.multi,
    "ul_coding": lambda v: ["multi-burst" if one == "multi" else one for one in v.codings],
    "interval_s": lambda v: v,
}
NOT_OURS = ("type", "service", "link_margin")  # words beside the value


def test_mblocks(vectors):
    assert len(vectors["mblocks"]) == 27
    checked = 0
    for row in vectors["mblocks"]:
        data = bytes.fromhex(row["bytes"])
        (block,) = blocks.parse(data)
        assert (block.id, len(block.value), block.value.hex().upper()) == (
            row["mblock_id"],
            row["length"],
            row["value"],
        )
        assert blocks.build([block]) == data
        assert bool(block.value) == (row["role"] != "get")
        found = blocks.row(block.id)
        if row["role"] in ("get", "response"):
            assert found.get
        if row["role"] == "set":
            assert found.set
        if not block.value:
            continue
        meaning = values.decode(block.id, block.value)
        for key, want in row["meaning"].items():
            if key not in NOT_OURS:
                assert MEANINGS[key](meaning) == want
                checked += 1
        assert values.encode(block.id, meaning) == block
    assert checked > 30


def test_fallback_ladder(vectors):
    (row,) = [one for one in vectors["timing"] if one["id"] == "fallback-ladder"]
    can, start = row["capabilities"], row["start"]
    capability = values.Capability(tuple(can["sub_modes"]), 0, ("DL-B4",), tuple(can["coding"]), 0)
    up = values.Uplink(0, start["power_reduction_db"] // 3, start["sub_mode"], (2,), start["coding"])
    one = managed.Managed(capability, up, values.Downlink(0, 0, "DL-B4"), 1, 60)
    for step in ("soft", "hard"):
        assert one.missed()
        want = row[step]
        assert one.uplink.sub_mode in want["sub_mode"].split("/")
        assert (one.uplink.coding, 3 * one.uplink.reduction) == (want["coding"], want["power_reduction_db"])
