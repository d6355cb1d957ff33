"""How fast telegrams are read: hex line to JSON, the core alone, deframing of T chips, and the share of each stage.

Every figure stands beside a floor measured in the same run: the least that any Python program has to do to make the
JSON with C routines (hex digits to bytes, one AES call, `json.dumps` of a finished reading); for the deframer it is the
bit work alone (base64 cuts six-bit words too). The ratio to it is what compares across machines.
"""

import json
import time
from binascii import b2a_base64

from omsnode.firmware.application import record
from omsnode.firmware.application.telegram import decode
from omsnode.firmware.host.json_lines import to_json
from omsnode.firmware.host.lines import parse_line
from omsnode.firmware.link import frame_a
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.phy import framing, modes
from omsnode.firmware.phy.deframer import Deframer
from omsnode.firmware.security import aes, mode5
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import header

# (name, telegram without link CRCs, key)
SAMPLES = (
    # EN 13757-4 sample: water meter, one record, no security (link sheet 12 no. 1)
    ("plain, 1 record", "0F44AE0C785634120107780B13436587", None),
    # OMS Vol.2 Annex N.2.1: gas meter, three records, mode 5 (link sheet 12 no. 4)
    (
        "mode 5, 3 records",
        "2E4493157856341233037A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3",
        "0102030405060708090A0B0C0D0E0F11",
    ),
    # 14 records of the EN 13757-3 tables, composed here: flow, power, temperatures, volumes, dates
    (
        "plain, 14 records",
        "5344AE0C78563412010778"
        "0C1427048502046D32371F1502FD1700000C06785634120413A8610000843C13000000000259A30C025DD3070261"
        "6B040B3B0000000B2A0000004C1300000000426C1F1502FD170000",
        None,
    ),
)


def seconds_per_call(function, least_s=0.2):
    """Best of three runs that last about `least_s` in total."""
    count = 1
    while True:
        start = time.perf_counter()
        for _ in range(count):
            function()
        spent = time.perf_counter() - start
        if spent > least_s / 10:
            break
        count *= 4
    count = max(1, int(count * least_s / 3 / spent))
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(count):
            function()
        best = min(best, (time.perf_counter() - start) / count)
    return best


def _row(name, spent, floor):
    return {
        "what": name,
        "per_second": round(1 / spent),
        "us": round(spent * 1e6, 1),
        "floor_us": round(floor * 1e6, 1),
        "ratio": round(spent / floor, 1),
    }


def samples():
    """(name, telegram as bytes, Key or None) of each of SAMPLES."""
    for name, telegram, key in SAMPLES:
        yield name, bytes.fromhex(telegram), Key.from_hex(key) if key else None


def measure():
    """{"rows": dicts with what, per_second, us, floor_us and ratio; "shares": of the stages, per telegram}."""
    rows: list[dict] = []
    shares: list[dict] = []
    for name, data, key in samples():
        _measure_sample(name, data, key, rows, shares)
    for length in (15, 255):
        rows.append(_deframer_row(length))
    return {"rows": rows, "shares": shares}


def lines(found):
    """What `measure` found, to read."""
    yield "{:<40} {:>10} {:>9} {:>9} {:>7}".format("", "per second", "us", "floor us", "ratio")
    for row in found["rows"]:
        yield "{what:<40} {per_second:>10} {us:>9} {floor_us:>9} {ratio:>7}".format(**row)
    for one in found["shares"]:
        yield "\nCPU share of each stage, {}:".format(one["telegram"])
        for stage, share in one["share"].items():
            yield "  {:<20} {:>6.1%}".format(stage, share)


def _measure_sample(name, data, key, rows, shares):
    text = data.hex()

    def key_for(address, *which):
        return key

    result = decode(data, key_for)
    assert result.error is None and result.records, name
    finished = json.loads(to_json(result, "A"))
    encrypted = data[result.payload_offset :][: result.encrypted_bytes]

    def line_to_json():
        line = parse_line(text)
        return to_json(decode(line.telegram, key_for), line.frame_format)

    def floor():
        bytes.fromhex(text)
        if encrypted:
            aes.cbc_decrypt(key, bytes(16), encrypted)
        return json.dumps(finished)

    yardstick = seconds_per_call(floor)
    rows.append(_row("hex line to JSON, " + name, seconds_per_call(line_to_json), yardstick))
    rows.append(_row("core decode, " + name, seconds_per_call(lambda: decode(data, key_for)), yardstick))

    stages = {
        "read the line": lambda: parse_line(text),
        "link": lambda: link_telegram.parse(data),
        "transport header": lambda: header.parse(data, result.link.offset),
        "security": lambda: mode5.open(key, result.address, result.tpl.access_number, encrypted),
        "records": lambda: record.decode(result.payload),
        "JSON": lambda: to_json(result, "A"),
    }
    if not encrypted:
        del stages["security"]
    times = {stage: seconds_per_call(function, 0.1) for stage, function in stages.items()}
    total = sum(times.values())
    shares.append(
        {"telegram": name, "share": {stage: round(spent / total, 3) for stage, spent in times.items()}}
    )


def _deframer_row(length):
    telegram = bytes([length, 0x44]) + bytes(i & 0xFF for i in range(length - 1))
    stream = framing.chips(modes.find("T1"), frame_a.build(telegram))[6:]
    frame = frame_a.build(telegram)
    deframer = Deframer("T+C")

    def deframe():
        # As the driver hands it over: three bytes, then what the FIFO threshold leaves.
        deframer.reset()
        deframer.feed(stream[:3])
        at = 3
        while deframer.feed(stream[at : at + 31]) > 0:
            at += 31

    deframe()
    assert deframer.frame == bytes(frame)
    return _row(
        "deframe T chips, L = {}".format(length),
        seconds_per_call(deframe),
        seconds_per_call(lambda: b2a_base64(stream)),
    )
