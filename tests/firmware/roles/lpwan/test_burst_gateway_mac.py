"""MAC commands and MAC status at a burst gateway: ladders L3, L8 to L10 of the LPWAN sheet, Figures Q.J.7, J.8, J.10, J.11, forged and
repeated bodies, link management, and every row of the session's table that has to do with MAC."""

import pytest
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.link.lpwan import blocks, counters, mac, values
from omsnode.firmware.link.lpwan.blocks import MBlock
from omsnode.firmware.roles import ladder, orders, session
from omsnode.firmware.roles.lpwan.gateway_managed import Managing
from omsnode.firmware.roles.lpwan.gateway_status import MacStatus
from omsnode.firmware.security.keys import Key
from support_burst_gateway import MAC_KEY, METER, OTHER, Meter, S, Stage, keys, partner, up, us
from support_lpwan import FRAMES
from support_window import READ

SND_NKE = 0x40
CAPABILITY = bytes.fromhex("090F1F")  # UL-B1 and UL-B4, DL-B1 to DL-B4, every coding, downlink multi burst
WALL_US = 1767225600 * S + (22 * 3600 + 17 * 60) * S  # 2026-01-01 22:17:00


def only_master(key_id, version=None):
    return keys(key_id, version) if key_id == 0 else None


def pair(words=None, **more):
    stage = Stage(**more)
    meter = Meter()
    if words:
        stage.made = stage.ask(words)
    return stage, meter


def statuses(stage):
    return [one for one in stage.told if isinstance(one, MacStatus)]


def closed(stage, down):
    assert (down.type, down.c_field, down.sc) == ("MCNR", SND_NKE, 1)
    stage.later(5)
    assert stage.session.state == ladder.REST and stage.role.orders() == []


# --- L3 ---


def asked_and_answered():
    """MCMD body[Get 13] RXA, MRSP, and the end."""
    stage, meter = pair("mac-read capability")
    down = stage.one(meter.nr())
    assert (down.type, down.c_field, down.number, down.llc.payload, down.sc) == ("MCMD", None, None, None, 0)
    assert down.llc.receiver.link_bytes() == METER.link_bytes()  # LC 04
    assert (down.mac.body.counter, down.mac.body.der_counter) == (1, None)
    answer = meter.mrsp(down, bytes.fromhex("B301") + CAPABILITY)
    assert meter.executed == bytes.fromhex("8301")  # Get 13
    closed(stage, stage.one(answer))
    (result,) = stage.details("done")
    assert result["authenticated"] is True
    assert result["capability"]["uplinks"] == ["UL-B1", "UL-B4"]
    assert stage.steps() == ["queued", "waiting", "sent", "answered", "done"]


def test_l3():
    asked_and_answered()


def test_published_command():
    """Q.K.6: MDerCounter 1, CMD-MMsgCounter 0137h, Get of MBlock 01: bit for bit, but for what we say more (DA)."""
    from omsnode.firmware.link.lpwan.manager_counters import Manager

    manager = Manager(MAC_KEY, METER, [1, 0, 0x137, None])
    body = manager.command(b"\x01", True)
    made = mac.build(mac.MCMD, None, body, bytes.fromhex("04") + METER.link_bytes())
    assert made == bytes.fromhex(FRAMES["Q.K.6"][1])


def test_l3_without_allocation():
    stage, meter = pair("mac-read release", partners=[partner(allocated=False)])
    from support_burst_gateway import GATEWAY

    down = stage.one(meter.nr())
    assert down.llc.address.link_bytes() == GATEWAY.link_bytes() and down.llc.flag == 1
    assert down.mac.elements.acp == 1
    data = bytes.fromhex("A1010017")
    answer = meter.mrsp(down, data)
    assert stage.hear(answer, then=1) == []  # to whom?
    meter.mac = counters.Meter(MAC_KEY, METER)
    assert stage.one(meter.mrsp(down, data, receiver=GATEWAY)).c_field == SND_NKE
    assert stage.details("done")[0]["supported release"] == 2023


def refused():
    """MERR: another key, or no MAC services. It ends, and the session too."""
    stage, meter = pair("mac-read capability")
    closed(stage, stage.one(meter.merr()) if stage.one(meter.nr()) else None)
    assert stage.steps()[-2:] == ["refused", "failed"] and "MERR" in stage.details("failed")[0]


def test_l3_merr():
    refused()


def test_no_mac_key():
    stage, meter = pair(partners=[partner(known=only_master)])
    stage.ask("mac-read capability", known=only_master)
    assert stage.hear(meter.nr()) == []
    assert "no MAC key" in stage.details("failed")[0]
    # It says so too where a meter tells something, and goes on.
    stage.hear(meter.status([MBlock(0, b"\x01")]))
    assert stage.role.counters["mac.no_key"] == 1 and statuses(stage) == []


def test_values_that_are_not_taken():
    stage, meter = pair("mac-link UL-B4 1/2 -6")
    down = stage.one(meter.nr())
    frame = meter.mrsp(down, b"\x05")  # length 0: it cannot
    assert meter.executed == bytes.fromhex("252311")  # -6 dB, UL-B4; n = 2, rate 1/2
    stage.one(frame)
    assert "did not take" in stage.details("failed")[0]


def test_corrupt_blocks_are_an_answer():
    """Authentic, and not to be read: said again it would be no better."""
    stage, meter = pair("mac-read capability")
    stage.one(meter.mrsp(stage.one(meter.nr()), b"\x83"))
    assert stage.steps()[-1] == "failed" and stage.role.orders() == []


def test_unknown_and_wrong_answers():
    stage, meter = pair("mac-read capability release")
    stage.one(meter.mrsp(stage.one(meter.nr()), b"\x05\x38"))
    assert stage.steps()[-1] == "failed"


# --- repetition ---


def repeated():
    """The same bytes again, for which the meter has its stored MRSP; then a counter more."""
    stage, meter = pair("mac-read release")
    down = stage.one(meter.nr())
    again = stage.one(meter.nr())
    assert again.payload == down.payload
    frame = meter.mrsp(down, bytes.fromhex("A1010017"))
    assert meter.mac.command(again.mac, True).action == counters.REPEAT
    stage.ask("mac-read resume-delay")
    following = stage.one(frame)
    assert following.mac.body.counter == 2
    assert stage.hear(frame) == []  # the answer to the one before is none to this one
    assert "doubted" in stage.steps(2)
    stage.one(meter.mrsp(following, bytes.fromhex("920164")))
    assert stage.details("done")[1]["session resume delay"] == 200
    assert stage.partner.resume_s == 200
    assert stage.partner.export()["resume_s"] == 200


def test_repetition():
    repeated()


def forgotten(words, once):
    """Behind 250 s: who may be asked twice is asked anew; else the same bytes again, which no meter executes twice."""
    stage, meter = pair(words)
    first = stage.one(meter.nr())
    stage.later(300)
    again = stage.one(meter.nr())
    assert (again.payload == first.payload) == once
    assert again.mac.body.counter == (1 if once else 2)
    return stage, meter, first, again


@pytest.mark.parametrize(
    ("words", "once"), [("mac-read release", False), ("mac-clock -40", True), ("mac-link UL-B4", False)]
)
def test_forgotten(words, once):
    forgotten(words, once)


def test_an_adjustment_is_made_once():
    """It was executed, the MRSP was lost, the session has ended: to the same bytes the meter says MERR. Nobody knows, and nothing is
    tried again."""
    stage, meter, first, again = forgotten("mac-clock -40", True)
    meter.mac.command(first.mac, False)
    assert meter.mac.command(again.mac, False).action == counters.MERR
    stage.one(meter.merr())
    assert stage.steps()[-1] == "failed" and "may have been executed" in stage.details("failed")[0]
    # It was lost: then the same bytes execute it.
    stage, meter, first, again = forgotten("mac-clock -40", True)
    stage.one(meter.mrsp(again, None))
    assert meter.executed == bytes.fromhex("14D8")  # Table Q.96
    assert stage.steps()[-1] == "done"


def test_merr_to_a_repetition_is_not_the_end():
    """The meter has forgotten its answer: a question gets another counter."""
    stage, meter = pair("mac-read release")
    first = stage.one(meter.nr())
    meter.mac.command(first.mac, False)
    again = stage.one(meter.nr())
    assert meter.mac.command(again.mac, False).action == counters.MERR
    third = stage.one(meter.merr())
    assert third.type == "MCMD" and third.mac.body.counter == 2
    stage.one(meter.mrsp(third, bytes.fromhex("A1010017")))
    assert stage.steps()[-1] == "done"


def silent():
    """11 tries, and the reason; what was said may have been executed."""
    stage, meter = pair("mac-clock 30")
    for _ in range(120):
        stage.one(meter.nr(), then=20)
        if stage.steps()[-1] == "failed":
            break
    assert stage.steps()[-1] == "failed" and "may have been executed" in stage.details("failed")[0]
    assert stage.steps().count("sent") == 11
    stage, meter = pair("mac-read release")
    for _ in range(120):
        stage.one(meter.nr(), then=20)
    assert "no answer to 11 tries" in stage.details("failed")[0]


def test_silence():
    silent()


def test_every_row_with_mac_is_walked(monkeypatch):
    walked = set()

    class Recorded(dict):
        def get(self, row, default=None):
            if row in self:
                walked.add(row)
            return super().get(row, default)

    monkeypatch.setattr(session, "TABLE", Recorded(ladder.TABLE))
    asked_and_answered()
    refused()
    repeated()
    forgotten("mac-read release", False)
    silent()
    assert {row for row in ladder.TABLE if ladder.MAC in row or row[1] == "MCMD"} <= walked


# --- forged ---


def test_forged_answers():
    """A MRSP under another key, with another counter, of another command, cut, without protection: nothing is believed of it."""
    stage, meter = pair("mac-read release")
    down = stage.one(meter.nr())
    data = bytes.fromhex("A1010017")
    evil = Meter()
    evil.mac = counters.Meter(Key(bytes(16)), METER)
    evil.mac._answer = (1, False)
    forged = [evil.frame(mac.MRSP, body=evil.mac.answer(data))]
    evil.mac = counters.Meter(MAC_KEY, METER)
    for counter in (0, 2, 65535):
        evil.mac._answer = (counter, False)
        forged.append(evil.frame(mac.MRSP, body=evil.mac.answer(data)))
    right = counters.Meter(MAC_KEY, METER)
    right.command(down.mac, True)
    body = right.answer(data)
    forged.append(evil.frame(mac.MRSP, body=body._replace(data=body.data[:-1])))
    forged.append(evil.frame(mac.MRSP, body=body._replace(mmac=bytes(4))))
    forged.append(evil.frame(mac.MRSP))
    from omsnode.firmware.link.lpwan import body as bodies

    forged.append(evil.frame(mac.MRSP, body=bodies.plain(data)))
    for frame in forged:
        assert stage.hear(frame, then=1) == []
    # What was cut is no frame at all.
    assert stage.steps().count("doubted") == len(forged) - 1 and stage.details("done") == []
    assert stage.one(evil.frame(mac.MRSP, body=body)).c_field == SND_NKE
    assert len(stage.details("done")) == 1


def test_answers_that_nobody_has_asked_for():
    stage, meter = pair()
    other = Meter(address=OTHER, mode=0)
    for frame in (meter.merr(), meter.macc(), other.merr(), other.macc(), other.nr()):
        assert stage.hear(frame, then=5) == []
    meter.mac._answer = (1, False)
    assert stage.hear(meter.frame(mac.MRSP, body=meter.mac.answer(b"")), then=5) == []
    assert stage.role.orders() == []


# --- L8, Figures Q.J.7 and Q.J.10: what a meter says ---


def test_link_status_is_told():
    """J10: power -3 dB, next soft, counter 15."""
    stage, meter = pair()
    stage.hear(meter.status([MBlock(0, b"\x01"), MBlock(1, b"\x0f")], True))
    (one,) = statuses(stage)
    assert (one.meter, one.authentic, one.at_us) == (str(METER), True, stage.t0_us)
    assert one.values == {
        "link status": {"reduction": 1, "margin": None, "corrected": None},
        "fallback status": {"next": 0, "counter": 15},
    }


def test_clock_push():
    """34 03 11 16 is 22:17:03 (Table Q.96); with SND-NR beside it."""
    stage, meter = pair()
    body = meter.mac.unsolicited(bytes.fromhex("34031116"))
    stage.hear(meter.nr(body=body))
    assert statuses(stage)[0].values == {"clock time": {"hour": 22, "minute": 17, "second": 3}}
    assert [one.telegram.verdict for one in stage.told if hasattr(one, "telegram")] == ["authenticated"]


def test_manufacturer_specific_and_unknown():
    stage, meter = pair()
    stage.hear(meter.status([MBlock(0x0F, b"\xaa"), MBlock(0x20, b"\x01"), MBlock(0, b"\x07")]))
    assert statuses(stage)[0].values == {"manufacturer specific": "AA", "20": "01", "link status": "07"}


def test_without_protection():
    """MBlock 10, 11 and what the manufacturer says may be in clear, link status may not."""
    from omsnode.firmware.link.lpwan import body as bodies

    stage, meter = pair()
    stage.hear(meter.frame(mac.MSNR, body=bodies.plain(bytes.fromhex("A1010017"))))
    assert statuses(stage)[0]._replace(at_us=0) == (str(METER), {"supported release": 2023}, False, 0)
    stage.hear(meter.frame(mac.MSNR, body=bodies.plain(bytes.fromhex("1001"))))
    assert len(statuses(stage)) == 1 and stage.role.counters["mac.mac_body"] == 1


def test_status_that_is_not_believed():
    """Counted by its reason, not told; the upper layers stand (Q.3.3.4.3)."""
    stage, meter = pair()
    frame = meter.status([MBlock(0, b"\x01")])
    stage.hear(frame, then=70)
    stage.hear(frame, then=70)  # repeated body, not new
    assert stage.role.counters["mac.repeated"] == 1
    newer = meter.status([MBlock(0, b"\x02")])
    stage.hear(newer)
    stage.hear(frame)
    assert stage.role.counters["mac.replayed"] == 1
    evil = Meter()
    evil.mac = counters.Meter(Key(bytes(16)), METER, [0, 77, 0])
    stage.hear(evil.nr(body=evil.mac.unsolicited(b"\x10\x01")))
    assert stage.role.counters["mac.mac_mismatch"] == 1
    assert [one for one in stage.told if hasattr(one, "telegram")][-1].telegram.verdict == "authenticated"
    from omsnode.firmware.link.lpwan import body as bodies

    # An MDerCounter without protection: MBlock 11 beside it would do.
    data = bytes.fromhex("A1010017")
    stage.hear(meter.frame(mac.MSNR, body=bodies.Body(b"\x45\x00", 0, None, None, data)))
    assert stage.role.counters["mac.downgraded"] == 1 and len(statuses(stage)) == 2


def test_q_j_7():
    """SNR-MMsgCounter: start 0100h, the next bodies have 0101h and 0102h; without body nothing changes."""
    stage, meter = pair()
    stage.partner.restore(stage.partner.export() | {"mac": [4, 256, 33, None]}, 0)
    meter.mac = counters.Meter(MAC_KEY, METER, [4, 256, 32])
    for named in (None, True, None, False):
        if named is None:
            stage.hear(meter.nr())
        else:
            stage.hear(meter.status([MBlock(0, b"\x01")], named))
    assert len(statuses(stage)) == 2
    assert stage.partner.manager().export() == [4, 258, 33, None]


def test_counters_are_stored_with_those_of_telegrams():
    """At most once a minute; a restart takes no older body."""
    stage, meter = pair()
    stage.hear(meter.status([MBlock(0, b"\x01")]), then=70)
    frame = meter.status([MBlock(0, b"\x02")])
    stage.hear(frame, then=70)
    again = Stage(state=stage.stored[-1])
    again.hear(frame)
    assert statuses(again) == [] and again.role.counters["mac.replayed"] == 1


@pytest.mark.parametrize("install", ("known", "none"))
def test_l8_reported_counter(install):
    """MSNR body[MDerCounter, SNR counter, MBlock 07] SND-IR: of another NW-Manager, whom it had before; ours goes on from there."""
    stage, meter = pair(install=install)
    meter.mac = counters.Meter(MAC_KEY, METER, [7, 1000, 500])
    body = meter.mac.unsolicited(blocks.build([values.encode(blocks.CMD_COUNTER, 500)]), True)
    down = stage.one(meter.installation(body=body))
    assert (down is not None) == (install == "known")
    assert statuses(stage)[0].values == {"CMD-MMsgCounter": 500}
    stage.ask("mac-read release")
    down = stage.one(meter.nr())
    assert down.mac.body.counter == 501
    assert stage.one(meter.mrsp(down, bytes.fromhex("A1010017"))).c_field == SND_NKE


def test_reported_counter_later():
    """Our store was lost: MERR, until the meter tells what it has."""
    stage, meter = pair("mac-read release")
    meter.mac = counters.Meter(MAC_KEY, METER, [0, 3, 40])
    down = stage.one(meter.nr())
    assert meter.mac.command(down.mac, False).action == counters.MERR
    stage.one(meter.merr())
    stage.hear(meter.status([values.encode(blocks.CMD_COUNTER, 40)], True))
    stage.ask("mac-read release")
    stage.one(meter.mrsp(stage.one(meter.nr()), bytes.fromhex("A1010017")))
    assert stage.steps(2)[-1] == "done"


# --- L9, Figure Q.J.8 ---


def renewed(words, der_counter):
    stage, meter = pair(words)
    stage.partner.restore(stage.partner.export() | {"mac": [4, 258, 34, None]}, 0)
    meter.mac = counters.Meter(MAC_KEY, METER, [4, 258, 33])
    down = stage.one(meter.nr())
    # Q.3.4.3.1: it carries CMD-MMsgCounter 0.
    assert (down.mac.body.der_counter, down.mac.body.counter, down.mac.body.data) == (der_counter, 0, b"")
    return stage, meter, down


@pytest.mark.parametrize(("words", "der_counter"), [("mac-renew", 5), ("mac-renew 9", 9)])
def test_l9(words, der_counter):
    stage, meter, down = renewed(words, der_counter)
    closed(stage, stage.one(meter.mrsp(down, b"")))
    assert stage.details("done")[0]["authenticated"] is True
    assert stage.partner.manager().export() == [der_counter, 0, 1, None]
    assert meter.mac.export() == [der_counter, 0, 0]
    stage.ask("mac-read release")
    down = stage.one(meter.nr())
    assert down.mac.body.counter == 1
    stage.one(meter.mrsp(down, bytes.fromhex("A1010017")))
    assert stage.steps(2)[-1] == "done"
    # Its next MSNR is under the new key, SNR 1.
    stage.hear(meter.status([MBlock(0, b"\x01")]))
    assert len(statuses(stage)) == 1


def test_l9_response_lost_and_restart():
    """Until it is confirmed every command names the new MDerCounter."""
    stage, meter, down = renewed("mac-renew", 5)
    meter.mrsp(down, b"")
    again = Stage(state=stage.stored[-1])
    down = again.one(meter.nr())
    assert down.mac.body.der_counter == 5 and down.mac.body.counter == 1
    again.one(meter.mrsp(down, b""))
    assert again.details("done") and again.partner.manager().pending is None
    # The command was lost, too.
    stage, meter, down = renewed("mac-renew", 5)
    again = Stage(state=stage.stored[-1])
    down = again.one(meter.nr())
    again.one(meter.mrsp(down, b""))
    assert again.details("done") and meter.mac.der_counter == 5


def test_l9_wrong_words():
    for words in ("mac-renew x", "mac-renew 256", "mac-renew 0", "mac-renew 1 2"):
        with pytest.raises(MisuseError):
            orders.make(words.split(), METER, keys)
    stage, meter, down = renewed("mac-renew", 5)
    stage.one(meter.mrsp(down, b""))
    stage.ask("mac-renew 3")
    assert stage.hear(meter.nr()) == []
    assert "only rises" in stage.details("failed")[0]


@pytest.mark.parametrize(
    "words",
    [
        "mac-fallback 5 temporaly",
        "mac-fallback 5 temporary 6",
        "mac-session 5 temporary",
        "mac-session \u00b2",
        "mac-resume 2 4",
        "mac-renew \u00b2",
        "mac-clock 5 6",
        "mac-link DL-B3 -6",
        "mac-link DL-B3 1/2",
        "mac-link DL-B3 n=1",
        "mac-link UL-B4 downlink-multi",
        "mac-link UL-B1 n=0,x",
        "mac-link UL-B1 n=",
        "mac-link UL-B1 n=\u00b2",
        "mac-link UL-B1 -\u00b2",
    ],
)
def test_words_that_would_be_lost(words):
    """What would be understood in part is not begun."""
    with pytest.raises(MisuseError):
        orders.make(words.split(), METER, keys)


def test_used_up_counter():
    """CMD-MMsgCounter FFFFh: the next command raises the MDerCounter."""
    stage, meter = pair("mac-read release")
    stage.partner.restore(stage.partner.export() | {"mac": [0, 0, 65536, None]}, 0)
    meter.mac = counters.Meter(MAC_KEY, METER, [0, 0, 65535])
    down = stage.one(meter.nr())
    assert (down.mac.body.der_counter, down.mac.body.counter) == (1, 0)
    stage.one(meter.mrsp(down, bytes.fromhex("A1010017")))
    assert stage.steps()[-1] == "done"


def test_another_mac_key():
    """UC-08 for KeyID 0F: the counters begin anew."""
    stage, meter = pair()
    stage.partner.restore(stage.partner.export() | {"mac": [4, 258, 34, None]}, 0)
    assert stage.partner.manager().der_counter == 4
    new = Key(bytes(range(50, 66)))
    order = stage.order(READ, words=["key-change", "0F", "1"])
    order.keys = lambda key_id, version=None: (1, new) if (key_id, version) == (15, 1) else keys(key_id)
    heard = order.heard

    def done(*arguments):
        outcome = heard(*arguments)
        order.result = {"key_id": 15, "key_version": 1, "changed": True}
        return outcome

    order.heard = done
    stage.one(meter.rsp(stage.one(meter.nr())))
    assert stage.partner.export()["mac"] == [0, 0, 1, None]
    stage.ask("mac-read release")
    meter.mac = counters.Meter(new, METER)
    stage.one(meter.mrsp(stage.one(meter.nr()), bytes.fromhex("A1010017")))
    assert stage.steps(2)[-1] == "done"


# --- store ---


def test_counters_are_stored_before_a_command_leaves():
    stage, meter = pair("mac-read release")
    stage.one(meter.nr())
    assert stage.stored[-1]["gateway"]["partners"][str(METER)]["mac"] == [0, 0, 2, None]
    assert stage.order_of_things.index("sent") > 0
    before = stage.order_of_things[: stage.order_of_things.index("sent")]
    assert before[-1] == "stored"
    # A power cut behind it: its counter is not used again.
    again = Stage(state=stage.stored[-1])
    assert again.one(meter.nr()).mac.body.counter == 2


def test_disk_that_fails():
    stage, meter = pair("mac-read release")
    stage.later(2)
    stage.disk = False
    assert stage.hear(meter.nr(), then=30) == []
    stage.disk = True
    stage.later(20)
    assert stage.one(meter.nr()).type == "MCMD"


# --- L10 ---


def test_l10_new_session_later():
    """MBlock 03: 10 minutes; then a MACC, in which there is something to say."""
    stage, meter = pair("mac-session 10")
    down = stage.one(meter.nr())
    frame = meter.mrsp(down, None)
    assert meter.executed == bytes.fromhex("130A")
    closed(stage, stage.one(frame))
    stage.ask("mac-read release")
    stage.later(600)
    down = stage.one(meter.macc())
    assert down.type == "MCMD"


def test_q_j_11_words():
    """Temporary fallback counter 20000; MBlock 12: 350 s."""
    for words, data in (("mac-fallback 20000 temporary", "2220CE"), ("mac-resume 350", "9201AF")):
        stage, meter = pair(words)
        frame = meter.mrsp(stage.one(meter.nr()), None)
        assert meter.executed == bytes.fromhex(data)
        stage.one(frame)
        assert stage.steps()[-1] == "done"
    assert stage.partner.resume_s == 350 and stage.partner.kept_us == 250 * S


# --- clock (sheet 19) ---


@pytest.mark.parametrize("heard", [(1,), (2,), (3,)])
def test_clock_is_meant_at_rx0(heard):
    """The time of day at RX0, 7.125 s behind T0 at 22:17:03.4; whichever slot it is said in."""
    stage, meter = pair(wall_us=WALL_US)
    stage.ask("mac-clock")
    meter.up = up(5, timing=2, rxm=0)
    t0_us = 30 * S + us(3.4 - 30 + 60 - 0)  # WALL_US + t0_us is 22:17:63.4
    down = stage.hear(meter.nr(), t0_us, multi=1, kind=0, heard=heard)[0]
    meter.mrsp(down, None)
    assert (WALL_US // S + t0_us // S) % 86400 == 22 * 3600 + 18 * 60 + 3
    assert meter.executed == bytes([0x34, 10, 18, 22])  # 22:18:03.4 + 7.125 s


def test_clock_is_told_as_it_is_when_it_is_said():
    """What was not heard is not said again: the time is another."""
    stage, meter = pair(wall_us=WALL_US)
    stage.ask("mac-clock")
    first = stage.one(meter.nr())
    again = stage.one(meter.nr())
    assert again.mac.body.counter == 2 and again.payload != first.payload
    wall_us = WALL_US + stage.t0_us + us(1.5)
    meter.mrsp(again, None)
    second = wall_us // S % 86400
    assert meter.executed == bytes([0x34, second % 60, second // 60 % 60, second // 3600])


def test_clock_without_time():
    stage, meter = pair("mac-clock")
    assert stage.hear(meter.nr()) == []
    assert stage.details("failed") == ["nobody knows what time it is"]


# --- link management (sheet 18) ---


def managed(**more):
    stage = Stage(partners=[partner(managing=Managing(floor_dbm=-101, **more))])
    return stage, Meter()


def known(stage, meter, uplink="0304", downlink="06"):
    """The meter is asked what it can do: 13, 05, 06. uplink: UL-B4, full power, n = 2, rate 7/8; downlink: DL-B4."""
    down = stage.one(meter.nr(), kind=0)
    data = (
        bytes.fromhex("B301")
        + CAPABILITY
        + b"\x25"
        + bytes.fromhex(uplink)
        + b"\x16"
        + bytes.fromhex(downlink)
    )
    frame = meter.mrsp(down, data)
    assert meter.executed == bytes.fromhex("83010506")
    return stage.one(frame, kind=0)


def heard(stage, meter, count, rssi_dbm, kind=0):
    """So many uplinks; the first thing that is said behind one of them."""
    for _ in range(count):
        down = stage.one(meter.nr(), kind=kind, rssi_dbm=rssi_dbm)
        if down is not None:
            return down
    return None


def test_managed_meter_reduces_its_power():
    """40 dB above what it needs: 9 dB less power is the cheapest there is of rate 7/8 on UL-B4."""
    stage, meter = managed()
    assert known(stage, meter).c_field == SND_NKE
    down = heard(stage, meter, 12, -61)
    frame = meter.mrsp(down, None)
    assert meter.executed[:3] == bytes.fromhex("253310")
    assert stage.one(frame, kind=0).c_field == SND_NKE
    assert heard(stage, meter, 5, -70) is None


def test_managed_meter_is_made_stronger():
    """3 dB above what it needs: to 10 it is 7 dB, which multi burst has."""
    stage, meter = managed()
    known(stage, meter)
    down = heard(stage, meter, 6, -98)
    meter.mrsp(down, None)
    assert meter.executed == bytes.fromhex("250313")


def test_managed_downlink():
    """It says that DL-B4 has no margin: 8 dB more are those of DL-B1 (sheet 24: 10.8)."""
    stage, meter = managed()
    known(stage, meter)
    meter.up = up(timing=2, rxm=0)
    body = meter.mac.unsolicited(bytes([0x20, 0, 0x1F]))
    down = stage.one(meter.nr(body=body), kind=0, rssi_dbm=-85)
    meter.mrsp(down, None)
    assert meter.executed == bytes.fromhex("1600")


@pytest.mark.parametrize(("rxm", "moved"), [(None, None), (4, None), (5, "1604"), (8, "1602"), (9, "1600")])
def test_managed_downlink_is_one_that_holds_an_order(rxm, moved):
    """Default DL-RXM of 75 ms: nothing on DL-B1, 14 bytes on DL-B2, 47 on DL-B3 (sheet section 14); 400 ms: 69 on DL-B1."""
    stage, meter = managed()
    known(stage, meter)
    meter.up = up(timing=None if rxm is None else 2, rxm=rxm)
    body = meter.mac.unsolicited(bytes([0x20, 0, 0x1F]))
    down = stage.one(meter.nr(body=body), kind=0, rssi_dbm=-85)
    if moved is None:
        assert down is None
    else:
        meter.mrsp(down, None)
        assert meter.executed == bytes.fromhex(moved)


def test_managed_other_sub_mode():
    """Where our gateways hear UL-B1 and its coding does not do."""
    stage, meter = managed(uplinks=("UL-B1", "UL-B4"))
    known(stage, meter)
    down = heard(stage, meter, 6, -104)
    meter.mrsp(down, None)
    assert meter.executed[0] == 0x25 and meter.executed[1] & 0x0F == 0  # UL-B1


def test_managed_meter_that_refuses_or_is_silent():
    stage, meter = managed()
    known(stage, meter)
    down = heard(stage, meter, 12, -61)
    stage.one(meter.mrsp(down, b"\x05"), kind=0)  # length 0
    following = heard(stage, meter, 12, -61)
    assert following is None or following.payload != down.payload
    stage, meter = managed()
    for _ in range(200):
        stage.hear(meter.nr(), kind=0, then=20)
    asked = [one for one in stage.downs if one.type == "MCMD"]
    assert 11 <= len(asked) <= 40
    count = len(stage.downs)
    for _ in range(10):
        stage.hear(meter.nr(), kind=0)
    assert len(stage.downs) == count or stage.role.orders() == []


def test_managed_meter_that_takes_no_command_is_not_asked_behind_every_uplink():
    stage, meter = managed()
    known(stage, meter)
    asked = []
    for at in range(100):
        down = stage.one(meter.nr(), kind=0, rssi_dbm=-98)
        if down is not None and down.type == "MCMD":
            asked.append(at)
            stage.hear(meter.merr(), kind=0)
    assert len(asked) == 9 and asked[-1] > 80  # behind 3 uplinks, then with 1, 3, 7, 15, 15... between
    # It takes them again: what was wanted all the time is done.
    down = heard(stage, meter, 20, -98)
    assert stage.one(meter.mrsp(down, None), kind=0).c_field == SND_NKE


def test_managed_order_that_fails_before_it_is_said():
    """No burst to the meter holds the command in the one slot, and the next one holds it."""
    stage, meter = managed()
    known(stage, meter)
    for _ in range(2):
        assert stage.one(meter.nr(), kind=0, rssi_dbm=-98) is None
    small = up(downlink="DL-B3", timing=1, rxm=2)  # 12 bytes
    assert stage.hear(meter.nr(up=small), kind=0, rssi_dbm=-98) == []
    assert stage.details("failed") == ["a burst to this meter does not hold this command"]
    down = heard(stage, meter, 8, -98)
    assert down is not None and down.type == "MCMD"


def test_managed_downlink_that_the_owner_has_moved():
    """To DL-B1, on which it has 4 to 8 dB: DL-B3 would have less than none."""
    stage, meter = managed()
    known(stage, meter)
    meter.up = up(downlink="DL-B1", downlink_n=(2, 2, 2), timing=1, rxm=0)
    for _ in range(4):
        body = meter.mac.unsolicited(bytes([0x20, 0, 0x5F]))
        assert stage.hear(meter.nr(body=body), kind=0, rssi_dbm=-85) == []


def test_managed_meter_is_spoken_to_before_it_falls_back():
    """Fallback counter (MBlock 01) from 15: half of them are let pass; where no fallback is left, all of them."""
    stage, meter = managed()
    known(stage, meter)

    def told(byte):
        body = meter.mac.unsolicited(bytes([0x11, byte]))
        return stage.one(meter.nr(body=body), kind=0, rssi_dbm=-90)

    for left in range(15, 7, -1):
        assert told(0x40 | left) is None  # the next one is hard
    down = told(0x40 | 7)
    frame = meter.mrsp(down, bytes.fromhex("114F"))
    assert meter.executed == b"\x01"
    assert stage.one(frame, kind=0).c_field == SND_NKE
    # It has told how many there are, and need not tell it again.
    for _ in range(3):
        for _ in range(7):
            assert stage.one(meter.nr(), kind=0, rssi_dbm=-90) is None
        frame = meter.mrsp(stage.one(meter.nr(), kind=0, rssi_dbm=-90), bytes.fromhex("114F"))
        assert stage.one(frame, kind=0).c_field == SND_NKE
    for left in range(15, -1, -1):
        assert told(0xC0 | left) is None


def test_managed_without_mac_key_or_services():
    stage = Stage(partners=[partner(known=only_master, managing=Managing())])
    meter = Meter()
    for _ in range(6):
        assert stage.hear(meter.nr()) == []
    stage, meter = managed()
    assert stage.one(meter.nr()).type == "MCMD"
    assert stage.one(meter.merr()).c_field == SND_NKE
    for _ in range(6):
        assert stage.hear(meter.nr()) == []


def test_managed_after_the_owner():
    stage, meter = managed()
    stage.order(READ)
    down = stage.one(meter.nr())
    assert down.type == "MCNR"
    following = stage.one(meter.rsp(down))
    assert following.type == "MCMD" or following.c_field == SND_NKE


def test_managed_believes_no_stranger():
    """Frames that anybody may have sent are not measured."""
    stage, meter = managed()
    known(stage, meter)
    for _ in range(20):
        assert [one for one in stage.hear(meter.macc(), kind=0, rssi_dbm=-40) if one.type == "MCMD"] == []


@pytest.mark.parametrize(
    "told",
    [
        "B3010909FF2503041606",  # MBlock 13 with reserved bits
        "B301090F1F257F041606",  # MBlock 05 with a sub-mode that there is not
        "B301020F1F2503041606",  # UL-B2 only, which our gateway does not hear
        "A301090F2503041606",  # no coding is told
    ],
)
def test_managed_meter_of_which_nothing_can_be_managed(told):
    """It is not asked again, and goes on to be heard."""
    stage, meter = managed()
    stage.hear(meter.mrsp(stage.one(meter.nr(), kind=0), bytes.fromhex(told)), kind=0)
    for _ in range(14):
        assert stage.hear(meter.nr(), kind=0, rssi_dbm=-61) == []


def test_managed_meter_that_says_more_than_was_asked():
    """MBlock 19 is reserved: in both answers it stands besides."""
    more = bytes.fromhex("9901AA")
    stage, meter = managed()
    down = stage.one(meter.nr(), kind=0)
    told = bytes.fromhex("B301") + CAPABILITY + bytes.fromhex("250304" + "1606") + more
    assert stage.one(meter.mrsp(down, told), kind=0).c_field == SND_NKE
    down = heard(stage, meter, 12, -61)
    assert stage.one(meter.mrsp(down, bytes.fromhex("253310") + more), kind=0).c_field == SND_NKE
