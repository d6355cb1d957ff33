"""Application protocols under either interpreter: readers, builders, clock, commands, a whole image transfer with power cuts."""

import json

from omsnode.firmware.application import (
    clock,
    commands,
    error_codes,
    image,
    image_gateway,
    image_meter,
    protocols,
    select,
)
from omsnode.firmware.errors import OmsError

HEX = bytes.fromhex


def values(ci, body):
    return {field[2]: field[3] for field in protocols.read(ci, HEX(body)).fields}


# --- readers and builders ---

ANNEX_N = "013201000000000000002f2f2f2f"  # OMS Annex N.8.2
assert values(0x6C, ANNEX_N)["time"] == "00:01:50"
assert clock.build_adjust(110) == HEX(ANNEX_N)
assert values(0x6E, "01") == {"error": 1, "meaning": "CI field not implemented"}
assert values(0x70, "f002fd170400")["record"] == "error flags 4"
assert error_codes.build(0x15) == b"\x15"
assert values(0x53, "70")["application_name"] == "static content"
assert select.parse(select.build(16, 3)) == (16, 3)
assert values(0x71, "05")["alarm_bits"] == "0 2"
assert values(0xA5, "0102") == {"manufacturer_data": "0102"}
assert values(0x5C, "0102") == {"undecoded": "0102"}

# --- clock: set in 2024, adjusted ---

state = clock.start(0, 0)
state, error = clock.apply(clock.parse(clock.build_set(2024, 5, 31, 23, 50, 10)), state, 7, clock.HEAD_END)
assert error is None and clock.device_us(state, 7) == 1717199410000000
state, error = clock.apply(clock.parse(clock.build_adjust(-30)), state, 7)
assert error is None and clock.device_us(state, 43200000007) == 1717199410000000 + 43200000000 - 30000000
assert clock.apply(clock.parse(clock.build_adjust(1)), state, 8) == (state, 0x10)

# --- commands ---

found, error = commands.parse(HEX("0a93016703") + HEX("00900f"))
assert error is None and found[0].action == "add"
registers = [commands.Register(b"\x0c", b"\x13", 1234, ("add",))]
result = commands.execute(found, registers)
assert result.writes == {0: 1601} and result.answers == (HEX("0c1301160000"),)
assert commands.build(b"\x0a", b"\x13", "add", 367) == HEX("0a93016703")

# --- image transfer: both ends lose power every few steps ---

GOOD = bytes([(7 * i) & 0xFF for i in range(1000)])
ID, MAC = b"\1\2\3\4\5\6\7\x08", bytes(16)
flash = bytearray()
now = 0


def new_gateway(stored):
    made = image_gateway.Gateway(lambda at, length: GOOD[at : at + length], len(GOOD), ID, MAC, 190)
    made.restart(json.loads(json.dumps(stored)))
    return made


def at_the_meter(meter, actions):
    """Carry actions out; returns the answer or None."""
    global flash
    answer = None
    while actions:
        action = actions.pop(0)
        if action[0] == "erase":
            flash = bytearray(action[1])
        elif action[0] == "write":
            flash[action[1] : action[1] + len(action[2])] = action[2]
        elif action[0] == "verify":
            actions += meter.event("verified" if bytes(flash) == GOOD else "not verified", now)
        elif action[0] == "activate":
            actions += meter.event("activated", now)
        elif action[0] in ("respond", "error"):
            answer = action
    return answer


meter = image_meter.Meter(4096)
gateway = image_gateway.Gateway(lambda at, length: GOOD[at : at + length], len(GOOD), ID, MAC, 190)
actions = gateway.start(now)
for step in range(200):
    if gateway.state == "done":
        break
    if step % 5 == 3:
        stored = json.loads(json.dumps(meter.export()))
        meter = image_meter.Meter(4096)
        at_the_meter(meter, meter.restart(stored, now))
    if step % 7 == 5:
        gateway = new_gateway(gateway.export())
        actions = gateway.resume(now)
    if gateway.state == "ready":
        actions = gateway.activate(now)
    sent = [action for action in actions if action[0] == "send"]
    if not sent:
        now = gateway.due_us or now
        actions = gateway.tick(now)
        continue
    answer = at_the_meter(meter, meter.feed(sent[0][1], now, sent[0][2]))
    tell = gateway.answer if answer[0] == "respond" else gateway.error
    actions = tell(answer[1], now)
assert gateway.state == "done" and meter.state == image.ACTIVATED and bytes(flash) == GOOD

# --- nothing but our own errors ---

seed = 1
for ci in range(256):
    for length in (0, 1, 2, 5, 13, 40):
        body = bytearray()
        for _ in range(length):
            seed = (seed * 1103515245 + 12345) & 0x3FFFFFFF
            body.append(seed >> 12 & 0xFF)
        fields = protocols.read(ci, bytes(body)).fields
        assert sum([field[1] for field in fields]) == length
        commands.execute(commands.parse(bytes(body))[0], registers)
        meter.feed(bytes(body), now)
        try:
            clock.apply(clock.parse(bytes(body)), state, 8)
        except OmsError:
            pass
print("ok")
