"""The bidirectional meter on a virtual clock, without a radio: published telegrams, the ladders of the link sheet 9 with everything
that can be lost, and what oms-requirements asks of it (rows ADR, WIN, ACC, CRD, INS, STS, SYN, LNK)."""

import pytest
from omsnode.firmware.application import commands
from omsnode.firmware.errors import MisuseError, StoreError
from omsnode.firmware.link import access as windows
from omsnode.firmware.link import extended, frame_a
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import radio
from omsnode.firmware.roles.device import Device
from omsnode.firmware.roles.meter import Register
from omsnode.firmware.roles.window_meter import LIMITED, UNIDIRECTIONAL, UNLIMITED
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, fragmentation, header, protection, sealing
from support_commands import GATEWAY, MASTER, METER, Answer, Breaker, command, request
from support_walk import Walk
from support_window_meter import S, alarmed, ask, awake, cc_of, make, slots

# UC-00 (OMS Vol.2 M.2.2): XCT1! with RC1 40, RC2 32: the short answer 4242
SHORT_ANSWER = bytes.fromhex("02fd9f1d4032")


# --- published telegrams ---

ELS = Address.parse("12345678.M=ELS.V=33.T=03")
RAD = Address.parse("11223344.M=RAD.V=03.T=37")
N_2_4_REQ = bytes.fromhex("217B3A63665544330A318E8475244844332211033780785634129315330375170000")
N_2_4_RSP = bytes.fromhex(
    "530824484433221103378E80753A63665544330A31900F002C25B30A0000AF5D74DF73A600D97278563412931533037500200710"
    "9058475F4BC91DF878B80A1B0F98B629024AAC727942BFC549233C0140829B93"
)
N_2 = bytes.fromhex("0C1427048502046D32371F1502FD170000")  # its records


def test_request_through_an_adapter_n_2_4():
    """Long ELL both ways, bit-exact; message counter 2739."""
    key = Key(bytes(range(16)))
    registers = [
        Register(b"\x0c", b"\x14", 28504270 // 10),
        Register(b"\x04", b"\x6d", bytes.fromhex("32371F15")),
        Register(b"\x02", b"\xfd\x17", 0),
    ]
    role = make(key=key, address=RAD, meter_address=ELS, header="long", registers=registers, device=False)
    walk = awake(role)
    role.message_counter.value = 2738
    assert ask(walk, N_2_4_REQ) == N_2_4_RSP


N_7_IR = bytes.fromhex(
    "514693157856341233038C80457A01004805D2B70B3FBC1A1580D79B92CAA1D95341B609EF603AD3629472B2067D26BD2B5FDDC2"
    "374D29D0CD0858C5614E8B56E6C2175962DB0F01AA2AA7B12EE4B5F63F44"
)
N_7_CNF = bytes.fromhex("19063A63665544330A318C844580785634129315330301190000")
N_KEY = Key.from_hex("0102030405060708090A0B0C0D0E0F11")


def test_installation_n_7(shared):
    """SND-IR bit-exact, CNF-IR ends it (INS-01 to 03, 05, 06)."""
    import json

    examples = json.loads((shared / "vectors" / "annex-n.json").read_text())["examples"]
    (plain,) = [one["application_data"] for one in examples if one["id"] == "N.7-IR"]
    role = make(security=5, key=N_KEY, address=ELS, registration=bytes.fromhex(plain), device=False)
    walk = awake(role)
    role.access_number = 0x45
    walk.run(100 * S)
    assert len(walk.sent) == 1  # nothing without the button
    role.install(walk.now_us)
    assert walk.until_sent() == N_7_IR and walk.sent[-1][0] - 100 * S <= 60 * S
    # Of somebody else, for another number: goes on.
    other = bytearray(N_7_CNF)
    other[12] = 0x46
    assert walk.hear(bytes(other), walk.window())
    first = walk.sent[-1][0]
    again = walk.until_sent()
    assert again[1] == 0x46 and again[12] == 0x45 and again[14] == 2  # the next TPL access number
    assert 30 * S <= walk.sent[-1][0] - first <= 60 * S
    assert walk.hear(N_7_CNF, walk.window())
    assert role.access.state == windows.REST
    walk.run(walk.now_us + 700 * S)
    assert [telegram[1] for _, _, telegram in walk.sent] == [0x44, 0x46, 0x46]


def test_installation_numbers_do_not_begin_anew_with_each_start():
    """In mode 5 the TPL access number makes the initialisation vector (security sheet 4.1)."""
    firsts = set()
    for last in range(0, 256, 15):
        role = make(security=5, entropy=bytes((7, 0, 0, 0, last)))
        walk = awake(role)
        role.install(walk.now_us)
        firsts.add(walk.until_sent()[14])
    assert len(firsts) == 18


def test_installation_nobody_confirms():
    """At least six, 30 to 60 s apart and not always the same, an hour at most; slots where they were (INS-03)."""
    role = make()
    walk = awake(role)
    numbers = role.access_number
    role.install(S)
    walk.run(5000 * S)
    frames = [(at_us, telegram) for at_us, _, telegram in walk.sent if telegram[1] == 0x46]
    gaps = [later - earlier for (earlier, _), (later, _) in zip(frames, frames[1:], strict=False)]
    assert len(frames) >= 60 and frames[-1][0] <= 3600 * S + S
    assert min(gaps) >= 30 * S and max(gaps) <= 60 * S and len(set(gaps)) > 10
    slots(walk, numbers)
    for _, telegram in frames:
        assert cc_of(telegram) == 0x80


N_10_DMD = bytes.fromhex("1948B05C1147150811378CA0518B16685438386B190751000000")
N_10_ACK = bytes.fromhex("19003A637856341202318C80518016685438386B190751170000")


def test_access_demand_n_10():
    """ACC-DMD in the slot of a filler, bit-exact; ACK with the meter's number; repeated without bit S."""
    role, device = alarmed(
        address=Address.parse("08154711.M=WEP.V=11.T=37"),
        meter_address=Address.parse("38546816.M=ZYX.V=19.T=07"),
        header="long",
        fillers=1,
    )
    walk = awake(role)
    role.access_number = 0x50
    walk.run(role._slot_us - 2 * S)
    device.raise_alarm(4)
    # The status byte of the annex says nothing of the alarm.
    walk.until_sent()
    telegram = bytearray(walk.last)
    assert telegram[1] == 0x48 and telegram[23] == 3
    telegram[23] = 0
    assert bytes(telegram) == N_10_DMD
    assert walk.hear(N_10_ACK, walk.window())
    assert role.access.state == windows.CYCLE
    first = walk.sent[-1][0]
    walk.until_sent()
    assert walk.sent[-1][0] == first + 2 * S
    assert walk.last[1] == 0x48 and cc_of(walk.last) == 0x80


N_8_2_UD = bytes.fromhex(
    "295324235634129008318C84516C44227592934400077D0010059ED82AB233D1A2A80BFFD3B7B6A908D7"
)
N_8_2_ACK = bytes.fromhex("190024230261884329078C80518B44227592934400077D020000")


def test_clock_in_profile_a_n_8_2():
    """Mode 5 down; 110 s are more than 60: status 02, and error 15 on request, bit-exact acknowledgement."""
    role = make(
        security=5,
        key=Key.from_hex("82B0551191F51D66EFCDAB8967452301"),
        address=Address.parse("43886102.M=HYD.V=29.T=07"),
        meter_address=Address.parse("92752244.M=QDS.V=00.T=07"),
        header="long",
        device=Device([commands.Register(b"\x04", b"\x13", 1)], clock_s=1000000000),
    )
    walk = awake(role)
    before = role.device.clock_us(walk.now_us)
    assert ask(walk, N_8_2_UD) == N_8_2_ACK
    asking = bytearray(N_8_2_UD[:13] + N_8_2_UD[13:26])
    asking[0], asking[1], asking[12], asking[13], asking[22] = len(asking) - 1, 0x5B, 0x52, 0x80, 0x7E
    asking[24:26] = b"\x00\x00"
    error = ask(walk, bytes(asking))
    assert (error[1], error[13], error[22], error[23], error[-1]) == (0x08, 0x6F, 0x7E, 0x02, 0x15)
    assert role.device.clock_us(walk.now_us) - before < 60 * S


N_12_2 = bytes.fromhex(
    "4B433A6321436587083187718C8423900F002C25F00A000087E2777272442E67603DC3785634123A635520512020FB1B071028B27359AC9B"
    "83ABCDC87FFDF8F2BAD9FE8E1ED8F19718B7434C5EAED8663F15F33AC5CAA138"
)
N_12_3 = bytes.fromhex(
    "43083A63785634125520F24F8C8423900F002C25F10A00001C566D47D3EEAB618754C451002007102DA57D884181FF44E5376C0F7C9F8610"
    "0822C33CF7CDFDB83373411C20D477D8C5A67F375729"
)


def test_breaker_of_unlimited_access_n_12():
    role = make(device=Breaker(), access=UNLIMITED)
    walk = awake(role)
    role.message_counter.raise_to(2739)
    answer = ask_any_time(walk, frame_a.strip(N_12_2), 20 * S)
    assert bytes(frame_a.build(answer)) == N_12_3
    assert cc_of(walk.sent[0][2]) == 0xA4 and walk.listening
    # The same once more, and no cycle.
    assert ask_any_time(walk, frame_a.strip(N_12_2), 25 * S) == answer
    walk.run(60 * S)
    assert len(walk.sent) == 3 and role.counters["executed"] == 1 and role.counters["repeated"] == 1


def ask_any_time(walk, telegram, at_us):
    assert walk.hear(telegram, at_us)
    return walk.until_sent()


def test_unlimited_access_before_the_first_telegram():
    """There is nothing yet that a cycle could repeat."""
    role = make(access=UNLIMITED)
    role._wait_us = 600 * S
    walk = Walk(role)
    assert walk.hear(request(role.access_number, 0x00), S)
    walk.refuse = True
    assert walk.hear(command(SHORT_ANSWER, 2800, 0x50, 0x5B), 2 * S)
    walk.run(10 * S)
    assert not walk.sent and walk.listening
    walk.refuse = False
    assert Answer(ask_any_time(walk, command(SHORT_ANSWER, 2800, 0x50, 0x5B), 11 * S)).opened.counter == 2801


# --- ladders (link sheet 9, oms-requirements 14) ---


def test_unidirectional_9_1():
    """No window, no listening; ACC-NR in the ratio n : 1 (SYN-06), bits B A = 00."""
    walk = awake(make(access=UNIDIRECTIONAL, fillers=3), 9)
    assert [telegram[1] for _, _, telegram in walk.sent] == [0x44, 0x47, 0x47, 0x47] * 2 + [0x44]
    assert {cc_of(telegram) for _, _, telegram in walk.sent} == {0x20}
    assert not walk.heard and not walk.listening
    # As the link sheet 12 number 13 builds it, but for B, A and S
    assert walk.sent[1][2].hex() == "0c473a6378563412552" + "08c20" + "%02x" % walk.sent[1][2][12]
    slots(walk, walk.sent[0][2][12])


@pytest.mark.parametrize("mode, response_us", [("C2", 1000000), ("T2", 2500), ("S2", 10000)])
def test_command_then_read_9_2(mode, response_us):
    role = make(mode)
    walk = awake(role)
    assert cc_of(walk.last) == 0xA0
    end_us = walk.window() + 20000
    ack = Answer(ask(walk, command(SHORT_ANSWER, 2800, 0x50, 0x5B, 0x53, tpl_number=0x61)))
    assert (ack.link.c_field, ack.tpl.ci, ack.tpl.status, ack.tpl.access_number) == (0, 0x8A, 0, 0x61)
    assert ack.link.ell.access_number == 0x50 and ack.link.ell.cc == 0x80
    assert abs(walk.sent[-1][0] - end_us - response_us) < 1000
    first_us = walk.sent[-1][0]
    assert walk.until_sent() == ack.telegram and walk.sent[-1][0] == first_us + 2 * S
    answer = Answer(ask(walk, request(0x51)))
    assert (answer.link.c_field, answer.tpl.ci, answer.tpl.status) == (8, 0x7A, 0)
    assert answer.opened.counter == 2801
    assert walk.until_sent() == answer.telegram
    assert walk.hear(request(0x52, 0x40), walk.window())
    assert role.access.state == windows.REST
    n = len(walk.sent)
    walk.run(walk.now_us + 60 * S)
    assert len(walk.sent) == n and not walk.listening
    # Nothing is remembered: the old number is new (ACC-10).
    walk.until_sent()
    again = Answer(ask(walk, command(SHORT_ANSWER, 2800, 0x50, 0x5B, 0x53)))
    assert again.tpl.status == 2


@pytest.mark.parametrize("mode", ["C2", "T2", "S2"])
def test_lost_answer_9_3(mode):
    """The same frame again, whatever its FCB: the stored answer, executed once (LNK-16, 29; ACC-08)."""
    role = make(mode)
    walk = awake(role)
    told = command(SHORT_ANSWER, 2800, 0x50, 0x5B, 0x53)
    first = ask(walk, told)
    assert ask(walk, bytes((told[0], 0x73)) + told[2:]) == first
    assert role.counters["repeated"] == 1 and role.counters["executed"] == 1
    assert role.message_counter.value == 2800


@pytest.mark.parametrize("mode", ["C2", "T2", "S2"])
def test_numbers_of_a_gateway_have_no_order(mode):
    """ACC-08, ACC-09: that of the last datagram is the same one, whatever else is new."""
    role = make(mode)
    walk = awake(role)
    before = None
    for g in (0x50, 0x4F, 0xFF, 0x00, 0x50, 0x51):
        answer = Answer(ask(walk, request(g)))
        assert answer.link.ell.access_number == g
        assert before is None or answer.opened.counter == before + 1
        assert ask(walk, request(g)) == answer.telegram
        before = answer.opened.counter
    assert role.counters["repeated"] == 6


def test_the_number_is_forgotten_with_the_cycle():
    """ACC-10: nobody says SND-NKE, and behind 30 s the number is that of a new datagram."""
    walk = awake(make())
    first = Answer(ask(walk, request(0x50)))
    walk.run(walk.now_us + 31 * S)
    assert walk.until_sent()[1] == 0x44
    again = Answer(ask(walk, request(0x50)))
    assert again.opened.counter == first.opened.counter + 2


@pytest.mark.parametrize("mode", ["C2", "T2", "S2"])
@pytest.mark.parametrize("period_s, repeats", [(2, 13), (3, 9), (5, 5)])
def test_end_of_the_cycle_9_8(mode, period_s, repeats):
    """t_TxD steps from the first answer; t_TO 25 to 30 s behind the last valid frame; slots go on (SYN-01)."""
    role = make(mode, period_us=period_s * S)
    walk = awake(role)
    heard_us = walk.window()
    first = ask(walk, request(0x24))
    walk.run(walk.now_us + 100 * S)
    answers = [(at_us, telegram) for at_us, _, telegram in walk.sent if telegram[1] == 0x08]
    assert {telegram for _, telegram in answers} == {first}
    assert [at_us - answers[0][0] for at_us, _ in answers] == [i * period_s * S for i in range(len(answers))]
    assert repeats <= len(answers) <= repeats + 2
    assert answers[-1][0] <= heard_us + 30 * S + 20000
    assert role.access.state == windows.REST and not walk.listening
    walk.until_sent(2)
    slots(walk, walk.sent[0][2][12])


def test_snd_ud2_9_4():
    walk = awake(make())
    answer = Answer(ask(walk, command(SHORT_ANSWER, 2800, 0x50, 0x5B)))
    assert (answer.link.c_field, answer.tpl.ci, answer.opened.counter) == (8, 0x7A, 2801)


def test_alarm_9_5():
    """ACC-DMD beside the slots, ACK, REQ-UD1 in the window of the repetition, alarm data, cleared by that."""
    role, device = alarmed()
    walk = awake(role)
    number = role.access_number
    walk.run(20 * S)
    device.raise_alarm(0x05)
    demand = walk.until_sent()
    assert (demand[1], cc_of(demand), demand[12], demand[13]) == (0x48, 0x80, number, 0x8A)
    ack = bytearray(request(number, 0x00))
    assert walk.hear(bytes(ack), walk.window())
    assert walk.until_sent() == demand
    answer = Answer(ask(walk, request(0x60, 0x5A)))
    # Filled with TPL padding (P, bit 3 of the configuration field; security sheet 2.2, 4.3).
    assert (answer.link.c_field, answer.tpl.ci, answer.tpl.configuration_field & 8) == (0x08, 0x74, 8)
    assert (answer.data, answer.opened.padding) == (b"\x05", 13)
    assert device.alarm() is None
    empty = Answer(ask(walk, request(0x61, 0x7A)))
    assert (empty.link.c_field, empty.tpl.ci, empty.tpl.status) == (0x00, 0x8A, 0)
    assert walk.hear(request(0x62, 0x40), walk.window())
    n = len(walk.sent)
    walk.run(walk.now_us + 200 * S)
    assert len(walk.sent) == n
    slots(walk, number)


def test_an_answer_tells_that_an_alarm_waits():
    """ACD (LNK-17), in all that answers but the alarm itself."""
    role, device = alarmed()
    walk = awake(role)
    assert ask(walk, request(0x24))[1] == 0x08
    device.raise_alarm(1)
    assert ask(walk, request(0x25))[1] == 0x28
    assert ask(walk, command(SHORT_ANSWER, 2800, 0x26, 0x5B, 0x53))[1] == 0x20
    assert ask(walk, request(0x27, 0x5A))[1] == 0x08
    assert ask(walk, request(0x28))[1] == 0x08


def test_alarm_nobody_fetches():
    """Demanded again each minute; the slots carry data as ever."""
    role, device = alarmed()
    walk = awake(role)
    device.raise_alarm(1)
    walk.run(200 * S)
    demands = [at_us for at_us, _, telegram in walk.sent if telegram[1] == 0x48]
    assert len(demands) >= 3 and all(
        60 * S <= b - a < 61 * S for a, b in zip(demands, demands[1:], strict=False)
    )
    walk.until_sent(20)
    statuses = [Answer(telegram).tpl.status for _, _, telegram in walk.sent if telegram[1] == 0x44]
    assert statuses[0] == 0 and set(statuses[1:]) == {3}  # abnormal (STS-02: no reaction to a command)


@pytest.mark.parametrize("fast", [False, True])
def test_fast_and_slow_c2(fast):
    """Bit D of the meter's frame says where its window is, that of the gateway's where the answer is (WIN-06, 07)."""
    role = make(fast=fast)
    walk = awake(role)
    _, end_us, telegram = walk.sent[-1]
    assert bool(cc_of(telegram) & extended.FAST_RESPONSE) == fast
    open_us, close_us = role.access.window
    least = end_us + (100000 if fast else 1000000)
    assert open_us < least - 500 and least + 500 + 1280 <= close_us < least + 2500
    for cc, delay_us in ((0x84, 1000000), (0xC4, 100000)):
        sync_us = walk.window()
        ask(walk, command(SHORT_ANSWER, 2800 + cc, cc, 0x5B, cc=cc))
        assert abs(walk.sent[-1][0] - sync_us - 20000 - delay_us) <= 500


# --- addresses (ADR-04, 05, 09, 15) ---

OTHER = Address.parse("12345679.M=XYZ.V=55.T=20")


def test_for_others_and_for_us():
    role = make()
    walk = awake(role)
    sync_us = walk.window()
    long = (
        extended.build(0x84, 0x30, OTHER) + bytes.fromhex("80") + METER.tpl_bytes() + bytes((0x30, 0, 0, 0))
    )
    assert walk.hear(link_telegram.build(0x5B, GATEWAY, long), sync_us, 100)
    tpl = bytes.fromhex("80") + OTHER.tpl_bytes() + bytes((0x30, 0, 0, 0))
    assert walk.hear(
        link_telegram.build(0x5B, GATEWAY, extended.build(0x84, 0x30, METER) + tpl), sync_us, 200
    )
    assert walk.hear(link_telegram.build(0x5B, GATEWAY, extended.build(0x84, 0x30)), sync_us, 300)
    assert role.counters["ignored"] == 3 and role.access.state == windows.WINDOW
    own = extended.build(0x84, 0x30, METER) + bytes.fromhex("80") + METER.tpl_bytes() + bytes((0x30, 0, 0, 0))
    answer = Answer(ask(walk, link_telegram.build(0x5B, GATEWAY, own)))
    assert answer.link.ell.receiver.link_bytes() == GATEWAY.link_bytes()


# --- wrong, late, early, damaged ---


def test_corrupt_frame_is_met_with_silence():
    """LNK-27, 28: every bit of a whole request, one at a time."""
    role = make()
    walk = awake(role)
    told = request(0x24)
    length = len(frame_a.build(told))
    sync_us = walk.window()
    for at in range(length):
        frame = bytearray(frame_a.build(told))
        frame[at] ^= 1 << at % 8
        event = radio.Event(radio.FRAME, sync_us, sync_us + 100, bytes(frame), "C", "A", -70)
        assert role.feed(event, sync_us + 100) == []
    assert role.access.state == windows.WINDOW and role.counters["ignored"] == length


def test_outside_of_the_window():
    """Early and late: not taken, whatever the receiver would have heard."""
    role = make()
    walk = awake(role)
    open_us, close_us = role.access.window
    frame = bytes(frame_a.build(request(0x24)))
    for sync_us in (open_us - 1, close_us + 1):
        walk.run(sync_us)
        event = radio.Event(radio.FRAME, sync_us, sync_us + 100, frame, "C", "A", -70)
        assert role.feed(event, sync_us + 100) == []
    assert role.counters["outside"] == 2 and role.access.state == windows.REST


def test_a_frame_that_ends_behind_its_window():
    role = make()
    walk = awake(role)
    _, close_us = role.access.window
    frame = bytes(frame_a.build(request(0x24)))
    walk.run(close_us + 40000)
    assert role.access.state == windows.REST
    event = radio.Event(radio.FRAME, close_us - 1, close_us + 40000, frame, "C", "A", -70)
    walk._do(role.feed(event, close_us + 40000))
    assert walk.until_sent()[1] == 0x08


@pytest.mark.parametrize("mode", ["C2", "T2", "S2"])
def test_late_answer_goes_out_with_the_next_repetition(mode):
    role = make(mode)
    walk = awake(role)
    walk.lose = lambda action: True
    assert walk.hear(request(0x24), walk.window())
    walk.run(walk.now_us + S + S // 2)
    assert len(walk.sent) == 1 and role.counters["too_late"] == 1
    assert role.access.state == windows.CYCLE and not walk.listening
    walk.lose = lambda action: False
    answer = Answer(walk.until_sent())
    assert answer.link.c_field == 8 and answer.link.ell.access_number == 0x24
    assert role.counters["sent"] == 2


def test_doubled_request():
    """Two of them at once: one answer."""
    role = make()
    walk = awake(role)
    sync_us = walk.window()
    event = radio.Event(radio.FRAME, sync_us, sync_us + 20000, bytes(frame_a.build(request(0x24))), "C", "A")
    assert walk.hear(request(0x24), sync_us)
    assert role.feed(event, sync_us + 20000) == []
    walk.until_sent()
    assert role.counters["outside"] == 1 and len(walk.sent) == 2


def test_what_was_not_stored_is_not_answered():
    """The last transmission is repeated instead, without bit S; the command is new when it comes again."""
    role = make()
    walk = awake(role)
    snd_nr = walk.last
    walk.refuse = True
    assert walk.hear(command(SHORT_ANSWER, 2800, 0x50, 0x5B), walk.window())
    assert role.counters["rolled_back"] == 1 and not walk.listening
    repeated = walk.until_sent()
    assert repeated == snd_nr[:11] + bytes((snd_nr[11] & ~0x20,)) + snd_nr[12:]
    walk.refuse = False
    answer = Answer(ask(walk, command(SHORT_ANSWER, 2800, 0x50, 0x5B)))
    assert answer.opened.counter == 2801 and role.counters["executed"] == 2


@pytest.mark.parametrize("mode", ["C2", "T2", "S2"])
def test_slots_never_move_inside_a_cycle(mode):
    """A gateway that does not stop to ask for an hour; every slot is where it belongs (SYN-01, ACC-04)."""
    role = make(mode, nominal_us=16 * S)
    walk = awake(role)
    number = walk.last[12]
    g = 0
    while walk.now_us < 1800 * S:
        if role.access.window and walk.now_us < role.access.window[0]:
            g += 1
            walk.hear(request(g & 0xFF), walk.window())
        walk.until_sent()
    slots(walk, number)
    synchronous = [telegram for _, _, telegram in walk.sent if cc_of(telegram) & 0x20]
    assert len(synchronous) > 105 and {telegram[1] for telegram in synchronous} == {0x44}
    answered = [telegram[12] for _, _, telegram in walk.sent if telegram[1] == 8]
    assert g > 100 and len(set(answered)) > 100
    for (_, end_us, _), (at_us, _, _) in zip(walk.sent, walk.sent[1:], strict=False):
        assert at_us > end_us


def test_unknown_c_field_and_what_needs_no_answer():
    """NACK without a transport layer (LNK-27, 28, 30); SND-UD3 and what meters say: silence."""
    role = make()
    walk = awake(role)
    nack = ask(walk, request(0x24, 0x4F))
    assert nack == link_telegram.build(0x01, METER, extended.build(0x80, 0x24))
    sync_us = walk.window()
    for c_field in (0x45, 0x65, 0x44, 0x47, 0x08, 0x01, 0x18):
        assert walk.hear(request(0x25, c_field), sync_us, 100)
    assert role.access.state == windows.CYCLE_WINDOW and role.counters["ignored"] == 7
    # An ACK and a CNF-IR that nobody waits for.
    assert walk.hear(request(role.access_number, 0x00), sync_us, 200)
    assert walk.hear(request(role.access_number, 0x06), sync_us, 300)
    assert role.access.state == windows.CYCLE_WINDOW


def test_busy_until_the_application_has_finished():
    """STS-01, 03; WIN-09: repetitions keep the byte, a new number tells the new one."""
    device = Device([commands.Register(b"\x04", b"\x13", 6408)], busy_us=6 * S)
    walk = awake(make(device=device))
    ack = ask(walk, command(SHORT_ANSWER, 2800, 0x50, 0x5B, 0x53))
    assert Answer(ack).tpl.status == 1
    busy = Answer(ask(walk, request(0x51)))
    assert (busy.tpl.ci, busy.tpl.status, bytes(set(busy.data))) == (0x7A, 1, b"\x2f")
    for _ in range(3):
        assert walk.until_sent() == busy.telegram
    done = Answer(ask(walk, request(0x52)))
    assert done.tpl.status == 0 and b"\x42\x42" in done.data


# --- fragments (oms-requirements 14.6, 14.7; ADR-10) ---


def pieces(data, counter, mode=7):
    """SND-UD telegrams of one message, access numbers from 0x50 on, TPL access number 0x61."""
    security = sealing.Security(mode, MASTER, counter)
    afl, message = sealing.seal(security, 0x5B, METER, 0x61, 0, data, long=True, up=False, fragmented=True)
    out = fragmentation.split(afl, message, [20, 8])
    return [
        link_telegram.build(0x53, GATEWAY, extended.build(0x84, 0x50 + i, METER) + payload)
        for i, payload in enumerate(out)
    ]


@pytest.mark.parametrize("mode", [7, 10])
def test_fragmented_command(mode):
    """ACK without a transport layer for each but the last; each is lost once."""
    role = make(security=mode)
    walk = awake(role)
    told = pieces(SHORT_ANSWER, 2800, mode)
    assert len(told) >= 3
    for number, telegram in enumerate(told):
        ack = ask(walk, telegram)
        assert ask(walk, telegram) == ack
        if telegram is not told[-1]:
            assert ack == link_telegram.build(0x00, METER, extended.build(0x80, 0x50 + number, GATEWAY))
    last = Answer(ack)
    assert (last.tpl.ci, last.tpl.access_number, last.tpl.status) == (0x8A, 0x61, 0)
    assert last.link.ell.receiver.link_bytes() == GATEWAY.link_bytes()
    assert role.counters["executed"] == 1 and role.counters["repeated"] == len(told)
    assert b"\x42\x42" in Answer(ask(walk, request(0x60))).data


@pytest.mark.parametrize("order", [(1,), (0, 2), (0, 1, 0, 2)])
def test_fragments_that_do_not_fit(order):
    """Nothing is executed, and the answer on request is an application error."""
    role = make()
    walk = awake(role)
    told = pieces(SHORT_ANSWER, 2800)
    for i, which in enumerate(order):
        telegram = bytearray(told[which])
        telegram[12] = 0x70 + i
        ask(walk, bytes(telegram))
    error = Answer(ask(walk, request(0x60)))
    assert (error.tpl.ci, error.data) == (0x6E, b"\x17") and "executed" not in role.counters


@pytest.mark.parametrize("mode", [5, 7, 10])
def test_fragmented_response(mode):
    """One fragment for each REQ-UD2, repeated until the next; all with the receiver in the ELL."""
    records = b"".join(
        [bytes((0x84 | 0x40 * (i & 1), i >> 1, 0x13)) + bytes((i, 0, 0, 0)) for i in range(44)]
    )
    device = Breaker()
    device.response = lambda: records
    walk = awake(make(device=device, security=mode))
    joined = fragmentation.Reassembly(1)
    found = None
    number = 0
    telegram = request(0x30)
    while found is None:
        answer = ask(walk, telegram)
        assert len(answer) <= 156 and answer[10] == 0x8E and answer[12] == 0x30 + number
        assert walk.until_sent() == answer
        link = link_telegram.parse(answer)
        afl = authentication.parse(answer, link.offset)
        number += 1
        assert afl.fragment_id == number
        found = joined.add(b"", afl, answer[afl.payload_offset :], walk.now_us)
        telegram = link_telegram.build(0x5B, GATEWAY, extended.build(0x84, 0x30 + number, METER))
    assert number == 3
    afl, message = found
    tpl = header.parse(message, 0)
    assert tpl.access_number == 0x30
    opened = protection.open_message(message, tpl, afl, METER, lambda *which: MASTER)
    assert records in opened.payload
    # Another request begins again, under the next counter.
    again = ask(walk, request(0x40))
    assert authentication.parse(again, 21).fragment_id == 1


# --- bits without an ELL (link sheet 7.2; security sheet 4.1) ---


@pytest.mark.parametrize("length, at", [("short", 14), ("long", 22)])
def test_without_ell_the_configuration_field_has_the_bits(length, at):
    role = make("T2", 5, with_ell=False, header=length)
    walk = awake(role)
    assert walk.last[10] == (0x7A if length == "short" else 0x72) and walk.last[at] & 0xE0 == 0xA0
    number = walk.last[11 if length == "short" else 19]
    asking = link_telegram.build(0x5B, GATEWAY, b"\x80" + METER.tpl_bytes() + bytes((0x24, 0, 0, 0)))
    answer = ask(walk, asking)
    assert answer[at] & 0xE0 == 0x80 and answer[11 if length == "short" else 19] == 0x24
    assert Answer(answer).data[:8].hex() == "2f2f041308190000"
    assert number == role.access_number


@pytest.mark.parametrize(
    "more",
    [
        {"mode": "C2", "with_ell": False, "security": 5},
        {"mode": "T2", "with_ell": False},
        {"mode": "T1"},
        {"mode": "C1"},
        {"security": 0},
        {"fillers": 16},
        {"fillers": -1},
        {"period_us": 4 * S},
        {"access": 0x40},
    ],
)
def test_misuse(more):
    with pytest.raises(MisuseError):
        make(**more)


# --- credits (CRD-01 to 05) ---


def test_credits_run_out_and_come_back():
    role = make(access=LIMITED)
    role.credits.count = 20
    walk = awake(role)
    g = 0
    while role.access.window:
        g += 1
        last = ask(walk, request(g))
    # 1 + 5 for each; with less than a command and its response there is no more access, in this very frame.
    assert g == 3 and cc_of(last) == 0x04 and role.credits.count == 2
    n = len(walk.sent)
    closed_us = walk.sent[-1][0]
    walk.run(walk.now_us + 100 * S)
    assert len(walk.sent) == n and not walk.listening
    while cc_of(walk.until_sent()) != 0xA0:
        assert cc_of(walk.last) == 0x24
    assert walk.sent[-1][0] - closed_us <= 12 * 3600 * S
    assert Answer(ask(walk, request(0x77))).link.c_field == 8


def test_repetitions_cost():
    """Each datagram that is sent (CRD-01): ACK 1."""
    role = make()
    walk = awake(role)
    before = role.credits.count
    ask(walk, command(SHORT_ANSWER, 2800, 0x50, 0x5B, 0x53))
    assert before - role.credits.count == 3
    walk.until_sent(4)
    assert before - role.credits.count == 7


def test_credits_survive_a_restart():
    """And are never more than before it."""
    role = make()
    walk = awake(role)
    least = role.credits.count
    for g in range(60):
        ask(walk, request(g))
        if walk.stored:
            assert make(state=walk.stored[-1]).credits.count <= role.credits.count
            least = min(least, make(state=walk.stored[-1]).credits.count)
    assert least < 3800
    with pytest.raises(StoreError):
        make(state=dict(walk.stored[-1], credits="many"))


def test_unlimited_access_ends_with_the_credits_too():
    role = make(access=UNLIMITED)
    walk = awake(role)
    role.credits.count = 8
    answer = ask_any_time(walk, request(0x24), 10 * S)
    assert cc_of(answer) == 0x04 and not walk.listening
    while cc_of(walk.until_sent()) != 0xA4:
        assert not walk.listening
    assert walk.listening


def test_a_repetition_keeps_its_number_behind_a_slot():
    """ACC-01, 02, 05: what a cycle repeats is the same datagram, whatever slot has passed, and its ACK names it."""
    role, device = alarmed()
    walk = awake(role)
    walk.run(role._slot_us - 15 * S)
    device.raise_alarm(0x05)
    demand = walk.until_sent()
    number = demand[12]
    assert demand[1] == 0x48 and walk.hear(request(number, 0x00), walk.window())
    while walk.until_sent()[1] != 0x44:
        assert walk.last == demand
    assert walk.last[12] == number + 1
    assert walk.until_sent() == demand
    before = role.counters.get("ignored", 0)
    assert walk.hear(request(number, 0x00), walk.window())
    assert walk.until_sent() == demand and role.counters.get("ignored", 0) == before
    assert walk.hear(request(number + 1, 0x00), walk.window())
    assert role.counters.get("ignored", 0) == before + 1


def test_time_without_access_goes_on_behind_a_restart_crd_05():
    """Power is cut behind each second slot: no credit is ever gained."""
    state, powered_us = None, 0
    for life in range(1000):
        role = make(state=state)
        if not life:
            role.credits.count = 0
        role.credits.gain_us = 10**15
        walk = awake(role)
        begun_us = walk.now_us
        if cc_of(walk.until_sent()) & 0x84 != 0x04:
            break
        state = walk.stored[-1]
        powered_us += walk.now_us - begun_us
    assert life > 1 and 0 < powered_us < 12 * 3600 * S


def test_unlimited_access_waits_for_credits_at_the_start():
    role = make(access=UNLIMITED)
    role.credits.count = 0
    walk = awake(role)
    assert not walk.listening and walk.stored


def test_a_firmware_transfer_is_not_interrupted():
    """CRD-11: access as long as it runs, and credits are never negative."""
    role = make()
    walk = awake(role)

    class Image:
        state = 3

        def export(self):
            return {}

    role.device.image = Image()
    role.credits.count = 9
    for g in range(4):
        assert cc_of(ask(walk, request(g))) == 0x80
    assert role.credits.count == 0
    Image.state = 9
    assert cc_of(walk.until_sent()) == 0x24


def test_duty_cycle_ends_access():
    """CRD-04: at its limit the next frame says that there is no window."""
    role = make()
    walk = awake(role)
    assert walk.hear(request(0x24), walk.window())
    walk.run(walk.now_us + 990000)
    assert walk._armed
    walk._armed = None
    refused = radio.Event("refused", walk.now_us + 3600 * S, code="duty_cycle")
    walk._do(role.feed(refused, walk.now_us))
    assert role.access.state == windows.CYCLE
    assert cc_of(walk.until_sent()) == 0x04


# --- the machine ---

# What a meter never comes to: it does not mix the kinds of access, hears nothing while a transmission is armed, and answers in
# at most 1 s.
_NEVER = {
    (windows.ALWAYS, windows.SENT),
    (windows.WINDOW, windows.SENT),
    (windows.WINDOW, windows.SENT_ALWAYS),
    (windows.WINDOW, windows.SENT_CLOSED),
    (windows.CYCLE_WINDOW, windows.SENT),
    (windows.CYCLE_WINDOW, windows.SENT_ALWAYS),
    (windows.CYCLE_WINDOW, windows.SENT_CLOSED),
    (windows.ANSWER, windows.ENDED),
    (windows.ANSWER, windows.OVER),
}


def late(walk, telegram):
    """A frame whose sync word is inside the window and whose end is not."""
    sync_us = walk.role.access.window[1] - 1
    assert walk.hear(telegram, sync_us, 60000)


def nke(g):
    return request(g, 0x40)


def every_state(walk):
    """A meter of limited access through all that may happen to it."""
    role = walk.role
    late(walk, nke(1))  # rest
    walk.until_sent()
    assert walk.hear(nke(1), walk.window(), 100)
    walk.until_sent()
    # Its last repetition opens a window that t_TO ends.
    walk.hear(request(1), walk.window(), 100)
    walk.run(walk.now_us + 35 * S)
    walk.until_sent()
    late(walk, request(2))
    walk.until_sent()
    late(walk, request(3))
    walk.until_sent()
    late(walk, nke(4))  # cycle
    walk.until_sent()
    ask(walk, request(5), air_us=100)
    ask(walk, request(6), air_us=100)
    walk.lose = lambda action: True
    assert walk.hear(request(7), walk.window())
    walk.run(walk.now_us + S)
    walk.lose = lambda action: False
    walk.until_sent()
    assert walk.hear(nke(8), walk.window(), 100)
    # Three demands, whose ACK comes into a window, behind it, and a second time into that of the repetition and behind it.
    ack = request(role.access_number, 0x00)
    role.device.raise_alarm(1)
    walk.until_sent()
    assert walk.hear(ack, walk.window(), 100)
    walk.until_sent()
    assert walk.hear(ack, walk.window(), 100)
    walk.until_sent()
    late(walk, ack)
    walk.run(walk.now_us + 35 * S)  # over
    while walk.until_sent()[1] != 0x48:
        pass
    late(walk, request(role.access_number, 0x00))
    walk.run(walk.now_us + 35 * S)


def a_slot_in_the_cycle(walk):
    """As it should be; with the last credits gone; and the answer that says so."""
    role = walk.role
    for left in (None, 0):
        while not (role.access.state == windows.CYCLE and role._slot_us - walk.now_us < 1800000):
            if role.access.state == windows.WINDOW:
                ask(walk, request(9))
            else:
                walk.step()
        if left is not None:
            role.credits.count = left
        walk.until_sent()
    walk.until_sent()
    role.credits.count = 100
    walk.until_sent(20)
    while role.access.state != windows.WINDOW:
        walk.step()
    role.credits.count = 8
    ask(walk, request(10))


def unlimited(walk):
    role = walk.role
    assert walk.hear(nke(1), walk.now_us + S)
    ask_any_time(walk, request(2), walk.now_us + S)
    role.device.raise_alarm(1)
    while walk.until_sent()[1] != 0x48:
        pass
    assert walk.hear(request(role.access_number, 0), walk.now_us + S)
    # An answer that meets a slot gives way to it.
    assert walk.hear(request(3), role._slot_us - S)
    walk.until_sent()
    role.credits.count = 3
    while cc_of(walk.until_sent()) & 0x80:
        pass


def test_every_row_of_the_access_machine(monkeypatch):
    seen = set()
    step = windows.Access._step

    def watched(self, event):
        seen.add((self.state, event))
        return step(self, event)

    monkeypatch.setattr(windows.Access, "_step", watched)
    every_state(awake(alarmed()[0]))
    a_slot_in_the_cycle(awake(make("T2", nominal_us=16 * S)))
    unlimited(awake(alarmed(access=UNLIMITED)[0]))
    assert seen == set(windows.TABLE) - _NEVER
