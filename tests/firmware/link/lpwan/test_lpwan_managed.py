"""Link management at the meter and its MAC services: the annex's fallback ladder and figures Q.J.10, Q.J.11, commands within and
outside the capabilities, power cuts (Annex Q.3.7.1; LPWAN sheet section 18)."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware import errors
from omsnode.firmware.link.lpwan import blocks, clock, managed, services, values
from omsnode.firmware.link.lpwan.blocks import MBlock
from omsnode.firmware.link.lpwan.values import HARD, NONE_LEFT, SOFT, Downlink, Uplink

CODINGS = ("7/8", "1/2", "1/3")
CAPABILITY = values.Capability(("UL-B1", "UL-B2", "UL-B4"), 0, ("DL-B1", "DL-B4"), CODINGS, 0)
START = Uplink(0, 2, "UL-B4", (2,), "1/2")  # -6 dB
DOWN = Downlink(0, 0, "DL-B4")
NOT_COUNTED = 31  # corrected bit errors
ALL = (0, 1, 2, 3, 4)


def meter(capability=CAPABILITY, uplink=START, downlink=DOWN, preset=3, stored=None, reductions=4):
    return managed.Managed(capability, uplink, downlink, preset, 600, reductions, stored)


def miss(one, times):
    return [one.missed() for _ in range(times)]


def test_the_ladder_of_the_annex():
    """Q.3.7.1.4.2: UL-B4, 1/2, -6 dB -> soft: UL-B4, 1/3, 0 dB -> hard: UL-B1/B2, 1/3, 0 dB."""
    one = meter()
    assert one.next == SOFT
    assert miss(one, 3) == [False, False, True]
    assert one.uplink == Uplink(0, 0, "UL-B4", (2,), "1/3") and one.downlink == DOWN
    assert (one.next, one.counter) == (HARD, 3)
    assert miss(one, 3) == [False, False, True]
    assert one.uplink == Uplink(0, 0, "UL-B1", ALL, "1/3") and one.downlink == Downlink(0, 0, "DL-B1")
    assert one.next == NONE_LEFT
    # At the top the counter stays at 0 until somebody is heard.
    assert miss(one, 9) == [False] * 9 and one.counter == 0
    assert values.decode(1, one.status()[1].value) == values.FallbackStatus(NONE_LEFT, 0)
    one.heard()
    assert one.counter == 3


@pytest.mark.parametrize(
    ("uplinks", "dual", "at", "to"),
    (
        (("UL-B1", "UL-B2", "UL-B4"), 1, "UL-B4", "UL-B1+B2"),
        (("UL-B2", "UL-B4"), 0, "UL-B4", "UL-B2"),
        (("UL-B3", "UL-B4"), 0, "UL-B4", None),  # only the NW-Manager may ask for it
        (("UL-B3", "UL-B4", "UL-S3"), 0, "UL-B4", "UL-S3"),
        (("UL-B1", "UL-B4", "UL-S1"), 0, "UL-B4", "UL-B1"),
        (("UL-B1", "UL-S1", "UL-S2"), 1, "UL-B1", "UL-S1+S2"),
        (("UL-B3", "UL-B1", "UL-S2"), 0, "UL-B3", "UL-S2"),
        (("UL-B1", "UL-B2"), 1, "UL-B1+B2", None),
        (("UL-B1",), 0, "UL-B1", None),
        (("UL-S1", "UL-B1"), 0, "UL-S1", None),
    ),
)
def test_hard_fallback(uplinks, dual, at, to):
    capability = values.Capability(uplinks, dual, ("DL-B4",), CODINGS + ("multi",), 1)
    coding = None if at[3] == "S" else "multi"
    one = meter(capability, Uplink(0, 0, at, None if coding is None else ALL, coding), preset=1)
    assert one.next == (NONE_LEFT if to is None else HARD)
    assert one.missed() == (to is not None)
    assert one.uplink.sub_mode == (to or at)
    assert one.uplink.coding == (None if (to or at)[3] == "S" else "multi")


def test_who_is_heard():
    one = meter()
    one.missed()
    one.heard(acp=1)  # a service tool
    assert one.counter == 2
    one.heard()
    assert one.counter == 3


def test_prediction():
    """Q.3.7.1.4.3: counter 10, 40 minutes between opportunities: 400 minutes."""
    one = meter(preset=10)
    assert [i for i in range(1, 11) if one.missed()] == [10]


def test_figure_q_j_11():
    """A temporary counter of 20000 is told as 8192 and less, and any downlink brings the permanent 400 back, told as 256."""
    one = meter(preset=400)
    for _ in range(385):
        one.missed()
    assert one.counter == 15
    one.heard()
    assert one.execute(MBlock(2, bytes.fromhex("20CE"))) == MBlock(2, bytes.fromhex("20CE"))

    def told():
        return values.decode(1, one.execute(blocks.get(1)).value).counter

    seen = [told()]
    for _ in range(20000 - 1600):
        one.missed()
        if told() != seen[-1]:
            seen.append(told())
    assert seen[0] == 8192 and 3840 in seen and seen[-1] == 1536
    assert one.execute(blocks.get(2)) == MBlock(2, bytes.fromhex("9001"))  # Get: the permanent one
    one.heard()
    one.execute(blocks.get(4))
    assert told() == 256 and one.counter == 400


def test_figure_q_j_10():
    """-3 dB; the command lowers the link budget; -9 dB with a margin of ]16;20]; nobody; soft fallback to 0 dB, next hard."""
    one = meter(uplink=Uplink(0, 1, "UL-B4", (2,), "1/3"), preset=256)
    assert one.status()[0] == MBlock(0, b"\x01")
    one.heard(0, -119 + 17)
    lower = values.encode(5, Uplink(0, 3, "UL-B4", (2,), "1/3"))
    assert one.execute(lower) == lower
    assert one.execute(values.encode(6, DOWN)) == values.encode(6, DOWN)
    assert one.uplink.reduction == 1  # the response is sent as before
    assert one.switched() and one.uplink.reduction == 3
    assert one.status() == [MBlock(0, bytes([3, 5 << 5 | NOT_COUNTED])), MBlock(1, b"\x20")]
    miss(one, 244)
    assert one.status()[1] == MBlock(1, b"\x0c")
    assert miss(one, 12)[-1]
    assert one.status() == [MBlock(0, bytes([0, 5 << 5 | NOT_COUNTED])), MBlock(1, b"\x60")]


def test_a_permanent_set():
    one = meter()
    change = values.encode(5, Uplink(0, 1, "UL-B1", (0, 3), "7/8"))
    down = values.encode(6, Downlink(0, 0, "DL-B1"))
    assert (one.execute(change), one.execute(down)) == (change, down)
    assert one.execute(blocks.get(5)) == change and one.execute(blocks.get(6)) == down
    assert (one.uplink, one.downlink) == (START, DOWN)
    # It is stored before it is in force: after a power cut it is.
    cut = meter(stored=json.loads(json.dumps(one.export())))
    assert cut.uplink == Uplink(0, 1, "UL-B1", (0, 3), "7/8") and cut.downlink.sub_mode == "DL-B1"
    assert one.switched() and (one.uplink, one.downlink) == (cut.uplink, cut.downlink)
    assert not one.switched() and not one.ended() and one.uplink == cut.uplink


def test_a_temporary_set():
    one = meter()
    change = values.encode(5, Uplink(1, 4, "UL-B2", (1,), "1/3"))
    assert one.execute(change) == change and one.switched()
    assert one.uplink == Uplink(1, 4, "UL-B2", (1,), "1/3") and one.execute(blocks.get(5)) == change
    assert meter(stored=one.export()).uplink == START  # the session ends with the power
    assert one.execute(blocks.get(0)).value[0] == 3  # 12 dB cannot be told
    assert one.ended() and one.uplink == START
    # One that was never in force.
    one.execute(change)
    assert not one.ended() and not one.switched() and one.uplink == START
    # A fallback ends it as well.
    one.execute(change)
    one.switched()
    assert miss(one, 3)[-1] and one.uplink == Uplink(0, 0, "UL-B4", (2,), "1/3")


def test_temporary_and_permanent_in_one_command():
    permanent, temporary = Uplink(0, 1, "UL-B1", ALL, "1/3"), Uplink(1, 0, "UL-B2", ALL, "1/3")
    for order in ((permanent, temporary), (temporary, permanent)):
        one = meter()
        for up in order:
            one.execute(values.encode(5, up))
        assert one.uplink == START and one.switched() and one.uplink == order[1]
        one.ended()
        assert one.uplink == permanent


@pytest.mark.parametrize(
    ("block_id", "text"),
    (
        (5, "022C"),  # UL-B3: not there
        (5, "0400"),  # dual channel: not there
        (5, "0014"),  # UL-B1, rate 7/8, n = 0 and 2, but...
        (5, "0003"),  # no n, multi burst: not there
        (5, "0002"),  # UL-B1 without any n
        (5, "0007"),  # multi burst
        (5, "03"),  # UL-B4 without its second byte
        (5, "05"),  # UL-S1
        (5, "0F00"),
        (6, "02"),  # DL-B2
        (6, "0E"),  # DL-B4, multi burst
        (6, "07"),
        (2, "0000"),  # a counter of 0
        (2, "0080"),
        (0, "01"),  # cannot be set
        (1, "00"),
        (19, "0F0F1F"),
        (20, "01"),
    ),
)
def test_a_set_outside_of_the_capabilities_changes_nothing(block_id, text):
    one = meter()
    before = one.export()
    block = MBlock(block_id, bytes.fromhex(text))
    if text == "0014":
        assert one.execute(block) == block
        return
    assert one.execute(block) == blocks.get(block_id)
    assert one.export() == before and not one.switched() and one.uplink == START


def test_power_that_cannot_be_reduced_so_far():
    one = meter(uplink=Uplink(0, 0, "UL-B4", (2,), "1/3"), reductions=1)
    assert one.execute(values.encode(5, Uplink(0, 2, "UL-B4", (2,), "1/3"))) == blocks.get(5)
    assert one.execute(values.encode(5, Uplink(0, 1, "UL-B4", (2,), "1/3"))).value


@pytest.mark.parametrize("bad", ("uplink", "downlink", "preset"))
def test_a_meter_begins_within_its_capabilities(bad):
    with pytest.raises(errors.MisuseError):
        meter(
            uplink=Uplink(0, 0, "UL-B3", ALL, "1/2") if bad == "uplink" else START,
            downlink=Downlink(0, 1, "DL-B4") if bad == "downlink" else DOWN,
            preset=0 if bad == "preset" else 5,
        )


@given(
    st.none()
    | st.integers()
    | st.text(max_size=3)
    | st.lists(
        st.none() | st.integers(-1, 70000) | st.sampled_from(("UL-B4", "DL-B4", "1/2", "UL-")) | st.just([2]),
        max_size=9,
    )
)
def test_damaged_state(stored):
    if stored is None:
        return
    try:
        one = meter(stored=stored)
    except errors.StoreError:
        return
    assert one.export() == stored


RIGHT = [2, "UL-B4", [2], "1/2", 0, "DL-B4", 3, 1]


@pytest.mark.parametrize(
    ("at", "value"),
    (
        (0, 5),
        (0, -1),
        (1, "UL-B3"),
        (1, "UL-B1+B2"),
        (2, [5]),
        (2, 2),
        (3, "multi"),
        (3, None),
        (4, 1),
        (5, "DL-B2"),
    )
    + ((6, 0), (6, 32768), (7, -1), (7, 32768), (7, "1"), (1, 4), (1, "UL-")),
)
def test_state_that_was_altered(at, value):
    assert meter(stored=RIGHT).export() == RIGHT
    with pytest.raises(errors.StoreError):
        meter(stored=RIGHT[:at] + [value] + RIGHT[at + 1 :])


def test_codes():
    assert [managed.margin_code(db) for db in (-3, 0, 1, 4, 5, 8, 12, 16, 17, 20, 21, 99)] == (
        [0, 0, 1, 1, 2, 2, 3, 4, 5, 5, 6, 6]
    )


def test_margin_is_that_of_the_downlink_in_force():
    """Table Q.B.2: DL-B4 needs -119 dBm, DL-B1 -130."""
    one = meter()
    for rssi_dbm, code in ((-110, 3), (-110.5, 3), (None, 7), (-125, 0), (-60, 6)):
        one.heard(0, rssi_dbm)
        assert one.status()[0].value[1] >> 5 == code
    command = values.encode(6, values.Downlink(0, 0, "DL-B1"))
    one.heard(0, -115)
    assert one.status()[0].value[1] >> 5 == 1
    assert one.execute(command) == command and one.switched()
    assert one.status()[0].value[1] >> 5 == 4  # with the same signal, before anything is heard in it
    one.heard(0, -110)
    assert one.status()[0].value[1] >> 5 == 5


blocks_of = st.builds(MBlock, st.sampled_from(managed.HANDLED), st.binary(max_size=3))


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(st.sampled_from(("block", "heard", "missed", "switched", "ended", "cut")), blocks_of),
        max_size=30,
    )
)
def test_always_within_the_capabilities(what):
    one = meter()
    for event, block in what:
        if event == "block":
            answer = one.execute(block)
            assert answer.id == block.id and (not block.value or answer.value in (b"", block.value))
        elif event == "cut":
            one = meter(stored=json.loads(json.dumps(one.export())))
        else:
            getattr(one, event)()
        assert one.uplink.sub_mode in CAPABILITY.uplinks and one.uplink.coding in CODINGS
        assert one.downlink.sub_mode in CAPABILITY.downlinks and 0 <= one.counter <= 32767


# --- services: MBlocks of a command in, those of the response out ---


class Clock:
    """What a role has: the state stands with it."""

    def __init__(self):
        self.clock = clock.start(0, 0)

    def execute(self, block, rx0_us, now_us):
        self.clock, answer = clock.execute(self.clock, block, rx0_us, now_us)
        return answer


def command(one, text):
    return one.execute(bytes.fromhex(text), 0, 0).hex().upper()


def test_services():
    one = services.Services(meter(), Clock(), 240)
    assert command(one, "8001") == "B001" + "FF001F"  # 00 to 07 and 10 to 14
    assert command(one, "8101") == "A1010017"
    assert command(one, "8201") == "920178"
    assert command(one, "920105") == "920105" and one.resume_s == 10
    assert command(one, "130A") == "130A" and one.request_min == 10
    assert command(one, "03") == "03"  # cannot be asked for
    assert command(one, "07") == "07" and command(one, "2701" + "00") == "07"
    assert command(one, "04") == "34" + "000000"
    assert command(one, "14D8") == "14D8" and command(one, "14D8") == "04"  # one at a time
    assert command(one, "08") == "08" and command(one, "1F00") == "0F" and command(one, "8002") == "8002"
    # Combined, in their order; what fails is empty.
    assert command(one, "00" + "1503" + "8301") == "2002FF" + "05" + "B3010B0907"
    # Corrupt: none.
    assert command(one, "0010") == ""
    assert services.Services().supported() == (3, 7, 16, 17, 18)
    assert command(services.Services(), "0001") == "0001" and command(services.Services(), "04") == "04"


def test_a_response_fits_its_body():
    one = services.Services(meter())
    answer = blocks.parse(one.execute(bytes.fromhex("8301") * 20, 0, 0))
    assert [len(block.value) for block in answer] == [3] * 5 + [0] * 15  # 56 bytes
    # 75 bytes are the longest frame of an SX1262 in rate 1/3 (sheet 22): 48 of them.
    small = services.Services(meter(), longest=75)
    answer = blocks.parse(small.execute(bytes.fromhex("8301") * 20, 0, 0))
    assert [len(block.value) for block in answer] == [3] * 2 + [0] * 18
    # What was set has to be told.
    answer = blocks.parse(one.execute(bytes.fromhex("8301") * 10 + bytes.fromhex("920178") * 8, 0, 0))
    assert [len(block.value) for block in answer] == [3] * 4 + [0] * 6 + [1] * 8
    full = bytes.fromhex("920178") * 19  # 57 bytes, as a command without MDerCounter may have
    assert one.execute(full, 0, 0) == full


def test_services_are_stored():
    one = services.Services(meter(), None, 240)
    command(one, "920105" + "2290" + "01")
    again = services.Services(meter(), stored=json.loads(json.dumps(one.export())))
    assert again.resume_s == 10 and again.managed.preset == 400
    assert services.Services(stored=[0, None]).resume_s == 0
    for damaged in (5, [], [1, None], [512, None], ["0", None], [0, [1]]):
        with pytest.raises(errors.StoreError):
            services.Services(meter(), stored=damaged)


@settings(max_examples=300)
@given(st.binary(max_size=57))
def test_random_commands(data):
    answer = services.Services(meter(), Clock()).execute(data, 0, 0)
    try:
        asked = blocks.parse(data)
    except errors.BodyError:
        assert answer == b""
        return
    assert [block.id for block in blocks.parse(answer)] == [block.id for block in asked]
    assert len(answer) <= max(56, len(data))
