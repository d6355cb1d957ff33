"""Link management at the NW-Manager: it moves a meter to what is cheap and good enough, and the meter's own state machine follows
(LPWAN sheet section 18). The path loss is the only thing that both are told."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware import errors
from omsnode.firmware.link.lpwan import blocks, managed, manager, values
from omsnode.firmware.link.lpwan.values import Downlink, Uplink

ALL = (0, 1, 2, 3, 4)
CAPABILITY = values.Capability(
    ("UL-B1", "UL-B2", "UL-B4"), 0, ("DL-B1", "DL-B2", "DL-B4"), ("7/8", "1/2", "1/3"), 0
)
HIGHEST = Uplink(0, 0, "UL-B1", ALL, "1/3")  # after installation: the highest link budget
DOWN = Downlink(0, 0, "DL-B1")
HEARS, SENDS = ("UL-B1", "UL-B2", "UL-B3", "UL-B4"), ("DL-B1", "DL-B2", "DL-B3", "DL-B4")
# What is needed, in tenths of dB above UL-B1 at rate 1/3: 11 dB for the chip rate; sheet section 24, 15 bytes, hard, 10 %.
NEEDS = {"UL-B1": 0, "UL-B2": 0, "UL-B4": 110}
CODED = {"7/8": 63, "1/2": 20, "1/3": 0}


def both(uplink=HIGHEST, preset=20):
    meter = managed.Managed(CAPABILITY, uplink, DOWN, preset, 600)
    return meter, manager.Manager(CAPABILITY, uplink, DOWN, HEARS, SENDS)


def margin(meter, loss):
    """Margin of an uplink; loss: in tenths of dB, of a path on which UL-B1, rate 1/3, full power would have none at 400."""
    up = meter.uplink
    return 400 - loss - NEEDS[up.sub_mode] - CODED[up.coding] - 30 * up.reduction


def uplink(meter, nw, loss):
    """One uplink on the air, and what the NW-Manager makes of it; whether it was heard."""
    left = margin(meter, loss)
    if left < 0:
        nw.lost()
        return False
    told = [values.decode(block.id, block.value) for block in meter.status()]
    nw.heard(meter.uplink.sub_mode, meter.uplink.coding, left, 0, told[0])
    return True


def walk(meter, nw, loss, frames, fate=lambda i: True):
    """So many uplinks, each of which offers access. fate: whether the downlink, or its response, is heard."""
    for i in range(frames):
        heard = uplink(meter, nw, loss)
        wanted = nw.wanted() if heard else []
        if not heard or not fate(2 * i):
            meter.missed()
            if wanted:
                nw.sent()
                nw.lost()
            continue
        meter.heard(0, managed.FLOORS_DBM[meter.downlink.sub_mode] + 15)
        if wanted:
            nw.sent()
            response = [meter.execute(block) for block in wanted]
            answered = margin(meter, loss) >= 0 and fate(2 * i + 1)
            meter.switched()
            nw.answered(response) if answered else nw.lost()
            meter.ended()


@pytest.mark.parametrize("loss", range(0, 401, 20))
def test_it_moves_a_meter_to_what_is_cheap_and_good_enough(loss):
    meter, nw = both()
    walk(meter, nw, loss, 120)
    up = meter.uplink
    left = margin(meter, loss)
    assert left >= min(manager.LOW, 400 - loss)  # it is heard
    if loss <= 80:  # 22.7 dB better than UL-B4 at 7/8 needs, less 13 dB that are to be left
        assert up.sub_mode == "UL-B4" and (up.coding, up.reduction) == (
            "7/8",
            min((227 - loss - 130) // 30, 3),
        )
    assert nw.state == manager.KEEP
    settled = meter.export()
    walk(meter, nw, loss, 60)
    assert meter.export() == settled  # nothing swings


def test_a_path_that_changes():
    meter, nw = both()
    walk(meter, nw, 0, 60)
    assert meter.uplink.sub_mode == "UL-B4" and meter.uplink.reduction == 3
    walk(meter, nw, 120, 60)  # a car on the cover
    assert margin(meter, 120) >= manager.LOW
    walk(meter, nw, 300, 200)  # not heard at all at first: the meter falls back by itself
    assert margin(meter, 300) >= manager.LOW and meter.uplink.sub_mode == "UL-B1"
    walk(meter, nw, 0, 100)
    assert meter.uplink.sub_mode == "UL-B4"


@settings(max_examples=60)
@given(st.integers(0, 300), st.integers(0, 1 << 60))
def test_whatever_is_lost(loss, fates):
    """Downlinks and responses are lost at random; then the air is good again, and both sides are of one mind."""
    meter, nw = both(preset=5)
    walk(meter, nw, loss, 30, lambda i: fates >> i % 60 & 1)
    walk(meter, nw, loss, 60)
    assert margin(meter, loss) >= min(manager.LOW, 400 - loss)
    assert nw.state == manager.KEEP and nw._uplink.sub_mode == meter.uplink.sub_mode


def test_the_downlink_follows_what_the_meter_tells():
    _, nw = both()
    status = values.LinkStatus(0, 6, 0)  # more than 20 dB on DL-B1
    nw.heard("UL-B1", "1/3", 50, 0, status)
    assert nw.wanted() == [values.encode(blocks.DOWNLINK, Downlink(0, 0, "DL-B4"))]
    nw.sent()
    nw.answered([values.encode(blocks.DOWNLINK, Downlink(0, 0, "DL-B4"))])
    assert nw.wanted() == []
    nw.heard("UL-B1", "1/3", 50, 0, values.LinkStatus(0, 1, 0))  # too little on DL-B4
    assert nw.wanted() == [values.encode(blocks.DOWNLINK, Downlink(0, 0, "DL-B1"))]
    nw.heard("UL-B1", "1/3", 50, 0, values.LinkStatus(0, 7, 0))  # not known


def test_the_downlink_is_what_the_meter_offers():
    """The owner has moved it to the strongest, on which it has little: none of those that we know of is better."""
    nw = manager.Manager(CAPABILITY, HIGHEST, Downlink(0, 0, "DL-B4"), HEARS, SENDS)
    for margin in (2, 0, 6):  # the last is more than 20 dB: enough for DL-B4
        assert nw.wanted() == []
        nw.heard("UL-B1", "1/3", 50, 0, values.LinkStatus(0, margin, 0), "DL-B1")
    assert nw.wanted() == [values.encode(blocks.DOWNLINK, Downlink(0, 0, "DL-B4"))]


def test_no_downlink_is_made_weaker_where_it_is_weak():
    """DL-B1 is what it uses and what our gateways do not send of their own accord: 4 dB on it are less on all others."""
    nw = manager.Manager(CAPABILITY, HIGHEST, DOWN, HEARS, ("DL-B2", "DL-B4"))
    nw.heard("UL-B1", "1/3", 50, 0, values.LinkStatus(0, 2, 0))
    assert nw.wanted() == []


def asked(nw, answer):
    """What is asked of a meter that is heard well and gives this MBlock as answer to everything."""
    seen = []
    for _ in range(200):
        nw.heard("UL-B1", "1/3", 390, 0, values.LinkStatus(0, None, None))
        if nw.wanted():
            seen.append(nw.wanted()[0])
            nw.sent()
            nw.answered([answer])
    return seen


def test_a_meter_that_answers_with_what_it_uses_has_refused():
    """A Set is answered with the value that was written (sheet section 13)."""
    _, nw = both()
    seen = asked(nw, values.encode(blocks.UPLINK, HIGHEST))
    assert len(seen) == len(set(seen)) > 3


def test_what_a_meter_refuses_is_not_asked_for_again():
    _, nw = both()
    seen = asked(nw, blocks.get(blocks.UPLINK))
    assert len(seen) == len(set(seen)) > 3 and nw.wanted() == []


def test_frames_with_other_parameters_on_purpose():
    _, nw = both()
    for _ in range(20):
        nw.heard("UL-B4", "7/8", 390, lms=1)
    assert nw.wanted() == []


def test_a_meter_that_fell_back_in_its_sub_mode_only_is_moved_again():
    """Coding and power are what they were: 40 dB of margin on UL-B1 are 29 on UL-B4."""
    cheapest = Uplink(0, 3, "UL-B4", (2,), "7/8")
    _, nw = both(cheapest)
    for _ in range(20):
        nw.heard("UL-B4", "7/8", 400)
    assert nw.wanted() == []
    for _ in range(20):
        nw.heard("UL-B1", "7/8", 400)
    assert nw.wanted() == [values.encode(blocks.UPLINK, cheapest)]


def test_frames_that_are_lost_count():
    _, nw = both(Uplink(0, 3, "UL-B4", (2,), "7/8"))
    for _ in range(manager.FEW - 1):
        nw.lost()
    assert nw.wanted() == []
    nw.lost()
    (block,) = nw.wanted()
    assert values.decode(5, block.value).reduction < 3 or values.decode(5, block.value).coding != "7/8"


def test_one_half_of_a_dual_channel_is_no_dual_channel():
    capability = CAPABILITY._replace(dual=1)
    nw = manager.Manager(capability, Uplink(0, 0, "UL-B4", (2,), "1/3"), DOWN, ("UL-B1", "UL-B4"), SENDS)
    for _ in range(manager.FEW):
        nw.heard("UL-B4", "1/3", 0)
    assert values.decode(5, nw.wanted()[0].value).sub_mode == "UL-B1"


def test_misuse():
    _, nw = both()
    with pytest.raises(errors.MisuseError):
        nw.sent()
    with pytest.raises(errors.MisuseError):
        manager.Manager(CAPABILITY, HIGHEST, DOWN, ("UL-B3",), SENDS)
    nw.answered([])
    assert nw.state == manager.KEEP


def test_a_dual_channel_is_one_choice():
    capability = CAPABILITY._replace(dual=1)
    nw = manager.Manager(capability, Uplink(0, 0, "UL-B4", (2,), "7/8"), DOWN, HEARS, SENDS)
    for _ in range(3):
        nw.heard("UL-B4", "7/8", 0)
    (block,) = nw.wanted()
    up = values.decode(5, block.value)
    assert up.sub_mode == "UL-B1+B2" and up.carriers == ALL
    nw.sent()
    nw.answered([block])
    nw.heard("UL-B2", up.coding, 100, 0, values.LinkStatus(up.reduction, None, None))
    nw.heard("UL-B1", up.coding, 100, 0, values.LinkStatus(up.reduction, None, None))
    assert nw.wanted() == [] and nw._uplink.sub_mode == "UL-B1+B2"
