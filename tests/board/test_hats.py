import pytest
from omsnode.board import hats
from omsnode.board.virtual import World
from omsnode.firmware.errors import ConfigError

USABLE = hats.names(hats.LINUX, hats.MICROPYTHON, hats.VIRTUAL)
SX1262 = [name for name in USABLE if hats.find(name).chip == "sx1262"]

# Typed from boards sheet 3 and 3.1: chip select (None: CE0), DIO1, BUSY, RESET.
SHEET = {
    "waveshare-lorawan-hat": (21, 16, 20, 18),
    "waveshare-lora-hat-spi": (None, 16, 20, 18),
    "waveshare-pico-adapter": (21, 16, 20, 18),
    "waveshare-core1262-hat": (None, 22, 4, 18),
    "meshadv-pi": (21, 16, 20, 18),
    "meshadv-mini": (None, 16, 20, 24),
    "pimesh-1w-v2": (None, 6, 5, 18),
    "rak6421-rak13300": (None, 22, 24, 16),
    "pico-lora-sx1262": (3, 20, 2, 15),
    "waveshare-rp2040-lora": (13, 16, 18, 23),
    "seeed-wio-sx1262": (41, 39, 40, 42),
}


def test_wiring_of_the_cc1101_rows():
    """Boards sheet 2 and 7."""
    row = hats.find("cc1101-spi0")
    assert (row.spi_bus, row.spi_dev, row.gdo0, row.gdo2, row.crystal_hz) == (0, 0, 24, 25, 26000000)
    assert hats.find("cc1101-spi0-ce1").spi_dev == 1
    pico = hats.find("cc1101-pico")
    assert (pico.sck, pico.mosi, pico.miso, pico.cs, pico.gdo0, pico.gdo2) == (18, 19, 16, 17, 20, 21)
    assert hats.find("virtual").platform == hats.VIRTUAL


@pytest.mark.parametrize("name", SHEET)
def test_wiring_of_the_sx1262_rows(name):
    row = hats.find(name)
    assert (row.cs, row.dio1, row.busy, row.reset) == SHEET[name]
    assert row.crystal_hz == 32000000


def test_what_switches_the_antenna():
    """Boards sheet 3: TXEN 13 and RXEN 12; RXEN 12 with TX by DIO2; RX enable GPIO38; enables on 12, 13 and 26."""
    row = hats.find("meshadv-pi")
    assert (row.txen, row.rxen, row.dio2_rf_switch) == (13, 12, False)
    row = hats.find("meshadv-mini")
    assert (row.txen, row.rxen, row.dio2_rf_switch) == (None, 12, True)
    assert hats.find("seeed-wio-sx1262").rxen == 38
    assert hats.find("rak6421-rak13300").en_high == (12, 13)
    assert hats.find("pimesh-1w-v2").en_high == (26,)


@pytest.mark.parametrize("name", USABLE)
def test_every_row_can_be_driven(name):
    row = hats.find(name)
    assert row.remark and "|" not in row.remark
    needed = {"cc1101": ("gdo0", "gdo2"), "sx1262": ("dio1", "busy", "reset", "tcxo_mv", "dio2_rf_switch")}
    assert not [field for field in needed[row.chip] if getattr(row, field) is None]
    assert row.platform != hats.MICROPYTHON or None not in (row.sck, row.mosi, row.miso, row.cs)
    pins = [row.gdo0, row.gdo2, row.dio1, row.busy, row.reset, row.txen, row.rxen, row.cs]
    used = [pin for pin in pins + list(row.en_high or ()) if pin is not None]
    if row.platform == hats.LINUX:
        assert all(2 <= pin <= 27 for pin in used)
        used += [9, 10, 11] + [8] * (row.cs is None)  # SPI0 of the header (boards sheet 1)
    assert len(set(used)) == len(used)


def test_spi_is_never_faster_than_the_chip_allows():
    """CC1101 bursts 6.5 MHz (SWRS061 table 22), SX1262 16 MHz, 8 on wires (boards sheet 4)."""
    assert all(hats.find(name).spi_hz <= 6500000 for name in USABLE if hats.find(name).chip == "cc1101")
    assert all(hats.find(name).spi_hz <= 8000000 for name in SX1262)


def test_two_modules_can_be_used_at_once():
    one, other = hats.find("cc1101-spi0"), hats.find("cc1101-spi0-second")
    assert one.spi_dev != other.spi_dev
    assert not {one.gdo0, one.gdo2} & {other.gdo0, other.gdo2}


@pytest.mark.parametrize("name", [name for name in SX1262 if name not in ("e22-spi0",)])
def test_rows_fit_the_virtual_boards(name):
    """The virtual boards were typed from the sheet by someone else: oscillator, amplifier, lines of the RF switch."""
    row, board = hats.find(name), World().add_board(hat=name)
    lines = {line for line in ("txen", "rxen") if line in board.pins}
    told = {line for line in ("txen", "rxen") if getattr(row, line) is not None and line not in row.unsure}
    assert told == lines
    assert (row.tcxo_mv or None) == board.chip.tcxo_mv or "tcxo_mv" in row.unsure
    assert (row.pa_gain_db or 0) == board.chip.pa_gain_db


def test_what_is_not_known_is_marked_and_can_be_chosen():
    row = hats.find("waveshare-lorawan-hat")
    assert (row.tcxo_mv, row.en_high, row.unsure) == (0, None, ("tcxo_mv", "en_high"))
    row = hats.find("waveshare-lorawan-hat,tcxo_mv=1800,en_high=6")
    assert (row.tcxo_mv, row.en_high, row.unsure) == (1800, (6,), ())
    row = hats.find("meshadv-pi,txen=none,dio2_rf_switch=1,dcdc=0,crystal_trim=18,pa_gain_db=-3")
    assert (row.txen, row.dio2_rf_switch, row.dcdc, row.crystal_trim) == (None, True, False, 18)
    assert row.pa_gain_db == -3
    assert row.name.startswith("meshadv-pi,")


@pytest.mark.parametrize(
    "change",
    ["tcxo=1800", "", "tcxo_mv=5000", "tcxo_mv=", "tcxo_mv", "dio1=99", "dio1=-1", "dio1=x", "en_high=6+"]
    + ["dcdc=2", "spi_hz=0", "spi_bus=-1", "name=x", "remark=x", "dio1=16=17"],
)
def test_a_change_that_is_none_is_refused(change):
    with pytest.raises(ConfigError):
        hats.find("meshadv-pi," + (change or ","))


def test_unknown_hat_names_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        hats.find("lora-hat")
    assert "cc1101-spi0" in caught.value.hint and "waveshare-lora-hat " not in caught.value.hint


def test_the_hat_that_is_no_radio_is_refused_by_name():
    """Boards sheet 3 and 8.1: the most bought wrong product."""
    with pytest.raises(ConfigError) as caught:
        hats.find("waveshare-lora-hat")
    assert "UART" in caught.value.hint and "waveshare-lora-hat-spi" in caught.value.hint
