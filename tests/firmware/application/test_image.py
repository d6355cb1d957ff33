"""Image transfer: both roles over a virtual clock, with losses, repetitions, late messages and power cuts at every step."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.application import error_codes, image, image_gateway, image_meter, protocols
from omsnode.firmware.errors import ApplicationError, MisuseError, OmsError, StoreError

ID = bytes.fromhex("0102030405060708")
MAC = bytes(range(16))
SECOND = 1000000


class Flash:
    """What holds the meter's image: the actions of the meter, carried out."""

    def __init__(self, good):
        self.bytes = None
        self.good = good
        self.installed = 0
        self.writes = 0

    def carry_out(self, action):
        """Returns the event to tell the meter, or None."""
        if action[0] == "erase":
            self.bytes = bytearray(b"\xff" * action[1])
        elif action[0] == "clear":
            self.bytes = None
        elif action[0] == "write":
            self.bytes[action[1] : action[1] + len(action[2])] = action[2]
            self.writes += 1
        elif action[0] == "verify":
            assert action[2:] == (4, 0x18, MAC)
            return "verified" if bytes(self.bytes) == self.good else "not verified"
        elif action[0] == "activate":
            # A boot loader that would install what is there: it must be the image, whole.
            assert bytes(self.bytes) == self.good
            self.installed += 1
            return "activated"
        return None


class PowerCut(Exception):
    pass


class World:
    """A gateway and a meter, a channel that follows a schedule, and power cuts at numbered steps.

    schedule: list of letters for messages in the order in which they are sent: "." delivered, "x" lost, "2" delivered twice,
    "l" delivered late (behind the next one). cuts: numbers of the actions before which power fails.
    """

    def __init__(self, good, block_size, schedule=(), meter_cuts=(), gateway_cuts=()):
        self.good = good
        self.block_size = block_size
        self.schedule = list(schedule)
        self.cuts = {"m": set(meter_cuts), "g": set(gateway_cuts)}
        self.steps = {"m": 0, "g": 0}
        self.now = 0
        self.flash = Flash(good)
        self.meter = image_meter.Meter(1 << 20)
        self.meter_store = self.meter.export()
        self.gateway = self._gateway()
        self.gateway_store = self.gateway.export()
        self.late = []
        self.delivered = []
        self.told = []

    def _gateway(self):
        return image_gateway.Gateway(
            lambda offset, length: self.good[offset : offset + length],
            len(self.good),
            ID,
            MAC,
            self.block_size,
        )

    def _cut(self, who):
        self.steps[who] += 1
        if self.steps[who] in self.cuts[who]:
            raise PowerCut

    # The meter's side

    def meter_do(self, make):
        """Carry out the actions that make() returns; returns what is sent back (body or error code) or None."""
        try:
            answer = None
            queue = list(make())
            while queue:
                action = queue.pop(0)
                self._cut("m")
                if action[0] == "persist":
                    self.meter_store = json.loads(json.dumps(self.meter.export()))
                elif action[0] in ("respond", "error"):
                    answer = action
                else:
                    event = self.flash.carry_out(action)
                    if event:
                        queue += self.meter.event(event, self.now)
            return answer
        except PowerCut:
            self.meter = image_meter.Meter(1 << 20)
            return self.meter_do(lambda: self.meter.restart(self.meter_store, self.now)) and None

    # The gateway's side

    def gateway_do(self, make):
        try:
            for action in make():
                self._cut("g")
                if action[0] == "persist":
                    self.gateway_store = json.loads(json.dumps(self.gateway.export()))
                elif action[0] == "deliver":
                    self.delivered.append(action[1])
                    if action[1] == "validated":
                        self.gateway_do(lambda: self.gateway.activate(self.now))
                elif action[0] == "send":
                    self.send(action)
        except PowerCut:
            self.gateway = self._gateway()
            self.gateway.restart(self.gateway_store)
            self.go_on()

    def go_on(self):
        """After a power cut: the user begins, resumes or activates again."""
        state = self.gateway.state
        if state == "idle":
            self.gateway_do(lambda: self.gateway.start(self.now))
        elif state == "suspended":
            self.gateway_do(lambda: self.gateway.resume(self.now))
        elif state == "ready":
            self.gateway_do(lambda: self.gateway.activate(self.now))

    def send(self, action):
        """A command goes over the air and what comes back goes into self.late or straight to the gateway."""
        fate = self.schedule.pop(0) if self.schedule else "."
        if fate == "l":
            self.late.append(("command", action))
            return
        if fate == "x":
            return
        for _ in range(2 if fate == "2" else 1):
            self.command(action)
        waiting, self.late = self.late, []
        for kind, what in waiting:
            if kind == "command":
                self.command(what)
            else:
                self.told.append(what)

    def command(self, action):
        answer = self.meter_do(lambda: self.meter.feed(action[1], self.now, action[2]))
        if answer is None:
            return
        fate = self.schedule.pop(0) if self.schedule else "."
        if fate == "l":
            self.late.append(("answer", answer))
        elif fate != "x":
            self.told += [answer] * (2 if fate == "2" else 1)

    def run(self, most=3000):
        """Until the gateway is done; the virtual clock jumps to the next instant that either wants."""
        self.gateway_do(lambda: self.gateway.start(self.now))
        for _ in range(most):
            if self.told:
                kind, what = self.told.pop(0)
                if kind == "respond":
                    self.gateway_do(lambda what=what: self.gateway.answer(what, self.now))
                else:
                    self.gateway_do(lambda what=what: self.gateway.error(what, self.now))
                continue
            if self.gateway.state in ("done", "failed", "terminated"):
                return self.gateway.state
            if self.gateway.state in ("suspended", "ready", "idle"):
                self.now += 60 * SECOND
                self.go_on()
                continue
            due = [at for at in (self.gateway.due_us, self.meter.due_us) if at is not None]
            self.now = max(self.now, min(due))
            self.meter_do(lambda: self.meter.tick(self.now))
            self.gateway_do(lambda: self.gateway.tick(self.now))
        raise AssertionError("no end: " + self.gateway.state)


def good_image(size):
    return bytes([(7 * i + i // 251) & 0xFF for i in range(size)])


def check(world):
    cuts = bool(world.cuts["g"])
    assert world.run() == "done"
    assert world.flash.installed >= 1 and world.meter.state == image.ACTIVATED
    # A word that is lost in a power cut is told by the state.
    assert cuts or world.delivered[-1] == "activated"


# --- plain walks ---


@pytest.mark.parametrize("size", (1, 189, 190, 191, 380, 5000))
def test_a_plain_walk(size):
    world = World(good_image(size), 190)
    check(world)
    assert world.flash.installed == 1
    assert world.flash.writes == (size + 189) // 190


@pytest.mark.parametrize("blocks", (1, 2, 3))
@pytest.mark.parametrize("fate", "x2l")
def test_every_message_and_every_pair_of_messages_hurt(blocks, fate):
    """Exhaustive over small images: any one, then any two, of the messages of the walk (both ways) lost, doubled, late."""
    messages = 2 * (blocks + 4) + 4
    for first in range(messages):
        for second in range(first, messages):
            schedule = ["."] * messages
            schedule[first] = schedule[second] = fate
            check(World(good_image(blocks * 8), 8, schedule))


@pytest.mark.parametrize("blocks", (1, 3))
def test_power_cut_at_every_step_of_the_meter(blocks):
    plain = World(good_image(8 * blocks), 8)
    check(plain)
    for step in range(1, plain.steps["m"] + 1):
        world = World(good_image(8 * blocks), 8, meter_cuts=(step,))
        check(world)
        assert world.steps["m"] > step


@pytest.mark.parametrize("blocks", (1, 3))
def test_power_cut_at_every_step_of_the_gateway(blocks):
    plain = World(good_image(8 * blocks), 8)
    check(plain)
    for step in range(1, plain.steps["g"] + 1):
        check(World(good_image(8 * blocks), 8, gateway_cuts=(step,)))


def test_power_cuts_at_every_pair_of_steps():
    plain = World(good_image(16), 8)
    check(plain)
    for ours in range(1, plain.steps["g"] + 1):
        for theirs in range(1, plain.steps["m"] + 1):
            check(World(good_image(16), 8, meter_cuts=(theirs, theirs + 3), gateway_cuts=(ours, ours + 2)))


@settings(max_examples=200)
@given(
    size=st.integers(1, 60),
    block_size=st.integers(1, 20),
    schedule=st.lists(st.sampled_from("...x2l"), max_size=80),
    meter_cuts=st.sets(st.integers(1, 80), max_size=5),
    gateway_cuts=st.sets(st.integers(1, 80), max_size=5),
)
def test_random_schedules(size, block_size, schedule, meter_cuts, gateway_cuts):
    check(World(good_image(size), block_size, schedule, meter_cuts, gateway_cuts))


def test_missing_blocks_beyond_one_list():
    """More blocks lost than a completion lists: it takes several rounds, and only the lost ones go again."""
    count = 3 * image.LISTED
    gateway = World(good_image(count * 4), 4)
    sent = []
    command = gateway.command

    def lossy(action):
        message = image.parse(action[1])
        if message.function == image.TRANSFER:
            sent.append(message.values["block"])
            if (
                len(sent) <= count
            ):  # the first round: acknowledged, never stored (the acknowledgement was another's)
                gateway.told.append(
                    (
                        "respond",
                        image.build(0x82, image_id=ID, state=3, block=message.values["block"]),
                    )
                )
                return
        command(action)

    gateway.command = lossy
    check(gateway)
    assert sorted(sent) == sorted(list(range(count)) * 2)


def test_blocks_in_any_order_and_doubled():
    meter = image_meter.Meter(1000, secured=())
    flash = Flash(good_image(35))

    def do(body):
        out = meter.feed(body, 0)
        for action in out:
            flash.carry_out(action)
        return out[-1]

    do(prepare(35, 10))
    for block in (3, 0, 3, 2, 1, 0):
        data = flash.good[10 * block : 10 * block + 10]
        kind, body = do(image.build(image.TRANSFER, image_id=ID, block=block, data=data))
        assert kind == "respond" and image.parse(body).values == {"image_id": ID, "state": 3, "block": block}
    assert flash.writes == 4 and bytes(flash.bytes) == flash.good
    body = do(image.build(image.COMPLETION, image_id=ID))[1]
    assert image.parse(body).values == {"image_id": ID, "state": 5, "missing": 0, "blocks": []}


# --- the meter's table against the sheet ---

# Typed from sheet oms-requirements 14.12: from which states a command is accepted.
FITS = {
    "prepare": range(2, 16),
    "transfer": (2, 3, 4, 6),
    "completion": (2, 3),
    "terminate transfer": (2, 3, 5, 6),
    "terminate": range(2, 16),
    "validate": (5, 10),
    "activate": (9,),
    "state": range(2, 16),
}
COMMANDS = {
    "transfer": image.build(image.TRANSFER, image_id=ID, block=0, data=b"12345678"),
    "completion": image.build(image.COMPLETION, image_id=ID),
    "terminate transfer": image.build(image.TERMINATE, image_id=ID, scope=0),
    "terminate": image.build(image.TERMINATE, image_id=ID, scope=1),
    "validate": image.build(image.VALIDATE, image_id=ID),
    "activate": image.build(image.ACTIVATE, image_id=ID, time=image.AT_ONCE),
    "state": image.build(image.STATE, image_id=ID),
}


def prepare(size, block_size, **other):
    values = {
        "image_id": ID,
        "size": size,
        "block_size": block_size,
        "mac_algorithm": 4,
        "key_id": 0x18,
        "mac": MAC,
    }
    values.update(other)
    return image.build(image.PREPARE, **values)


COMMANDS["prepare"] = prepare(16, 8)


def meter_in(state):
    meter = image_meter.Meter(1 << 20, secured=())
    meter.feed(COMMANDS["prepare"], 0)
    stored = meter.export()
    stored["state"] = state
    meter.restart(stored, 0)
    if state == image.VALIDATION_ACTIVE:  # begins anew after a power cut
        meter.event("verifying", 0)
    return meter


@pytest.mark.parametrize("command", sorted(FITS))
def test_a_command_that_does_not_fit_the_state_is_error_10(command):
    for state in range(2, 16):
        meter = meter_in(state)
        before = meter.export()
        action = meter.feed(COMMANDS[command], 5)[-1]
        if state in FITS[command]:
            assert action[0] == "respond", (state, action)
        else:
            assert action == ("error", 0x10), (state, action)
            assert meter.export() == before and meter.state == state


def test_states_last_a_day_and_no_longer_than_somebody_cares():
    day = 24 * 3600 * SECOND
    for state in (2, 3, 4, 5, 6, 9, 10, 12, 13, 14):
        meter = meter_in(state)
        assert meter.due_us == day
        assert meter.tick(day - 1) == [] and meter.state == state
        actions = meter.tick(day)
        assert actions == [("persist",), ("clear",)] and meter.state == image.IDLE and meter.due_us is None


def test_validation_ends_after_300_s_and_activation_after_600_s():
    meter = meter_in(5)
    assert meter.feed(COMMANDS["validate"], 0)[1] == ("verify", 16, 4, 0x18, MAC)
    meter.event("verifying", 1)
    assert meter.state == 8 and meter.due_us == 300 * SECOND
    meter.tick(300 * SECOND)
    assert meter.state == 10
    meter = meter_in(9)
    assert meter.feed(COMMANDS["activate"], 0)[1] == ("activate", image.AT_ONCE)
    assert meter.state == 11 and meter.due_us == 600 * SECOND
    meter.tick(600 * SECOND)
    assert meter.state == 13


def test_a_scheduled_activation_waits_for_its_time():
    meter = meter_in(9)
    when = bytes.fromhex("000000012318")
    actions = meter.feed(image.build(image.ACTIVATE, image_id=ID, time=when), 0)
    assert ("activate", when) in actions and meter.due_us is None
    meter.event("activating", 10 * SECOND)
    assert meter.due_us == 610 * SECOND
    meter.event("activated", 11 * SECOND)
    assert meter.state == 12


def test_a_scheduled_activation_is_asked_for_now_and_then():
    world = World(good_image(8), 8)
    gateway, when = world.gateway, bytes.fromhex("000000012318")
    gateway.start(0)
    gateway.answer(image.build(0x80, image_id=ID, state=9), 0)
    assert gateway.state == "ready"
    actions = gateway.activate(0, when)
    assert image.parse(actions[1][1]).values["time"] == when and actions[1][2]
    gateway.answer(image.build(0x86, image_id=ID, state=11), 0)
    assert gateway.state == "waiting" and gateway.due_us == 3600 * SECOND
    gateway.tick(3600 * SECOND)
    # OMS: success may end in idle as well.
    assert gateway.answer(image.build(0x84, image_id=ID, state=15), 0)[-1] == ("deliver", "activated")


def test_an_image_of_somebody_else_is_replaced():
    gateway = World(good_image(8), 8).gateway
    gateway.start(0)
    gateway.interrupt(0)
    gateway.resume(0)
    actions = gateway.answer(image.build(0x84, image_id=bytes(8), state=12), 0)
    assert image.parse(actions[1][1]).function == image.PREPARE


def test_an_image_with_a_wrong_mac_is_never_installed():
    world = World(good_image(20), 8)
    world.flash.good = b"another"
    assert world.run() == "failed"
    assert world.delivered == ["validation failed"] and world.flash.installed == 0
    assert world.meter.state == 10


@pytest.mark.parametrize(
    "body, code",
    (
        (prepare(0, 8), 0x16),
        (prepare(1 << 21, 190), 0x16),
        (prepare(16, 0), 0x16),
        (prepare(16, 300), 0x16),
        (prepare(5000, 1), 0x16),
        (prepare(16, 8, mac_algorithm=5), 0x21),
        (prepare(16, 8, key_id=0x19), 0x15),
        (image.build(image.TRANSFER, image_id=ID, block=2, data=b""), 0x15),
        (image.build(image.TRANSFER, image_id=ID, block=0, data=b"1"), 0x16),
        (image.build(image.TRANSFER, image_id=bytes(8), block=0, data=b"12345678"), 0x15),
        (image.build(image.TERMINATE, image_id=ID, scope=2), 0x15),
        (b"", 0x11),
        (b"\x01", 0x11),
        (b"\x08", 0x11),
        (b"\x82" + bytes(11), 0x11),
        (b"\x02\x01", 0x15),
    ),
)
def test_wrong_values_are_refused_and_change_nothing(body, code):
    meter = meter_in(2)
    before = meter.export()
    assert meter.feed(body, 1) == [("error", code)]
    assert meter.export() == before


def test_prepare_activate_and_terminate_only_from_a_secured_container():
    meter = image_meter.Meter(1 << 20)
    assert meter.feed(COMMANDS["prepare"], 0) == [("error", 0x22)]
    assert meter.feed(COMMANDS["prepare"], 0, True)[-1][0] == "respond"
    assert meter.feed(COMMANDS["terminate"], 0) == [("error", 0x22)]
    assert meter.feed(COMMANDS["transfer"], 0)[-1][0] == "respond"


def test_what_the_application_tells_must_fit_the_state():
    meter = meter_in(3)
    for event in ("verified", "activated", "prepare", "time-out", "nonsense"):
        with pytest.raises(MisuseError):
            meter.event(event, 0)
    assert meter.state == 3


def test_a_stored_state_that_is_damaged_is_refused():
    good = meter_in(3).export()
    for key, value in (
        ("state", 1),
        ("state", "x"),
        ("size", -5),
        ("size", 1 << 20),
        ("block_size", 0),
        ("mac", 5),
        ("received", "zz"),
        ("received", ""),
        ("size", []),
        ("size", 190.0),
        ("block_size", -1),
        ("block_size", "190"),
        ("image_id", "0011"),
        ("time", "00"),
        ("mac", "00"),
    ):
        with pytest.raises(StoreError):
            image_meter.Meter(1 << 20).restart(dict(good, **{key: value}), 0)
    gateway = World(b"1234", 2).gateway
    stored = gateway.export()
    for key, value in (
        ("state", "x"),
        ("image_id", "00"),
        ("next", None),
        ("missing", 3),
        ("time", 4),
        ("next", -5),
        ("next", 0.5),
        ("missing", [0.5]),
        ("setbacks", -(1 << 40)),
        ("time", "00"),
    ):
        with pytest.raises(StoreError):
            gateway.restart(dict(stored, **{key: value}))


# --- the gateway ---


def test_the_gateway_gives_the_process_up():
    world = World(good_image(80), 8)
    world.gateway_do(lambda: world.gateway.start(0))
    assert world.told
    world.gateway_do(lambda: world.gateway.terminate(0))
    for _ in range(5):
        while world.told:
            kind, what = world.told.pop(0)
            world.gateway_do(lambda what=what: world.gateway.answer(what, 0))
    assert world.gateway.state == "terminated" and world.meter.state == image.TERMINATED
    assert world.delivered == ["terminated"]


def test_silence_suspends_and_resume_asks_first():
    world = World(good_image(8), 8, ["x"] * 3)
    world.gateway_do(lambda: world.gateway.start(0))
    for number in range(1, 4):
        world.gateway_do(lambda number=number: world.gateway.tick(number * 255 * SECOND))
    assert world.gateway.state == "suspended" and world.delivered == ["suspended"]
    actions = world.gateway.resume(1000 * SECOND)
    assert actions[1][0] == "send" and image.parse(actions[1][1]).function == image.STATE


def test_busy_is_asked_again_later_and_a_real_error_ends_it():
    world = World(good_image(8), 8)
    gateway = world.gateway
    gateway.start(0)
    gateway.error(error_codes.BUSY, 0)
    assert gateway.state == "waiting" and gateway.due_us == 30 * SECOND
    assert image.parse(gateway.tick(30 * SECOND)[1][1]).function == image.STATE
    assert gateway.error(0x21, 31 * SECOND)[-1] == ("deliver", "refused")
    assert gateway.state == "failed"


def test_a_meter_that_refuses_for_ever_is_given_up():
    gateway = World(good_image(8), 8).gateway
    gateway.start(0)
    for _ in range(200):
        if gateway.state == "failed":
            break
        gateway.error(0x10, 0)
    assert gateway.state == "failed"


@pytest.mark.parametrize("transfer", sorted(image.STATE_NAMES))
def test_a_meter_that_always_says_the_same_does_not_keep_the_gateway_busy(monkeypatch, transfer):
    """Whatever it answers to each command: after a while the gateway waits (it polls, slowly), has ended, or gave it up."""
    monkeypatch.setattr(image_gateway, "SETBACKS", 8)
    for completion in image.STATE_NAMES:
        for validate in image.STATE_NAMES:
            lies = {image.PREPARE: 2, image.STATE: 2, image.TRANSFER: transfer, image.COMPLETION: completion}
            lies.update({image.VALIDATE: validate, image.ACTIVATE: validate, image.TERMINATE: validate})
            gateway = World(good_image(24), 8).gateway
            actions = gateway.start(0)
            for _ in range(150):
                if gateway.state == "ready":
                    actions = gateway.activate(0)
                sent = [action for action in actions if action[0] == "send"]
                if not sent:
                    break
                code = sent[0][1][0]
                more = {}
                if code == image.TRANSFER:
                    more = {"block": gateway.block}
                elif code == image.COMPLETION:
                    more = {"missing": 1, "blocks": [0]}
                answer = image.build(code | 0x80, image_id=ID, state=lies[code], **more)
                actions = gateway.answer(answer, 0)
            assert not sent, (completion, validate)


def test_many_rounds_of_missing_blocks_are_no_setback():
    """As long as they become fewer: 100 blocks are told one at a time."""
    gateway = World(good_image(800), 8).gateway
    actions = gateway.start(0)
    missing = list(range(300))
    while gateway.state != "validating":
        code = actions[-1][1][0]
        more = {}
        state = 3
        if code == image.TRANSFER:
            more = {"block": gateway.block}
            missing.pop()
        elif code == image.COMPLETION:
            more = {"missing": len(missing), "blocks": [7] if missing else []}
            state = 6 if missing else 5
        actions = gateway.answer(image.build(code | 0x80, image_id=ID, state=state, **more), 0)
        assert gateway.state != "failed"
    assert not missing


def test_acknowledgements_alone_carry_a_transfer():
    world = World(good_image(24), 8)
    gateway, meter = world.gateway, world.meter
    meter.feed(gateway.start(0)[1][1], 0, True)
    actions = gateway.answer(image.build(0x80, image_id=ID, state=2), 0)
    for block in range(3):
        assert image.parse(actions[1][1]).values["block"] == gateway.block == block
        assert gateway.acknowledged(block + 1, 0) == []
        actions = gateway.acknowledged(block, 0)
    assert image.parse(actions[1][1]).function == image.COMPLETION


def test_orders_that_do_not_fit_raise_and_change_nothing():
    gateway = World(good_image(8), 8).gateway
    for order in (gateway.activate, gateway.terminate, gateway.interrupt, gateway.resume):
        with pytest.raises(MisuseError):
            order(0)
    assert gateway.state == "idle"
    with pytest.raises(MisuseError):
        image_gateway.Gateway(None, 0, ID, MAC)


# --- messages ---


def test_every_body_is_accounted_and_nothing_but_omserror_is_raised():
    for code in range(256):
        for length in (0, 1, 8, 9, 12, 30, 33):
            body = bytes([code]) + bytes(range(length))
            covered = b"".join(
                body[field[0] : field[0] + field[1]] for field in protocols.read(0xC0, body).fields
            )
            assert covered == body
            try:
                message = image.parse(body)
            except ApplicationError:
                continue
            if message.function & 0x7F != image.SYNCHRONISE and len(body) == sum(
                field[1] for field in protocols.read(0xC0, body).fields if field[2] != "undecoded"
            ):
                assert image.build(message.function, **message.values) == body


@settings(max_examples=300)
@given(
    bodies=st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from(sorted(COMMANDS)).map(COMMANDS.get),
            st.builds(
                lambda head, tail: bytes([head]) + ID + tail, st.integers(0, 0x88), st.binary(max_size=8)
            ),
        ),
        max_size=20,
    )
)
def test_no_body_hurts_either_side(bodies):
    meter = image_meter.Meter(64, secured=())
    gateway = World(good_image(16), 8).gateway
    gateway.start(0)
    flash = Flash(good_image(16))
    for body in bodies:
        for action in meter.feed(body, 0):
            if action[0] in ("erase", "write", "clear"):
                flash.carry_out(action)
        gateway.answer(body, 0)
        assert image_meter.Meter(64).restart(meter.export(), 0) is not None


def test_builders_refuse_what_does_not_fit():
    for values in ({}, {"image_id": b"1"}, {"image": ID}):
        with pytest.raises(MisuseError):
            image.build(image.STATE, **values)
    with pytest.raises(MisuseError):
        image.build(image.TRANSFER, image_id=ID, block=1 << 16, data=b"")
    with pytest.raises(OmsError):
        image.build(0x55)
