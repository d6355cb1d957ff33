"""A gateway among strangers, odd orders and failing disks: it never raises, executes nothing twice and says what it does not know."""

import pytest
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.link import extended, frame_a
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import radio
from omsnode.firmware.roles.orders import Exchange
from omsnode.firmware.roles.partner import Partner
from support_window import ALARM, MASTER, METER, READ, VOLUME, WRITE, WRITE2, Meter, Order, S, Stage, said

OTHER = Address.parse("99999999.M=XYZ.V=01.T=07")


def known(mode="C2", meter=None, **settings):
    stage = Stage(mode, **settings)
    meter = meter or Meter()
    stage.hear(meter.nr())
    return stage, meter


def last(stage, number=1):
    return [one for one in stage.told if getattr(one, "number", 0) == number][-1]


# --- disks ---


def test_a_disk_that_fails_when_an_order_has_ended():
    stage, meter = known()
    stage.order(READ)
    (asked,) = stage.hear(meter.nr())
    stage.disk = False
    stage.hear(meter.rsp(asked))
    stage.order(READ)
    stage.run(stage.now_us + 60 * S)
    assert "done" not in stage.steps()
    stage.disk = True
    stage.run(stage.now_us + 20 * S)
    assert stage.steps()[-1] == "done"


# --- odd orders ---


class Odd(Order):
    """Raises where it is told to."""

    def __init__(self, where, *exchanges, **settings):
        super().__init__(*exchanges, **settings)
        self.where = where

    def _odd(self, where):
        if where == self.where:
            raise MisuseError("odd " + where)

    def exchange(self, wall_us):
        self._odd("exchange")
        return super().exchange(wall_us)

    def heard(self, heard, wall_us):
        self._odd("heard")
        return super().heard(heard, wall_us)

    def silence(self, wall_us):
        self._odd("silence")
        return super().silence(wall_us)


@pytest.mark.parametrize("mode", ["C2", "T2"])
@pytest.mark.parametrize("where", ["exchange", "heard", "silence"])
def test_an_order_that_raises_has_failed(where, mode):
    stage, meter = known(mode, meter=Meter(mode=5), partners=[Partner(METER, MASTER, "A")])
    stage.role.queue(METER, Odd(where, WRITE2), stage.now_us)
    stage.run(stage.now_us)
    sent = stage.hear(meter.nr())
    if where == "heard":
        stage.hear(meter.rsp(sent[0]))
    stage.run(stage.now_us + 60 * S)
    assert last(stage).step == "failed" and "odd " + where in last(stage).detail
    assert stage.role.orders() == []
    second = stage.order(READ)
    while not sent or second.log == []:
        sent = stage.hear(meter.nr())


@pytest.mark.parametrize("size", [16001, 70000])
def test_data_that_fit_no_message(size):
    stage, meter = known()
    stage.order(Exchange("SND-UD", 0x5B, bytes(size)))
    stage.hear(meter.nr())
    assert last(stage).step == "failed"


# --- the end of a session ---


@pytest.mark.parametrize("mode", ["C2", "T2"])
@pytest.mark.parametrize("lost", [False, True])
def test_an_order_that_comes_while_the_end_is_said_takes_the_next_repetition(mode, lost):
    stage, meter = known(mode)
    stage.order(READ)
    (asked,) = stage.hear(meter.nr())
    answer = meter.rsp(asked)
    second = Order(READ)
    transmit = stage._transmit

    def late_order(action):
        if second.log == [] and action.telegram[1] == 0x40:
            stage.role.queue(METER, second, stage.now_us)
            stage._do(stage.role.tick(stage.now_us))
            stage.fates = ["late"] if lost else []
        transmit(action)

    stage._transmit = late_order
    stage.hear(answer)
    while not any(one.telegram[1] == 0x40 for _, one in stage.offers):
        stage.hear(answer, stage.now_us + 2 * S)
    # The meter has not heard SND-NKE, and repeats.
    stage.fates = []
    sent = stage.hear(answer, stage.now_us + 2 * S) or stage.hear(answer, stage.now_us + 2 * S)
    assert [one[1] & ~0x20 for one in sent] == [0x5B]


def test_a_cycle_without_an_end_costs_three_snd_nke():
    stage, meter = known()
    stage.order(READ)
    (asked,) = stage.hear(meter.nr())
    answer = meter.rsp(asked)
    at_us, sent = stage.now_us, []
    for repetition in range(60):
        sent += stage.hear(answer, at_us + repetition * 2 * S)
    assert [one[1] for one in sent] == [0x40] * 3


def test_nor_after_one_that_was_given_up():
    stage, meter = known()
    order = stage.order(READ)
    (asked,) = stage.hear(meter.nr())
    stage.role.cancel(order.number, stage.now_us)
    answer = meter.rsp(asked)
    stage.run(stage.now_us + 40 * S)
    at_us, sent = stage.now_us, []
    for repetition in range(60):
        sent += stage.hear(answer, at_us + repetition * 2 * S)
    assert 1 <= len(sent) <= 3 and {one[1] for one in sent} == {0x40}


# --- unlimited access ---


def test_who_says_that_he_always_listens_and_does_not():
    """Eight tries come at once, the others wait for what he says next (Annex I), whose window may be a real one."""
    stage, meter = known(meter=Meter(cc=0x84))
    order = stage.order(READ)
    stage.run(stage.now_us + 600 * S)
    assert len(stage.sent) == 8
    sent = []
    for _ in range(3):
        sent = sent or stage.hear(meter.nr(), stage.now_us + 3 * S)
    stage.hear(meter.rsp(sent[0]))
    assert order.outcome == "done"


# --- strangers ---


def test_a_forged_ack_makes_no_command_twice():
    """ACK is in clear (SEC-02). To SND-UD2 it says that the meter does not know it (M.1.7); who made it up knows better."""
    stage, meter = known()
    stage.order(WRITE2, once=True)
    (asked,) = stage.hear(meter.nr())
    sent, commands = stage.hear(meter.ack(asked)), 1
    for _ in range(20):
        commands += sum(one[1] & ~0x20 in (0x53, 0x43) and one != asked for one in sent)
        sent = stage.hear(meter.nr())
    assert commands == 1


def test_a_forged_security_error_makes_no_command_twice():
    stage, meter = known()
    order = stage.order(WRITE2, once=True)
    (asked,) = stage.hear(meter.nr())
    if asked[1] != 0x43:
        (asked,) = stage.hear(meter.ack(asked, 2))
    sent = stage.hear(meter.error(asked, 0x20))
    assert [one[1] for one in sent] == [0x40]
    assert order.log == ["exchange", "silence"]


@pytest.mark.parametrize(
    "exchange, answer, authentic",
    [
        (WRITE, "ack", False),
        (ALARM, "ack", False),
        (READ, "rsp", True),
        (WRITE2, "rsp", True),
        (WRITE2, "before", False),
    ],
)
def test_what_is_done_says_whether_the_meter_has_proved_it(exchange, answer, authentic):
    """SEC-18: a meter takes over the counter of what it takes; an answer below it was made before, or by who never got it."""
    stage, meter = known()
    stage.order(exchange, wants=False)
    (asked,) = stage.hear(meter.nr())
    if answer == "before":
        meter.heard = lambda telegram: None
    stage.hear(meter.ack(asked) if answer == "ack" else meter.rsp(asked))
    assert last(stage).step == "done"
    assert last(stage).detail["authenticated"] is authentic


def test_without_authentication_nothing_is_proved():
    stage, meter = known(meter=Meter(mode=5), partners=[Partner(METER, MASTER, "A")])
    stage.order(READ)
    (asked,) = stage.hear(meter.nr())
    stage.hear(meter.rsp(asked))
    assert last(stage).detail["authenticated"] is False


def test_a_stranger_does_not_become_the_adapter_of_a_meter():
    """A long header with the meter's address, from somebody else."""
    stage, meter = known()
    stage.order(READ)
    liar = Meter(mode=0, link=OTHER)
    stage.hear(liar.nr(0x00))
    (asked,) = stage.hear(meter.nr())
    assert said(asked)[3].ell.receiver is None


def test_a_flood_in_the_name_of_the_meter_makes_one_shot():
    """Mode C2: while one waits for its window, no other is made."""
    stage, meter = known()
    stage.order(READ)
    frame = bytes(frame_a.build(meter.nr()))
    for _ in range(50):
        stage.now_us += 10000
        event = radio.Event(radio.FRAME, stage.now_us - 5000, stage.now_us, frame, "C", "A", -60)
        stage._do(stage.role.feed(event, stage.now_us))
        assert len(stage.role._shots) <= 1
    stage.run(stage.now_us + 3 * S)
    assert len(stage.sent) == 1


def test_a_flood_of_demands():
    stage, meter = known()
    sent = []
    for number in range(40):
        meter.number = number
        sent += stage.hear(meter.demand())
    queue = stage.role._book._queues[0]
    assert len(queue) <= 2
    assert len(sent) <= 40


def test_a_flood_of_installations():
    """1 % of the air time of mode T2 stays for others: at most eight wait for their SND-NKE, and one of a meter."""
    stage, meter = known("T2")
    for _ in range(5):
        stage.hear(meter.installation())
    assert len(stage.role.installer._waiting) == 1
    for number in range(40):
        liar = Meter(Address.parse("{:08d}.M=XYZ.V=01.T=07".format(number)), mode=0)
        frame = bytes(frame_a.build(liar.installation()))
        event = radio.Event(radio.FRAME, stage.now_us, stage.now_us + 5000, frame, "T", "A", -60)
        stage._do(stage.role.feed(event, stage.now_us + 5100))
    assert len(stage.role.installer._waiting) <= 8
    stage.run(stage.now_us + 30 * S)
    assert stage.role.installer._waiting == []


def test_somebody_elses_numbers_are_answers_to_nothing():
    """ACK, NACK and errors with our number from other addresses, and of ours with other numbers."""
    stage, meter = known()
    order = stage.order(WRITE)
    (asked,) = stage.hear(meter.nr())
    other = Meter(OTHER)
    for forged in (other.ack(asked), other.nack(asked), other.error(asked, 1), meter.ack(asked, 0, 1)):
        stage.hear(forged)
    assert order.log == ["exchange"]


def test_what_was_sent_is_stored_soon():
    """A crash gives back no air time: the node stores it with the state of its role."""
    stage, meter = known("T2")
    stage.order(READ)
    stage.run(stage.now_us + 5 * S)
    assert stage.hear(meter.nr())
    count = len(stage.stored)
    stage.run(stage.now_us + S)
    assert stage.order_of_things[-1] == "stored" or len(stage.stored) > count


# --- later fragments, no TPL ---


def test_a_frame_without_tpl_is_nobodys():
    stage, meter = known()
    stage.order(READ)
    for c_field in (0x00, 0x01, 0x08, 0x44, 0x46, 0x47, 0x48):
        for cc in (0x80, 0x84, 0xA0):
            stage.hear(link_telegram.build(c_field, METER, extended.build(cc, 5)))
            stage.hear(link_telegram.build(c_field, OTHER, extended.build(cc, 5)))
    assert stage.role.orders()


@pytest.mark.parametrize("ci", [0x8C, 0x8E])
@pytest.mark.parametrize("length", range(11))
def test_a_frame_that_ends_within_its_ell(length, ci):
    stage, meter = known("T2")
    stage.order(READ)
    short = link_telegram.build(0x44, METER, bytes((ci,)) + bytes(length).replace(b"\x00", b"\x80"))
    stage.hear(short)
    assert stage.role.orders()


def test_a_demand_of_a_meter_whose_cycle_is_over():
    """What it repeats was not heard."""
    stage, meter = known("T2")
    stage.order(READ)
    (asked,) = stage.hear(meter.nr())
    stage.hear(meter.rsp(asked))
    stage.run(stage.now_us + 60 * S)
    partner = stage.role.partners[0]
    partner.access.repeat_us = None
    partner.demanded(stage.now_us)
    partner.advance(stage.now_us + 60 * S)
    assert not partner.awake


def test_what_a_meter_says_of_its_own_accord_is_no_answer_whatever_its_number():
    """Access numbers of both sides meet by chance: without an ELL once in 256 telegrams. ADR-04, COL-05."""
    stage, meter = known(meter=Meter(mode=5), partners=[Partner(METER, MASTER, "A")])
    order = stage.order(READ)
    (asked,) = stage.hear(meter.nr())
    theirs = said(asked)
    meter.number = theirs[1]
    own = meter._frame(
        0x44, theirs[1], meter._protected((0x7A, 0x72), theirs[2].access_number, 0, VOLUME), 0xA0
    )
    assert stage.hear(own, stage.now_us + 3 * S) == [asked]  # an opportunity
    assert order.log == ["exchange"]
    stage.hear(meter.rsp(asked))
    assert order.log == ["exchange", "RSP-UD 00"]


@pytest.mark.parametrize("mode", ["C2", "S2", "T2"])
def test_an_answer_to_another_gateway_with_the_number_of_our_last_datagram(mode):
    """COL-04: it proves nothing of our command."""
    stage, meter = known(mode)
    stage.order(READ)
    order = stage.order(WRITE, once=True)
    (asked,) = stage.hear(meter.nr())
    answer = meter.rsp(asked)
    sent = stage.hear(answer)
    (command,) = sent or stage.hear(answer, stage.now_us + 2 * S)
    stage.hear(meter._frame(0x00, said(asked)[1], b"", None, OTHER), stage.now_us + 2 * S)
    session = stage.role._sessions[0]
    assert session.datagram.telegram == command and session.doubtful and order.log == ["exchange"]
