"""Registers and commands of the burst sub-modes against the sheets' values, typed here, and what is refused."""

import math

import pytest
from omsnode.board.virtual import World
from omsnode.drivers import submodes
from omsnode.drivers.cc1101 import profiles, registers
from omsnode.drivers.cc1101 import submodes as cc1101
from omsnode.drivers.sx1262 import profiles as sx_profiles
from omsnode.drivers.sx1262 import submodes as sx1262
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.phy import modes
from support_burst_radio import DOWNLINKS, UPLINKS, bursts, direction, station

ALL = UPLINKS + DOWNLINKS
NAMES = "SYNC1 SYNC0 FSCTRL1 FREQ2 FREQ1 FREQ0 MDMCFG4 MDMCFG3 DEVIATN FOCCFG BSCFG FREND1 AGCCTRL2 AGCCTRL1 AGCCTRL0"

# CC1101 sheet 10.2
RECEIVE = {
    "UL-B1": "C1 FA 06 21 67 AE E8 93 05 17 6D 56 43 40 91",
    "UL-B2": "C1 FA 06 21 63 27 E8 93 05 17 6D 56 43 40 91",
    "UL-B3": "C1 FA 06 21 64 3C E8 93 05 17 6D 56 43 40 91",
    "UL-B4": "C1 FA 08 21 65 E8 6C 3B 42 2E 6D B6 43 09 B5",
    "DL-B1": "C1 FA 06 21 71 7A F6 43 00 17 6D 56 43 40 91",
    "DL-B2": "C1 FA 06 21 71 7A F7 43 02 17 6D 56 43 40 91",
    "DL-B3": "C1 FA 06 21 71 7A F8 43 12 17 6D 56 43 40 91",
    "DL-B4": "C1 FA 06 21 71 7A E9 E4 27 17 6D 56 43 40 91",
}
# SX1262 sheet 6.1: SetRfFrequency, SetModulationParams
COMMANDS = {
    "UL-B1": ("86 36 48 7A E1", "8B 01 90 00 09 0C 00 0A 3D"),
    "UL-B2": ("86 36 41 1E B8", "8B 01 90 00 09 0C 00 0A 3D"),
    "UL-B3": ("86 36 42 E1 48", "8B 01 90 00 09 0C 00 0A 3D"),
    "UL-B4": ("86 36 45 99 9A", "8B 00 20 00 09 0A 00 80 00"),
    "DL-B1": ("86 36 58 66 66", "8B 07 D0 00 09 1F 00 04 19"),
    "DL-B2": ("86 36 58 66 66", "8B 03 E8 00 09 1E 00 08 31"),
    "DL-B3": ("86 36 58 66 66", "8B 01 F4 00 09 1D 00 10 62"),
    "DL-B4": ("86 36 58 66 66", "8B 00 A6 AB 09 0C 00 31 27"),
}
# Transmitters, LPWAN sheet 22 and CC1101 sheet 7.2: chips/s, deviation in Hz; True where within 2 of that sheet
CC1101_SENDS = {
    "UL-B1": (9992.6, 2579, False, False),
    "UL-B2": (9992.6, 2579, False, False),
    "UL-B3": (9992.6, 2579, False, False),
    "UL-B4": (124969.5, 31738, False, False),
    "DL-B1": (2002.2, 1587, False, False),
    "DL-B2": (4004.5, 1984, False, False),
    "DL-B3": (8009.0, 3967, False, True),
    "DL-B4": (24002.1, 11902, False, False),
}
SX1262_SENDS = {
    "UL-B1": (10000.0, 2500),
    "UL-B4": (125000.0, 31250),
    "DL-B1": (2000.0, 1000),
    "DL-B2": (4000.0, 2000),
    "DL-B3": (8000.0, 4000),
    "DL-B4": (23999.8, 12000),
}


def driver(kind="cc1101", **options):
    return station(kind, World(), "radio", {"beyond_limits": False, **options}).radio


def hexed(data):
    return " ".join("{:02X}".format(value) for value in data)


def shown(block, names=NAMES):
    return hexed(block[registers.address(name)] for name in names.split())


def of(name, side, **options):
    return cc1101.block(driver(**options), name, direction(name), 0, side)


@pytest.mark.parametrize("name", ALL)
def test_cc1101_registers(name):
    assert shown(of(name, profiles.RX)) == RECEIVE[name]
    assert shown(of(name, profiles.TX)) == RECEIVE[name]  # the same columns
    assert shown(of(name, profiles.TX), "MDMCFG2 PKTCTRL0 IOCFG0 MCSM0") == "10 00 02 08"
    assert shown(of(name, profiles.RX), "PKTCTRL0 IOCFG2 IOCFG0 PKTLEN") == "02 06 00 FF"


@pytest.mark.parametrize(
    ("options", "value"),
    (
        ({"sync_errors": 0}, "12"),  # GFSK, 16 of 16
        ({"sync_errors": 1}, "11"),  # 15 of 16
        ({}, "11"),
        ({"raw_sync": True}, "10"),
    ),
)
@pytest.mark.parametrize("name", ("UL-B4", "DL-B3"))
def test_sync_mode(name, options, value):
    assert shown(of(name, profiles.RX, **options), "MDMCFG2") == value


def test_raw_keeps_the_limits_of_the_loops():
    """Gains halved, what they may compensate stays (sheet 3.1): no gate on carrier sense, BW/4; 3.125 %."""
    assert shown(of("UL-B4", profiles.RX, raw_sync=True), "FOCCFG BSCFG") == "06 0D"
    assert shown(of("DL-B4", profiles.RX, raw_sync=True), "FOCCFG BSCFG") == "07 0D"


def test_msk_is_for_ul_b4_only():
    """MSK format above 26 kBaud and h = 0.5 (sheet 7.2, LPWAN sheet 22)."""
    for name in ALL:
        expected = "70 07" if name == "UL-B4" else "10 " + RECEIVE[name].split()[8]
        assert shown(of(name, profiles.TX, msk=True), "MDMCFG2 DEVIATN") == expected
        assert shown(of(name, profiles.RX, msk=True)) == RECEIVE[name]


# LPWAN sheet 2: 868.530 + (n - 2) 0.015 MHz, 869.525 + (n - 2) 0.040 MHz; nearest words of 26 MHz / 2^16 and 32 MHz / 2^25
@pytest.mark.parametrize(
    ("name", "hz"),
    (
        ("UL-B1.0", 868500000),
        ("UL-B1.4", 868560000),
        ("UL-B2.1", 868055000),
        ("UL-B3.3", 868195000),
        ("DL-B1.0", 869445000),
        ("DL-B2.4", 869605000),
    ),
)
def test_sub_carriers(name, hz):
    block = of(name, profiles.RX)
    word = block[0x0D] << 16 | block[0x0E] << 8 | block[0x0F]
    assert abs(word * 26e6 / 2**16 - hz) <= 199
    command = sx_profiles.receive(name, direction(name)).frequency
    assert abs(int.from_bytes(command[1:], "big") * 32e6 / 2**25 - hz) <= 0.5


@pytest.mark.parametrize("name", ALL)
def test_sx1262_commands(name):
    made = sx_profiles.receive(name, direction(name))
    assert (hexed(made.frequency), hexed(made.modulation)) == COMMANDS[name]
    assert hexed(made.sync) == "C1 FA 4C 6A 00 00 00 00"
    # 8-bit detector, 32 bits of sync, no address, fixed 255, no CRC, no whitening (sheet 2 and 6.2)
    assert hexed(made.packet) == "8C 00 10 04 20 00 00 FF 01 00"
    chips = bursts(name, 15)[0]
    sender, payload = sx_profiles.send(name, direction(name), chips)
    assert (hexed(sender.frequency), hexed(sender.modulation)) == COMMANDS[name]
    assert hexed(sender.sync) == "55 55 55 55 C1 FA 4C 6A"
    assert hexed(sender.packet) == "8C 00 08 00 40 00 00 {:02X} 01 00".format(len(chips) - 8)
    assert payload == chips[8:]


@pytest.mark.parametrize(
    ("name", "code"), (("UL-B4", "19"), ("UL-B1", "1B"), ("DL-B1", "1F"), ("DL-B4", "0C"))
)
def test_a_crystal_wants_a_wider_filter(name, code):
    assert hexed(sx_profiles.receive(name, direction(name), tcxo=False).modulation).split()[5] == code


def test_offset():
    """Steps of 396.7 and 0.954 Hz."""
    block = cc1101.block(driver(), "DL-B4", "down", -8000, profiles.TX)
    assert block[0x0F] == 0x7A - 20
    base = int.from_bytes(sx_profiles.send("DL-B1", "down", bytes(40))[0].frequency[1:], "big")
    moved = int.from_bytes(sx_profiles.send("DL-B1", "down", bytes(40), -8000)[0].frequency[1:], "big")
    assert base - moved == pytest.approx(8000 / 0.95367, abs=1)


# --- beside the limits ---


def named(rows):
    return {row.quantity.split(",")[0]: row for row in rows}


@pytest.mark.parametrize("name", CC1101_SENDS)
def test_what_a_cc1101_achieves(name):
    rate, deviation, rate_in, deviation_in = CC1101_SENDS[name]
    rows = named(cc1101.achieved(name, direction(name), submodes.TX))
    assert rows["chip rate"].achieved / 1000 == pytest.approx(rate, abs=0.06)
    assert rows["deviation"].achieved == deviation
    assert (rows["chip rate"].inside, rows["deviation"].inside) == (rate_in, deviation_in)
    assert rows["carrier"].inside and rows["BT"].inside
    assert "sent" in cc1101.label(name, direction(name), submodes.TX)


def test_msk_has_the_deviation_and_not_the_filter():
    rows = named(cc1101.achieved("UL-B4", "up", submodes.TX, msk=True))
    assert rows["deviation"].achieved == 31242 and rows["deviation"].inside
    assert not rows["BT"].inside and not rows["chip rate"].inside


@pytest.mark.parametrize("name", SX1262_SENDS)
def test_what_an_sx1262_achieves(name):
    rate, deviation = SX1262_SENDS[name]
    rows = named(sx1262.achieved(name, direction(name), submodes.TX))
    assert rows["chip rate"].achieved / 1000 == pytest.approx(rate, abs=0.05)
    assert rows["deviation"].achieved == deviation
    assert all(row.inside for row in rows.values())
    assert sx1262.label(name, direction(name), submodes.TX) is None


def test_limits_beside():
    """Tables Q.7 and Q.8 as in LPWAN sheet 2."""
    rows = named(sx1262.achieved("UL-B4", "up", submodes.TX))
    assert rows["chip rate"][2:4] == (124996250, 125003750)
    assert rows["deviation"][2:4] == (31200, 31300)
    assert rows["carrier"][2:4] == (868330000, 868370000)
    rows = named(sx1262.achieved("DL-B4", "down", submodes.TX))
    assert rows["chip rate"][2:4] == (23999280, 24000720)
    assert rows["carrier"][2:4] == (869522600, 869527400)


# LPWAN sheet 22: dB by which the narrowest filter is wider than 2 f_dev + rate
@pytest.mark.parametrize(
    ("name", "db", "allowed"),
    (
        ("DL-B1", 11.6, False),
        ("DL-B2", 8.6, False),
        ("DL-B3", 5.6, True),
        ("DL-B4", 1.5, True),
        ("UL-B4", 1.6, True),
    ),
)
def test_filters_of_a_cc1101(name, db, allowed):
    row = cc1101.achieved(name, direction(name), submodes.RX)[0]
    width = submodes.signal_hz(modes.find(name, direction(name)))
    assert 10 * math.log10(row.achieved / width) == pytest.approx(db, abs=0.05)
    assert row.inside == allowed
    assert (cc1101.label(name, direction(name), submodes.RX) is None) == allowed


@pytest.mark.parametrize("name", ALL)
def test_filters_of_an_sx1262(name):
    rows = sx1262.achieved(name, direction(name), submodes.RX)
    assert rows[0].inside
    assert (sx1262.label(name, direction(name), submodes.RX) is None) == (name not in UPLINKS[:3])


# --- refused, or labelled ---


def listen(radio, name):
    from omsnode.firmware.phy.burst.deframer import BurstDeframer

    radio.configure(name, direction(name))
    radio.listen(BurstDeframer(direction(name)), 0)


HEARD = {"cc1101": ("UL-B4", "DL-B3", "DL-B4"), "sx1262": ("UL-B4", *DOWNLINKS)}
SENT = {"cc1101": (), "sx1262": ALL}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kind", ("cc1101", "sx1262"))
def test_refused_or_labelled(kind, name):
    for what, allowed, act in (
        ("heard", HEARD, lambda radio: listen(radio, name)),
        (
            "sent",
            SENT,
            lambda radio: (radio.configure(name, direction(name)), radio.prepare(bursts(name, 15)[0], 0)),
        ),
    ):
        radio = driver(kind)
        if name in allowed[kind]:
            act(radio)
            assert radio.labels == ()
            continue
        with pytest.raises(MisuseError, match="{} {} beyond".format(name, what)) as caught:
            act(radio)
        assert "beyond_limits" in caught.value.hint
        radio = driver(kind, beyond_limits=True)
        act(radio)
        act(radio)
        (label,) = radio.labels
        assert label.startswith("{} {} beyond the limits of Annex Q".format(name, what))


def test_the_label_says_in_what():
    label = cc1101.label("UL-B4", "up", submodes.TX)
    assert "deviation, Hz 31738 (limits 31200 to 31300)" in label
    assert "chip rate, mchip/s 124969482 (limits 124996250 to 125003750)" in label


# LPWAN sheet 22, "largest PHY payload": rates 7/8, 1/2, 1/3
@pytest.mark.parametrize(("name", "largest"), (("UL-B4", (198, 113, 75)), ("DL-B2", (211, 121, 80))))
def test_largest_payload_of_an_sx1262(name, largest):
    assert tuple(n for _, n in sx1262.longest(direction(name))) == largest
    radio = driver("sx1262")
    radio.configure(name, direction(name))
    for kind, most in enumerate(largest):
        radio.prepare(bursts(name, most, kind)[0], 0)
        with pytest.raises(MisuseError) as caught:
            radio.prepare(bursts(name, most + 1, kind)[0], 0)
        for n in largest:
            assert str(n) in caught.value.hint


@pytest.mark.parametrize("kind", ("cc1101", "sx1262"))
@pytest.mark.parametrize("name", ("UL-B5", "UL-B4.1", "UL-B1.5", "DL-B3.0"))
def test_no_such_sub_mode(kind, name):
    with pytest.raises(MisuseError):
        driver(kind).configure(name, direction(name))
    with pytest.raises(MisuseError):
        driver(kind).configure("UL-B4", "down")
