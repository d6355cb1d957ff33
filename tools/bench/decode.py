"""How fast telegrams are read: hex line to JSON on the plain path and with the plan cache, and what bounds it.

Every figure is CPU time of this process and stands beside a floor measured in turns with it: the least that any Python
program has to do to make the JSON with C routines (hex digits to bytes, one AES call, `json.dumps` of a finished
reading); for the deframer it is the bit work alone (base64 cuts six-bit words too). The ratio to it is what compares
across machines.
"""

import json
import pathlib
import time
from binascii import b2a_base64

from omsnode.firmware.application import dates, encode, obis, record
from omsnode.firmware.application.telegram import decode
from omsnode.firmware.errors import OmsError
from omsnode.firmware.host.json_lines import to_json
from omsnode.firmware.host.lines import parse_line
from omsnode.firmware.host.plan import Plans
from omsnode.firmware.link import frame_a
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import framing, modes
from omsnode.firmware.phy.deframer import Deframer
from omsnode.firmware.security import aes
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, header, sealing

CORPUS = pathlib.Path("../shared/vectors/corpus.json")  # of real meters, where somebody has it

# Published ones: (name, telegram without link CRCs, key)
SAMPLES = (
    # EN 13757-4 sample: water meter, one record, no security (link sheet 12 no. 1)
    ("published, plain, 1 record", "0F44AE0C785634120107780B13436587", None),
    # OMS Vol.2 Annex N.2.1: gas meter, three records, mode 5 (link sheet 12 no. 4)
    (
        "published, mode 5, 3 records",
        "2E4493157856341233037A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3",
        "0102030405060708090A0B0C0D0E0F11",
    ),
)

# A heat meter's records: (DIB and VIB, data field, first value, what it grows by each turn).
METER = (
    ("0C06", 12, 2850427, 3),  # energy, kWh
    ("0C13", 12, 7654321, 11),  # volume, l
    ("0B3B", 11, 1216, 7),  # flow, l/h
    ("0B2B", 11, 8641, 13),  # power, W
    ("0A5A", 10, 712, 1),  # flow temperature, 0.1 degrees
    ("0A5E", 10, 415, 1),  # return temperature
    ("0462", 4, 297, 1),  # difference, K
    ("046D", None, None, 1),  # date and time
    ("02FD17", 2, 0, 0),  # error flags
    ("0C78", 12, 12345678, 0),  # fabrication number
    ("4C06", 12, 2411111, 0),  # energy at the due date
    ("426C", 2, 0x3C1F, 0),  # due date
    ("8C0106", 12, 2755555, 0),  # energy at the end of the month
    ("82016C", 2, 0x3A3F, 0),  # its date
)
_KEY = "000102030405060708090A0B0C0D0E0F"
_METERS = 4  # that take turns
_TELEGRAMS = 32
_MESSAGES = 600  # in mode 7: each has keys of its own, more than security.aes remembers


def payload(count, turn):
    """The first `count` records of METER as they are at a turn; two: energy, and date and time."""
    rows = METER if count == len(METER) else [METER[0], METER[7]]
    out = b""
    for head, field, first, growth in rows:
        if field is None:
            data = dates.date_time(2026, 1, 1 + turn // 24 % 28, turn % 24, 7 * turn % 60)
        else:
            of_the_meter = turn % _METERS if field == 12 else 0
            data = encode.data(field, first + growth * turn + 111111 * of_the_meter)
        out += bytes.fromhex(head) + data
    return out


def generated(mode, count):
    """Telegrams of a few heat meters in turns, values growing, with short header in this security mode."""
    out = []
    for turn in range(_MESSAGES if mode == 7 else _TELEGRAMS):
        address = Address(0x2C2D, "1234567{}".format(turn % _METERS), 0x1B, 4)
        key = Key.from_hex(_KEY) if mode else None
        security = sealing.Security(mode, key, turn if mode == 7 else None)
        afl, message = sealing.seal(security, 0x7A, address, turn & 0xFF, 0, payload(count, turn))
        out.append(link_telegram.build(0x44, address, (authentication.build(afl) if afl else b"") + message))
    return out


def samples():
    """(name, telegrams as bytes, Key or None) of all telegrams that need no file."""
    for name, text, key in SAMPLES:
        yield name, [bytes.fromhex(text)], Key.from_hex(key) if key else None
    for count in (2, len(METER)):
        for mode in (0, 5, 7):
            name = "{}, {} records".format("mode {}".format(mode) if mode else "plain", count)
            yield name, generated(mode, count), Key.from_hex(_KEY) if mode else None


def corpus(path=CORPUS):
    """(hex line, Key or None) of the telegrams in the file that a line can hold and that are decoded."""
    out = []
    for entry in json.loads(pathlib.Path(path).read_text(encoding="utf-8"))["telegrams"]:
        form = entry.get("encrypted_form") or entry
        key = Key.from_hex(form["key"]) if form["key"] else None
        try:
            if decode(parse_line(form["telegram"]).telegram, lambda *which, key=key: key).records:
                out.append((form["telegram"], key))
        except OmsError:
            pass
    return out


def seconds_each(functions, least_s=0.4):
    """CPU seconds of one call of each function: the best of several rounds in which they take turns, so that what else
    the machine does falls on all of them."""
    counts = []
    for function in functions:
        count = 1
        while True:
            start = time.process_time()
            for _ in range(count):
                function()
            spent = time.process_time() - start
            if spent > least_s / 20:
                break
            count *= 4
        counts.append(max(1, int(count * least_s / 10 / spent)))
    best = [float("inf")] * len(functions)
    for _ in range(10):
        for index, function in enumerate(functions):
            start = time.process_time()
            for _ in range(counts[index]):
                function()
            best[index] = min(best[index], (time.process_time() - start) / counts[index])
    return best


def measure(path=None):
    """{"rows": dicts with what, plain and plan: telegrams per second, plain_us, plan_us, gain, floor_us, ratio of the
    plain path and plan_ratio to the floor; "shares": CPU time of the stages per telegram in us; "deframer": rows}.

    path: of the corpus; if it is None, CORPUS counts if it is there."""
    rows, shares = [], []
    for name, telegrams, key in samples():
        pairs = [(telegram.hex(), key) for telegram in telegrams]
        rows.append(_row(name, pairs))
        if name.endswith("14 records"):
            shares.append(_shares(name, telegrams, key))
    if path is not None or CORPUS.is_file():
        pairs = corpus(path or CORPUS)
        rows.append(_row("corpus, {} telegrams".format(len(pairs)), pairs))
    return {"rows": rows, "shares": shares, "deframer": [_deframer_row(length) for length in (15, 255)]}


def lines(found):
    """What `measure` found, to read."""
    heading = "{:<30} {:>9} {:>9} {:>6} {:>9} {:>9} {:>9} {:>7} {:>7}"
    yield "Hex line to JSON on one core; CPU time. plan: with the plan cache, layouts known; floor: see --help"
    yield heading.format("", "plain/s", "plan/s", "gain", "plain us", "plan us", "floor us", "plain", "plan")
    for row in found["rows"]:
        yield heading.format(*row.values())
    yield ""
    yield "{:<30} {:>9} {:>9} {:>9} {:>7}".format("Deframe T chips", "per s", "us", "floor us", "ratio")
    for row in found["deframer"]:
        yield "{:<30} {:>9} {:>9} {:>9} {:>7}".format(*row.values())
    for one in found["shares"]:
        yield ""
        yield "{:<30} {:>9} {:>7} {:>9} {:>7}".format(
            "What bounds it, " + one["what"], "plain us", "", "plan us", ""
        )
        totals = [sum(part[index] for part in one["stages"].values()) for index in (0, 1)]
        for stage, (plain, plan) in one["stages"].items():
            yield "  {:<28} {:>9} {:>7.0%} {:>9} {:>7.0%}".format(
                stage, plain, plain / totals[0], plan, plan / totals[1]
            )


def _us(seconds):
    return round(seconds * 1e6, 1)


def _per_second(seconds):
    return round(1 / seconds)


def _row(name, pairs):
    """pairs: (hex line, Key or None)."""
    plans = Plans(annotate=obis.annotate)
    jobs = []
    for text, key in pairs:
        result = decode(bytes.fromhex(text), lambda *which, key=key: key)
        sealed = result.payload[: result.encrypted_bytes // aes.BLOCK * aes.BLOCK]
        finished = json.loads(to_json(result, "A"))
        jobs.append((text, lambda *which, key=key: key, key, sealed, finished))

    def plain():
        for text, key_for, _, _, _ in jobs:
            line = parse_line(text)
            telegram = decode(line.telegram, key_for)
            obis.annotate(telegram)
            to_json(telegram, line.frame_format)

    def planned():
        for text, key_for, _, _, _ in jobs:
            line = parse_line(text)
            plans.to_json(plans.decode(line.telegram, key_for), line.frame_format)

    def floor():
        for text, _, key, sealed, finished in jobs:
            bytes.fromhex(text)
            if sealed:
                aes.cbc_decrypt(key, bytes(aes.BLOCK), sealed)
            json.dumps(finished)

    slow, fast, least = [spent / len(jobs) for spent in seconds_each([plain, planned, floor])]
    return {
        "what": name,
        "plain": _per_second(slow),
        "plan": _per_second(fast),
        "gain": round(slow / fast, 2),
        "plain_us": _us(slow),
        "plan_us": _us(fast),
        "floor_us": _us(least),
        "ratio": round(slow / least, 1),
        "plan_ratio": round(fast / least, 1),
    }


def _shares(name, telegrams, key):
    def key_for(*which):
        return key

    def nothing(payload, to_meter=False):
        return [], None

    plans, others = Plans(annotate=obis.annotate), Plans()
    raw = telegrams[0]
    text = raw.hex()
    result = decode(raw, key_for)
    obis.annotate(result)
    content = result.payload
    for _ in range(3):
        found = plans.decode(raw, key_for)
        plans.to_json(found)
        others.read(content)
    (
        whole,
        spent_line,
        spent_link,
        spent_header,
        records,
        names,
        shown,
        plan_records,
        plan_names,
        plan_shown,
    ) = seconds_each(
        [
            lambda: decode(raw, key_for, read=nothing),
            lambda: parse_line(text),
            lambda: link_telegram.parse(raw),
            lambda: header.parse(raw, result.tpl.offset),
            lambda: record.decode(content),
            lambda: obis.annotate(result),
            lambda: to_json(result),
            lambda: others.read(content),
            lambda: plans.name(found),
            lambda: plans.to_json(found),
        ]
    )
    rest = whole - spent_link - spent_header
    stages = {
        "read the line": (spent_line, spent_line),
        "link": (spent_link, spent_link),
        "transport header": (spent_header, spent_header),
        "security and the rest": (rest, rest),
        "records": (records, plan_records),
        "names": (names, plan_names),
        "JSON": (shown, plan_shown),
    }
    return {"what": name, "stages": {stage: (_us(a), _us(b)) for stage, (a, b) in stages.items()}}


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
    spent, floor = seconds_each([deframe, lambda: b2a_base64(stream)])
    return {
        "what": "L = {}".format(length),
        "per_second": _per_second(spent),
        "us": _us(spent),
        "floor_us": _us(floor),
        "ratio": round(spent / floor, 1),
    }
