"""`analyze` explains every byte of every telegram in the vector files; what is damaged is named, and nothing else is left."""

import json

import support_wired
from omsnode.firmware.application import frames
from omsnode.firmware.application.telegram import decode, decode_message
from omsnode.firmware.errors import OmsError
from omsnode.firmware.host.explain import explain, with_crcs
from omsnode.firmware.host.lines import parse_line
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.security import default_keys
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import ci, compose

METER = Address.parse("12345678.M=KAM.V=1b.T=16")


def load(shared, name):
    return json.loads((shared / "vectors" / (name + ".json")).read_text())


def key_for(text):
    key = Key.from_hex(text) if text else None
    return lambda address, *which: key


def told(telegram):
    """(bytes explained, [what is named as damaged], all texts); every byte is in one span."""
    spans = explain(telegram)
    at = 0
    for span in spans:
        assert span.start == at and span.end > at and span.layer and span.meaning, telegram.raw.hex()
        assert span.layer != "?" or not span.known
        assert "not explained" not in span.meaning, telegram.raw.hex()
        assert span.plain is None or len(span.plain) == span.end - span.start
        at = span.end
    assert at == len(telegram.raw), telegram.raw.hex()
    return at, [span.meaning for span in spans if not span.known], [span.meaning for span in spans]


def lines_of(entry):
    yield from entry["preceding"]
    yield entry["telegram"]
    if entry.get("encrypted_form"):
        yield entry["encrypted_form"]["telegram"]


def test_corpus(shared, record_property):
    """The telegrams and their encrypted forms, with key and without, and with the publicly known keys."""
    total = lines = 0
    damaged = {}
    for entry in load(shared, "corpus")["telegrams"]:
        formats = frames.Formats()
        for text in lines_of(entry):
            try:
                line = parse_line(text, keep=True)
            except OmsError:
                continue  # no telegram: refused by name
            for key, public in ((entry["key"], None), (None, None), (None, default_keys.of)):
                telegram = decode(line.telegram, key_for(key), public, formats)
                count, wrong, _ = told(telegram)
                total += count
                lines += 1
                if line.frame is not None:
                    spans = with_crcs(explain(telegram), line.frame_format)
                    assert sum(span.end - span.start for span in spans) == len(line.frame)
                if wrong and line.error is None:
                    damaged.setdefault(entry["telegram"][:40], set()).update(wrong)
    record_property("analyze over the corpus", "{} bytes of {} telegrams explained".format(total, lines))
    for texts in damaged.values():
        for text in texts:
            record_property("named as damaged", text)
    assert total > 40000
    # Three meters end their records in the middle, or with a reserved DIF.
    assert len(damaged) == 3


def test_annex_n(shared):
    total = 0
    for example in load(shared, "annex-n")["examples"]:
        keys = example.get("keys") or {}
        key = keys.get("key") or keys.get("master_key")
        for name in ("bytes_on_air", "bytes_on_bus", "bytes_without_crc", "bytes_reassembled"):
            if not example.get(name):
                continue
            if name == "bytes_reassembled" and example["tpl"]["security_mode"] == 7:
                continue  # its MAC is in the AFL of the last fragment
            data = bytes.fromhex(example[name])
            for opener in (key_for(key), key_for(None)):
                if name == "bytes_reassembled":
                    telegram = decode_message(data, METER, opener)
                else:
                    line = parse_line(example[name])
                    telegram = decode(line.telegram, opener)
                    if line.frame is not None:
                        spans = with_crcs(explain(telegram), line.frame_format)
                        assert sum(span.end - span.start for span in spans) == len(data)
                count, wrong, _ = told(telegram)
                assert not wrong, (example["id"], wrong)
                total += count
    assert total > 5000


def wrapped(body, direction):
    """The records of a vector behind CI 78 (from the meter) or 51 (to it, on the wire)."""
    if direction == "collector_to_meter":
        return support_wired.long_frame(b"\x51" + body, 0x53)
    if len(body) > 245:
        return None
    return link_telegram.build(0x44, METER, b"\x78" + body)


def test_application_vectors(shared):
    vectors = load(shared, "application")
    count = 0
    for vector in vectors["vectors"]:
        body = bytes.fromhex(vector["hex"])
        data = wrapped(body, vector["direction"])
        telegram = decode(data) if data else decode_message(b"\x78" + body, METER)
        _, wrong, texts = told(telegram)
        assert not wrong, (vector["id"], wrong)
        # Each record of the vector is seen: as many VIBs as it lists, but for special functions.
        listed = [one for one in vector["records"] if one.get("vib")]
        assert len([text for text in texts if text.startswith("VIF")]) == len(listed), vector["id"]
        count += 1
    assert count >= 118


def test_frame_and_protocol_vectors(shared):
    vectors = load(shared, "application")
    for vector in vectors["frame_vectors"]:
        if vector["kind"] != "compact_frame_pair":
            continue
        formats = frames.Formats()
        full = bytes.fromhex(vector["full_after_ci"])
        bodies = (
            b"\x79" + bytes.fromhex(vector["compact_after_ci"]),
            b"\x78" + full,
            b"\x69" + frames.format_frame(full),
            b"\x79" + bytes.fromhex(vector["compact_after_ci"]),
        )
        for body in bodies:
            assert told(decode(link_telegram.build(0x44, METER, body), formats=formats))[1] == []
    for vector in vectors["protocol_vectors"]:
        if vector.get("frame"):
            data = bytes.fromhex(vector["frame"])
        else:
            code = int(vector["ci"], 16)
            header = compose.build(code, 1, 0, 0, METER if ci.row(code)[0] == ci.LONG else None)
            data = link_telegram.build(0x53, METER, header + bytes.fromhex(vector["after_tpl_header"]))
        telegram = decode(data)
        assert telegram.error is None and telegram.protocol is not None, vector["id"]
        assert told(telegram)[1] == [], vector["id"]


def test_security_vectors(shared):
    """Readable or not: with the key and without; altered ones are refused and still told byte by byte."""
    vectors = load(shared, "security")
    texts = [
        (one["telegram_hex"], one.get("key"), one["id"])
        for part in ("telegrams", "constructed", "reject")
        for one in vectors[part]
        if one.get("telegram_hex")
    ]
    for one in vectors["fragmented"]:
        texts += [(fragment["telegram_hex"], one["key"], one["id"]) for fragment in one["fragments"]]
    assert len(texts) > 70
    damaged = set()
    for text, key, name in texts:
        for opener in (key_for(key), key_for(None)):
            if told(decode(bytes.fromhex(text), opener))[1]:
                damaged.add(name)
    # Two of the three meters of the corpus whose records end in the middle; X05 is profile B without its MAC.
    assert damaged == {"R12", "R32", "X05"}
