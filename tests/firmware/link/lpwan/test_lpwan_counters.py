"""MAC security: published keys and bodies both ways, every row of what a meter makes of a command, the figures of Annex Q.J on
counters, forgeries (Annex Q.3.4; LPWAN sheet section 16)."""

import json

import pytest
import support_lpwan as published
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware import errors
from omsnode.firmware.link.lpwan import body as bodies
from omsnode.firmware.link.lpwan import counters, mac, manager_counters, protection
from omsnode.firmware.link.lpwan.counters import EXECUTE, MERR, REPEAT, SILENCE
from omsnode.firmware.security.keys import Key

METER, KEY = published.METER, published.MAC_KEY
WRONG = Key(bytes(16))
GET = b"\x00"


def framed(frame_type, body, profile=0):
    """As if it had come by air."""
    frame = mac.build(frame_type, None, body, b"", "UL-B4", profile)
    return mac.parse(frame, "up" if mac.is_up(frame_type) else "down", "UL-B4")


def body_of(frame_type, der_counter, counter, data=GET, key=KEY, named=False):
    derived = protection.derive(key, der_counter, METER)
    return protection.seal(derived, METER, frame_type, counter, data, der_counter if named else None)


def test_derived_key():
    assert protection.derive(KEY, 1, METER) == published.DERIVED_KEY
    assert protection.derive(KEY, 2, METER) != published.DERIVED_KEY


@pytest.mark.parametrize(("name", "nonce", "associated", "plain", "secured", "mmac"), published.CCM)
def test_published_bodies(name, nonce, associated, plain, secured, mmac):
    got = mac.parse(published.frame(name), published.FRAMES[name][0], "UL-B4")
    assert protection.nonce(METER, got.type, got.body.counter).hex().upper() == nonce
    assert (got.body.associated, got.body.data, got.body.mmac) == tuple(
        bytes.fromhex(text) for text in (associated, secured, mmac)
    )
    assert protection.open_(published.DERIVED_KEY, METER, got.type, got.body) == bytes.fromhex(plain)
    made = protection.seal(
        published.DERIVED_KEY, METER, got.type, got.body.counter, bytes.fromhex(plain), got.body.der_counter
    )
    assert made == got.body


def test_every_part_of_a_body_is_protected():
    right = mac.parse(published.frame("Q.K.8"), "up", "UL-B4")
    body = right.body
    for i in range(8):
        bit = 1 << i
        for wrong in (
            body._replace(associated=bytes([body.associated[0] ^ bit]) + body.associated[1:]),
            body._replace(associated=body.associated[:1] + bytes([body.associated[1] ^ bit])),
            body._replace(counter=body.counter ^ bit << i),
            body._replace(mmac=body.mmac[:-1] + bytes([body.mmac[-1] ^ bit])),
            body._replace(data=bytes([body.data[0] ^ bit]) + body.data[1:]),
        ):
            with pytest.raises(errors.MacError, match="MMAC wrong: wrong MAC key or tampered") as caught:
                protection.open_(published.DERIVED_KEY, METER, mac.MRSP, wrong)
            assert caught.value.code == "mac_mismatch"
    for frame_type in (mac.MSNR, mac.MCMD):  # another Usage
        with pytest.raises(errors.MacError):
            protection.open_(published.DERIVED_KEY, METER, frame_type, body)


def test_bodies_of_other_frames_are_not_secured():
    for frame_type in (mac.MACC, mac.MACK, mac.MERR):
        with pytest.raises(errors.ReservedError):
            protection.open_(KEY, METER, frame_type, body_of(mac.MSNR, 0, 1))
        with pytest.raises(errors.MisuseError):
            protection.seal(KEY, METER, frame_type, 1, b"")
    with pytest.raises(errors.MisuseError):
        protection.seal(KEY, METER, mac.MSNR, 65536, b"")


# --- meter: the table of section 16 ---

# Stored at the meter: MDerCounter 4, SNR 9, CMD 32. Then: whether the session is open, MDerCounter in the command (None: not
# there; its key is then that of 4), CMD-MMsgCounter, key; what the meter does with a MCMD, with a MCNR, and what is stored.
OLD_STATE = [4, 9, 32]
ROWS = (
    # session alive and the counter that is stored: a repetition
    (True, None, 32, KEY, REPEAT, SILENCE, OLD_STATE),
    (True, 4, 32, KEY, REPEAT, SILENCE, OLD_STATE),
    (True, None, 32, WRONG, MERR, SILENCE, OLD_STATE),
    (False, None, 32, KEY, MERR, SILENCE, OLD_STATE),
    # a higher MDerCounter: another key
    (True, 5, 0, KEY, EXECUTE, EXECUTE, [5, 0, 0]),  # Q.3.4.3.1
    (False, 5, 0, KEY, EXECUTE, EXECUTE, [5, 0, 0]),
    (False, 5, 1, KEY, EXECUTE, EXECUTE, [5, 0, 1]),  # Figure Q.J.8
    (True, 5, 32, KEY, EXECUTE, EXECUTE, [5, 0, 32]),  # no repetition
    (False, 255, 65535, KEY, EXECUTE, EXECUTE, [255, 0, 65535]),
    (False, 5, 0, WRONG, MERR, SILENCE, OLD_STATE),
    (True, 5, 33, WRONG, MERR, SILENCE, OLD_STATE),
    # a higher CMD-MMsgCounter
    (False, None, 33, KEY, EXECUTE, EXECUTE, [4, 9, 33]),
    (True, None, 33, KEY, EXECUTE, EXECUTE, [4, 9, 33]),
    (False, 4, 33, KEY, EXECUTE, EXECUTE, [4, 9, 33]),
    (False, None, 65535, KEY, EXECUTE, EXECUTE, [4, 9, 65535]),
    (False, None, 33, WRONG, MERR, SILENCE, OLD_STATE),
    # anything else
    (False, None, 31, KEY, MERR, SILENCE, OLD_STATE),
    (True, None, 31, KEY, MERR, SILENCE, OLD_STATE),
    (True, None, 0, KEY, MERR, SILENCE, OLD_STATE),
    (True, 3, 33, KEY, MERR, SILENCE, OLD_STATE),
    (True, 3, 32, KEY, MERR, SILENCE, OLD_STATE),
    (False, 0, 65535, KEY, MERR, SILENCE, OLD_STATE),
)


@pytest.mark.parametrize(("alive", "der_counter", "counter", "key", "mcmd", "mcnr", "after"), ROWS)
@pytest.mark.parametrize("frame_type", (mac.MCMD, mac.MCNR))
def test_command(alive, der_counter, counter, key, mcmd, mcnr, after, frame_type):
    meter = counters.Meter(KEY, METER, OLD_STATE)
    named = der_counter is not None
    command = framed(
        frame_type, body_of(frame_type, der_counter if named else 4, counter, b"\x8301", key, named)
    )
    action = mcmd if frame_type == mac.MCMD else mcnr
    judged = meter.command(command, alive)
    assert judged.action == action
    assert meter.export() == after
    if action != EXECUTE:
        assert judged.data is None
        assert (judged.error is None) == (key is KEY and alive and counter == 32 and der_counter in (None, 4))
        if judged.error:
            assert judged.error.code == ("mac_mismatch" if key is WRONG else "replayed")
        with pytest.raises(errors.MisuseError):
            meter.answer(b"")
        return
    assert (judged.data, judged.error) == (b"\x8301", None)
    if frame_type == mac.MCNR:
        with pytest.raises(errors.MisuseError):
            meter.answer(b"")
        return
    response = meter.answer(b"\x01")
    assert (response.counter, response.der_counter) == (counter, der_counter)
    derived = protection.derive(KEY, after[0], METER)
    assert protection.open_(derived, METER, mac.MRSP, response) == b"\x01"
    with pytest.raises(errors.MisuseError):  # its counter is its nonce
        meter.answer(b"\x02")
    # The same again: in the session a repetition, behind it nothing that is believed.
    assert meter.command(command, True).action == REPEAT
    assert meter.command(command, False).action == MERR
    assert meter.export() == after


@pytest.mark.parametrize("frame_type", (mac.MCMD, mac.MCNR))
def test_commands_without_security(frame_type):
    action = MERR if frame_type == mac.MCMD else SILENCE
    meter = counters.Meter(KEY, METER, OLD_STATE)
    for command, code in (
        (framed(frame_type, bodies.plain(b"\x00")), "downgraded"),
        (framed(frame_type, None), "mac_body"),
        (framed(frame_type, body_of(frame_type, 4, 33), profile=1), "unsupported"),
        (framed(frame_type, None)._replace(error=errors.BodyError("corrupt")), "mac_body"),
    ):
        judged = meter.command(command, True)
        assert (judged.action, judged.data, judged.error.code) == (action, None, code)
        assert meter.export() == OLD_STATE


def test_published_commands():
    """Q.K.6 to Q.K.8, one behind the other."""
    meter = counters.Meter(KEY, METER, [1, 0, 310])
    manager = manager_counters.Manager(KEY, METER, [1, 0, 311, None])
    for name in ("Q.K.6", "Q.K.7"):
        command = mac.parse(published.frame(name), "down")
        assert manager.command(b"\x01", True) == command.body
        assert meter.command(command, False) == counters.Judgement(EXECUTE, b"\x01", None)
    assert meter.export() == [1, 0, 312]
    response = mac.parse(published.frame("Q.K.8"), "up", "UL-B4")
    assert meter.answer(bytes.fromhex("2101C5")) == response.body
    assert manager.response(response) == bytes.fromhex("2101C5")
    with pytest.raises(errors.ReplayError):
        manager.response(response)


def test_figure_q_j_7():
    """The SNR-MMsgCounter counts secured MSNR only: from 0100 to 0102."""
    meter = counters.Meter(KEY, METER, [4, 0x100, 0x20])
    first = meter.unsolicited(b"", True)
    assert (first.der_counter, first.counter) == (4, 0x101)
    second = meter.unsolicited(b"")
    assert (second.der_counter, second.counter) == (None, 0x102)
    assert meter.export() == [4, 0x102, 0x20]


def test_figure_q_j_8():
    """Get with 0021, then the key update with MDerCounter 05 (the figure's counter 0001, and the text's 0000)."""
    for counter in (1, 0):
        meter = counters.Meter(KEY, METER, [4, 0x102, 0x20])
        assert meter.command(framed(mac.MCMD, body_of(mac.MCMD, 4, 0x21)), False).action == EXECUTE
        assert meter.answer(b"").counter == 0x21 and meter.export() == [4, 0x102, 0x21]
        update = framed(mac.MCMD, body_of(mac.MCMD, 5, counter, b"", named=True))
        assert meter.command(update, False).action == EXECUTE
        answer = meter.answer(b"")
        assert (answer.der_counter, answer.counter) == (5, counter)
        assert meter.export() == [5, 0, counter]


def test_counters_end():
    meter = counters.Meter(KEY, METER, [4, 65534, 0])
    assert meter.unsolicited(b"").counter == 65535
    assert meter.unsolicited(b"") is None and meter.snr == 65535
    manager = manager_counters.Manager(KEY, METER, [255, 0, 65535, None])
    assert manager.command(b"").counter == 65535
    with pytest.raises(errors.MisuseError):
        manager.command(b"")
    with pytest.raises(errors.MisuseError):
        manager.update(256)
    for side in (meter, manager):
        side.rekey(WRONG)
        assert (side.der_counter, side.snr, side.cmd) == (0, 0, 0)
        assert side.export()[:2] == [0, 0]


def test_no_counter_comes_again_whenever_the_power_goes():
    """The meter stores what `export` gives, sometimes ahead, sometimes in vain, and is cut off anywhere."""
    stored, used = [0, 0, 0], set()
    meter = counters.Meter(KEY, METER, stored)
    for step in range(300):
        if step % 7 == 3:
            meter = counters.Meter(KEY, METER, json.loads(json.dumps(stored)))  # power cut
        body = meter.unsolicited(b"")
        if not meter.covered():
            if step % 11 == 5:  # it could not be stored: the body is not sent
                meter.export(8)
                meter.rollback(stored)
                continue
            stored = meter.export(step % 5)
        assert body.counter not in used
        used.add(body.counter)
    assert len(used) > 250


@pytest.mark.parametrize(
    "stored",
    ([1, 2], [1, 2, "3"], [256, 0, 0], [0, 65536, 0], [0, 0, -1], [0, 0, None], "abc", 7, {}, [True, [], 0]),
)
def test_damaged_counters_are_not_begun_anew(stored):
    with pytest.raises(errors.StoreError):
        counters.Meter(KEY, METER, stored)
    with pytest.raises(errors.StoreError):
        manager_counters.Manager(KEY, METER, stored)


@pytest.mark.parametrize(
    "stored", ([1, 0, 65537, None], [1, 0, -1, None], [1, 0, 0, 1], [1, 0, 0, "0"], [1, 0, "0", 0])
)
def test_damaged_counters_of_a_manager(stored):
    with pytest.raises(errors.StoreError):
        manager_counters.Manager(KEY, METER, stored)


def test_keys_are_not_shown():
    secret = bytes(range(0x10, 0x20)).hex()
    derived = "c16a16817b37b08f616aa7ed9e746850"
    meter = counters.Meter(KEY, METER, [1, 0, 310])
    command = mac.parse(published.frame("Q.K.6"), "down")
    shown = repr((meter, vars(meter), meter.command(command, False), meter.export(), vars(meter))).lower()
    for key in (secret, derived):
        assert key not in shown and repr(bytes.fromhex(key)).lower() not in shown


# --- both sides ---


def test_update_of_the_key():
    """L9: MDerCounter 05, CMD 0; the response or the power of either side may be lost."""
    meter = counters.Meter(KEY, METER, [4, 700, 32])
    manager = manager_counters.Manager(KEY, METER, [4, 700, 33, None])
    manager.update(5)
    first = framed(mac.MCMD, manager.command(b""))
    assert (first.body.der_counter, first.body.counter) == (5, 0)
    assert manager.export() == [5, 700, 1, 4]
    with pytest.raises(errors.MisuseError):  # one at a time
        manager.update(6)
    manager = manager_counters.Manager(KEY, METER, json.loads(json.dumps(manager.export())))
    # The command was lost: what the meter says under the old key is still believed.
    old = framed(mac.MSNR, meter.unsolicited(b"x"))
    assert manager.unsolicited(old) == b"x" and manager.export() == [5, 701, 1, 4]
    with pytest.raises(errors.ReplayError, match="MMsgCounter 701 repeated"):
        manager.unsolicited(old)
    # The next one says the new MDerCounter, too. The meter takes it, its response is lost.
    second = framed(mac.MCMD, manager.command(b""))
    assert (second.body.der_counter, second.body.counter) == (5, 1)
    assert meter.command(second, False).action == EXECUTE and meter.export() == [5, 0, 1]
    meter.answer(b"")
    # A third is right as well, as the MDerCounter is now the one that is stored.
    third = framed(mac.MCMD, manager.command(b""))
    assert (third.body.der_counter, third.body.counter) == (5, 2)
    assert meter.command(third, False).action == EXECUTE and meter.export() == [5, 0, 2]
    assert manager.response(framed(mac.MRSP, meter.answer(b"y"))) == b"y"
    assert manager.export() == [5, 0, 3, None]
    # From now on messages under the old key are replays.
    with pytest.raises(errors.OmsError) as caught:
        manager.unsolicited(old)
    assert caught.value.code in ("replayed", "mac_mismatch")
    assert manager.command(b"").der_counter is None


def test_an_update_is_confirmed_by_what_the_meter_says_unasked():
    meter = counters.Meter(KEY, METER, [4, 700, 32])
    manager = manager_counters.Manager(KEY, METER, [4, 700, 33, None])
    manager.update(9)
    assert meter.command(framed(mac.MCMD, manager.command(b"")), False).action == EXECUTE
    for named in (True, False):
        other = manager_counters.Manager(KEY, METER, manager.export())
        assert other.unsolicited(framed(mac.MSNR, meter.unsolicited(b"", named))) == b""
        assert other.pending is None and other.snr == meter.snr
    with pytest.raises(errors.MisuseError):
        manager.update(9)


def test_installation():
    """L8: the NW-Manager takes over what the meter's MSNR says."""
    meter = counters.Meter(KEY, METER, [7, 20, 500])
    manager = manager_counters.Manager(KEY, METER)
    first = framed(mac.MSNR, meter.unsolicited(b"\x27\xf4\x01", True))
    with pytest.raises(errors.ReplayError, match="MDerCounter 7 is not ours"):
        manager.unsolicited(first)
    assert manager.unsolicited(first, new=True) == b"\x27\xf4\x01"
    manager.reported(500)
    assert manager.export() == [7, 21, 501, None]
    assert meter.command(framed(mac.MCMD, manager.command(GET)), False).action == EXECUTE
    with pytest.raises(errors.ReplayError):
        manager.unsolicited(first, new=True)
    manager.reported(3)  # an old message: ours do not go back
    assert manager.command(b"").counter == 502


def test_installation_behind_an_update():
    meter, manager = counters.Meter(KEY, METER, [7, 0, 0]), manager_counters.Manager(KEY, METER)
    assert manager.unsolicited(framed(mac.MSNR, meter.unsolicited(b"", True)), new=True) == b""
    assert manager.export() == [7, 1, 1, None]


def test_power_cut_between_an_update_and_its_command():
    manager = manager_counters.Manager(KEY, METER, [4, 700, 33, None])
    manager.update(5)
    assert manager.export() == [5, 700, 0, 4]
    again = manager_counters.Manager(KEY, METER, manager.export()).command(b"")
    assert (again.der_counter, again.counter) == (5, 0)


def test_responses_that_are_none():
    meter = counters.Meter(KEY, METER)
    manager = manager_counters.Manager(KEY, METER)
    command = framed(mac.MCMD, manager.command(GET))
    assert meter.command(command, False).action == EXECUTE
    response = framed(mac.MRSP, meter.answer(b"r"))
    before = manager.export()
    for wrong, code in (
        (framed(mac.MRSP, body_of(mac.MRSP, 0, 1, key=WRONG)), "mac_mismatch"),
        (framed(mac.MRSP, body_of(mac.MRSP, 0, 2)), "replayed"),
        (framed(mac.MRSP, body_of(mac.MRSP, 1, 1, named=True)), "replayed"),
        (framed(mac.MRSP, bodies.plain(b"r")), "downgraded"),
        (framed(mac.MRSP, None), "mac_body"),
        (response._replace(profile=1), "unsupported"),
        (response._replace(error=errors.BodyError("corrupt")), "mac_body"),
    ):
        with pytest.raises(errors.OmsError) as caught:
            manager.response(wrong)
        assert caught.value.code == code and manager.export() == before
    assert manager.response(response) == b"r"
    with pytest.raises(errors.ReplayError):
        manager.response(response)
    # A MCNR has no response.
    manager.command(b"", frame_type=mac.MCNR)
    with pytest.raises(errors.ReplayError):
        manager.response(framed(mac.MRSP, body_of(mac.MRSP, 0, 2)))


def test_unsolicited_messages_that_are_old():
    meter, manager = counters.Meter(KEY, METER), manager_counters.Manager(KEY, METER)
    frames = [framed(mac.MSNR, meter.unsolicited(bytes([i]))) for i in range(4)]
    assert manager.unsolicited(frames[0]) == b"\0"
    assert manager.unsolicited(frames[2]) == b"\2"  # one was lost
    for i, word in ((2, "repeated"), (1, "replayed"), (0, "replayed")):
        with pytest.raises(errors.ReplayError, match=word):
            manager.unsolicited(frames[i])
    assert manager.unsolicited(frames[3]) == b"\3" and manager.export() == [0, 4, 1, None]
    with pytest.raises(errors.MacError):
        manager.unsolicited(framed(mac.MSNR, body_of(mac.MSNR, 0, 9, key=WRONG)))
    assert manager.snr == 4


@settings(max_examples=200)
@given(
    st.sampled_from((mac.MCMD, mac.MCNR)),
    st.none() | st.integers(0, 255),
    st.integers(0, 65535),
    st.binary(min_size=4, max_size=4),
    st.binary(max_size=56),
    st.booleans(),
)
def test_forged_commands_change_nothing(frame_type, der_counter, counter, mmac, data, alive):
    meter = counters.Meter(KEY, METER, [100, 9, 32000])
    head = bodies.associated(len(data), der_counter, True)
    judged = meter.command(framed(frame_type, bodies.Body(head, der_counter, counter, mmac, data)), alive)
    assert judged.action == (MERR if frame_type == mac.MCMD else SILENCE)
    assert judged.data is None and judged.error.code in ("mac_mismatch", "replayed")
    assert meter.export() == [100, 9, 32000]


# What the manager does next, or what becomes of a frame.
steps = st.lists(
    st.tuples(
        st.sampled_from(("command", "update", "report", "manager restarts", "meter restarts")),
        st.booleans(),
        st.booleans(),
    ),
    max_size=25,
)


@settings(max_examples=150)
@given(steps)
def test_both_sides_find_together(what):
    """Whatever is lost, each new command is executed when it arrives, and no nonce is used twice with one key."""
    meter, manager = counters.Meter(KEY, METER), manager_counters.Manager(KEY, METER)
    stored_meter, stored_manager = meter.export(), manager.export()
    nonces = set()

    def use(frame_type, side, body):
        usage = 3 if frame_type in (mac.MCMD, mac.MCNR) else frame_type
        der_counter = body.der_counter if body.der_counter is not None else side.der_counter
        one = (usage, der_counter, body.counter)
        assert one not in nonces
        nonces.add(one)
        return framed(frame_type, body)

    for event, arrives, answered in what:
        if event == "manager restarts":
            manager = manager_counters.Manager(KEY, METER, stored_manager)
            continue
        if event == "meter restarts":
            meter = counters.Meter(KEY, METER, stored_meter)
            continue
        if event == "report":
            message = use(mac.MSNR, meter, meter.unsolicited(b"", answered))
            stored_meter = meter.export()
            if arrives:
                manager.unsolicited(message)
                stored_manager = manager.export()
            continue
        if event == "update" and manager.pending is None:
            manager.update(manager.der_counter + 1)
        command = use(mac.MCMD, manager, manager.command(GET))
        stored_manager = manager.export()
        if arrives:
            assert meter.command(command, False).action == EXECUTE
            stored_meter = meter.export()
            response = use(mac.MRSP, meter, meter.answer(b""))
            if answered:
                manager.response(response)
                stored_manager = manager.export()
                assert manager.der_counter == meter.der_counter
