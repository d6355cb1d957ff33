"""What attackers and noise send to a running burst meter and its gateway: random chips, truncated bursts, lengths that do not fit, headers
that cannot be, forged and replayed MAC commands. Nothing crashes or hangs, what is refused is counted by its type, and the command
that comes behind all of it is carried out as ever.
"""

import random
import time

import pytest
import support_burst_judge_air as air
import support_burst_judge_mac as macs
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from omsnode.board import virtual
from support_burst_judge_forged import burst_text, crc
from support_burst_ladder import MAC_KEY, PAIRS, SOAK, Bench, S

FRONT = air.PREAMBLE_SYNC
ROUNDS = 400 if SOAK else 45
CPU_S = 240  # for a whole run; work without a bound is caught by it


def say(one, name, text, source, in_us=0):
    cps, _, _, deviation = air.SUB_MODES[name]
    chips = bytearray(int(chip) for chip in text)
    made = virtual.Transmission(
        one.world.now_ns + 1000 * int(in_us), chips, float(cps), float(air.carrier_hz(name, 2)), float(deviation), "2-GFSK", 14.0, source
    )  # fmt: skip
    one.world.air.transmit(made)
    return len(text) * S // cps


def rubbish(rng, up):
    """(what it is, chips as text)"""
    kind = rng.randrange(6)
    payload = crc(rng.randbytes(rng.randint(1, 60)))
    if kind == 0:
        return "chips", FRONT + "".join(rng.choice("01") for _ in range(rng.randint(0, 3000)))
    whole = burst_text(up, payload, rng.choice((40, rng.randrange(128))), rng.randrange(3))
    if kind == 1:
        return "truncated", whole[: rng.randint(64, len(whole) - 1)]
    if kind == 2:  # a payload of 0 to 4 bytes, a reserved type or version 1
        head = air.header_bits(rng.randint(0, 4), 40, 0, rng.randrange(3))
        if rng.random() < 0.5:
            head = air.header_bits(len(payload), 40, 0, 3)
        elif rng.random() < 0.5:
            head = "01" + head[2:]
        return "header", burst_text(up, payload, 40, 2, head)
    if kind == 3:  # the header tells of more, or less, than there is
        return "length", burst_text(
            up, payload, 40, 2, air.header_bits(rng.randint(5, 255), 40, 0, rng.randrange(3))
        )
    if kind == 4:
        return "CRC", burst_text(up, payload[:-1] + bytes((payload[-1] ^ 1,)), 40, 2)
    return "MAC", burst_text(up, payload, 40, 2)


def codes(counters, *beginnings):
    return {name: count for name, count in counters.items() if name.startswith(beginnings)}


@pytest.mark.parametrize("pair", PAIRS if SOAK else PAIRS[1:3], ids="-".join)
def test_rubbish_to_the_gateway(pair):
    """Whatever comes on UL-B4: the gateway is not deaf behind it, and the order of its meter is carried out."""
    began = time.process_time()
    rng = random.Random("gateway-" + "-".join(pair))
    one = Bench(pair, wait_us=500 * S)
    one.behind(S)
    kinds = {}
    for number in range(ROUNDS):
        what, text = rubbish(rng, True)
        kinds[what] = kinds.get(what, 0) + 1
        one.behind(say(one, "UL-B4", text, "attacker", 1000) + rng.randint(0, 60000))
        assert len(one.gateway.delivered) == 0, number
    assert len(kinds) == 6
    one.behind(S)
    one.order(["write", "0C:13", "6.409"], one.world.now_us)
    one.until_done(1500 * S)
    assert one.outcome()[0] == "done" and one.meter.counters["executed"] == 1
    counters, radio = one.gateway.role.counters, one.gateway.radio.counters
    refused = sum(radio["rejects"].values()) + counters["burst.unsolved"]
    refused += sum(
        count
        for name, count in counters.items()
        if name in ("burst.no_header", "no_mac") or name.startswith("reject")
    )
    assert sum(radio["rejects"].values()) >= ROUNDS // 12, (radio, counters)
    assert refused >= ROUNDS // 4, (radio, counters)
    assert time.process_time() - began < CPU_S


def next_frame(one, synchronous=False):
    """Run until the meter has sent its next frame; its Transmission."""
    log = one.world.air.log
    seen = len(log)

    def own():
        found = [sent for sent in log[seen:] if sent.source == "meter0" and sent.end_ns]
        return [sent for sent in found if not synchronous or uplink(sent).flag]

    one.run(one.world.now_us + 90 * S, lambda: bool(own()))
    return own()[-1]


def uplink(sent):
    return macs.Frame(air.payload(air.read(sent))[0], "UL-B4")


@pytest.mark.parametrize("pair", PAIRS if SOAK else PAIRS[::3], ids="-".join)
def test_rubbish_in_the_slots_of_the_meter(pair):
    """Rubbish with the meter's own TIV in RX0 of each of its frames; then the command of the gateway."""
    began = time.process_time()
    rng = random.Random("meter-" + "-".join(pair))
    one = Bench(pair, nominal_us=20 * S)
    rounds = ROUNDS // 3
    for _ in range(rounds):
        t0_us = air.read(next_frame(one)).t0_ns / 1000
        _, text = rubbish(rng, False)
        one.run(int(t0_us + 1.4 * S))
        say(one, "DL-B4", text, "attacker", t0_us + 1.5 * S - 64 * S / 24000 - one.world.now_us)
        one.behind(S)
    one.order(["write", "0C:13", "6.409"], one.world.now_us)
    one.until_done(one.world.now_us + 400 * S)
    assert one.outcome()[0] == "done"
    counters = one.meter.counters
    assert counters["executed"] == 1 and one.meter.device.registers[0].value == 6409
    refused = codes(counters, "rejected.", "foreign", "ignored", "outside")
    assert sum(refused.values()) + sum(one.meters[0].radio.counters["rejects"].values()) >= rounds // 3, (
        counters
    )
    assert counters.get("mac.execute", 0) == 0
    assert one.judge().wrong in ([], None) or all(" attacker:" in text for text in one.judge().wrong)
    assert time.process_time() - began < CPU_S


def sealed(address, counter, data, key=MAC_KEY, der=0, named=None):
    """A secured MAC body of a MCMD (sheet 16)."""
    mac = CMAC(AES(key))
    mac.update(bytes((der if named is None else named,)) + address[:6] + b"\x09" * 9)
    control = 0x20 | (0x40 if named is not None else 0) | (6 + len(data) + (named is not None))
    associated = bytes((control,)) + (b"" if named is None else bytes((named,)))
    nonce = address + bytes((3, 0, 0)) + counter.to_bytes(2, "big")
    secret = AESCCM(mac.finalize(), tag_length=4).encrypt(nonce, data, associated)
    return associated + counter.to_bytes(2, "little") + secret[-4:] + secret[:-4]


OTHER = bytes(16)
SET_LINK = bytes((0x25, 0x00, 0x10))  # MBlock 05: UL-B1, n = 2, 7/8


def forged(address):
    """{what: MCMD}. Of none of them anything may be executed."""
    one, named = address, bytes((0x04,)) + address
    good = sealed(one, 1, SET_LINK)
    bodies = {
        "another key": sealed(one, 9, SET_LINK, OTHER),
        "tag": good[:-4] + bytes(4),
        "counter 0": sealed(one, 0, SET_LINK),
        "another MDerCounter": sealed(one, 9, SET_LINK, OTHER, named=9),
        "not secured": bytes((len(SET_LINK),)) + SET_LINK,
        "empty": b"\x00",
        "of another meter": sealed(bytes((address[0],)) + b"\x11\x22\x33\x44\x55" + address[6:], 9, SET_LINK),
    }
    out = {name: crc(b"\x2d" + body + named) for name, body in bodies.items()}
    out["longer than the frame"] = crc(b"\x2d\x3f" + good[1:] + named)
    out["version 1"] = crc(b"\x3d" + good + named)
    out["reserved type"] = crc(b"\x2e" + good + named)
    out["an uplink"] = crc(b"\x21" + good + named)
    out["to another meter"] = crc(b"\x2d" + good + b"\x04" + bytes(8))
    out["MSP2"] = crc(b"\xad\x20" + good + named)
    return out


def answers(one, frame):
    """Say it in RX0 of the next synchronous frame of the meter; MERR and MRSP that come of it."""
    log = one.world.air.log
    t0_us = air.read(next_frame(one, True)).t0_ns / 1000
    in_us = t0_us + 1.5 * S - 64 * S / 24000 - one.world.now_us
    say(one, "DL-B4", burst_text(False, frame), "attacker", in_us)
    seen = len(log)
    one.run(int(t0_us + 15 * S))
    sent = [sent for sent in log[seen:] if sent.source == "meter0" and sent.end_ns]
    return [kind for kind in (uplink(one).kind for one in sent) if kind in ("MERR", "MRSP")]


@pytest.mark.parametrize("pair", PAIRS if SOAK else PAIRS[2:3], ids="-".join)
def test_forged_mac_commands(pair):
    """MERR or silence; way, counters and clock stand. The command of the gateway is executed; said again behind its session it is a
    replay."""
    one = Bench(pair, nominal_us=30 * S)
    one.behind(6 * S)
    address = one.addresses[0].link_bytes()

    def state():
        mac = one.meter.mac
        clock = mac.time.clock and mac.time.clock[:2]  # beside the wall's, and what it is being moved by
        return mac.way(), mac.security.cmd, mac.security.der_counter, clock

    unread = ("version 1", "reserved type", "an uplink", "to another meter")
    for name, frame in forged(address).items():
        before = state()
        told = answers(one, frame)
        assert state() == before, name
        assert told == ([] if name in unread else told[:1]) and "MRSP" not in told, (name, told)
        assert told or name in (*unread, "longer than the frame"), name
        assert "mac.execute" not in one.meter.counters, name
    one.order(["mac-read", "capability"], one.world.now_us)
    one.until_done(one.world.now_us + 400 * S)
    assert one.outcome()[0] == "done" and one.meter.counters["mac.execute"] == 1
    downs = [air.payload(air.read(sent))[0] for sent in one.world.air.log if sent.source == "gateway"]
    (command,) = [frame for frame in downs if macs.Frame(frame, None).kind == "MCMD"]
    before = state()
    assert answers(one, command) == ["MERR"]
    assert state() == before and one.meter.counters["mac.execute"] == 1
    assert codes(one.meter.counters, "rejected.") and codes(one.meter.counters, "mac.")
