import pytest
from omsnode.board import hats
from omsnode.firmware.errors import ConfigError


def test_wiring_of_the_rows():
    """Boards sheet 2 and 7."""
    row = hats.find("cc1101-spi0")
    assert (row.spi_bus, row.spi_dev, row.gdo0, row.gdo2, row.crystal_hz) == (0, 0, 24, 25, 26000000)
    assert hats.find("cc1101-spi0-ce1").spi_dev == 1
    pico = hats.find("cc1101-pico")
    assert (pico.sck, pico.mosi, pico.miso, pico.cs, pico.gdo0, pico.gdo2) == (18, 19, 16, 17, 20, 21)
    assert hats.find("virtual").platform == hats.VIRTUAL


def test_spi_is_never_faster_than_burst_access_allows():
    assert all(row.spi_hz <= 6500000 for row in hats.HATS if row.chip == "cc1101")


def test_unknown_hat_names_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        hats.find("lora-hat")
    assert "cc1101-spi0" in caught.value.hint
