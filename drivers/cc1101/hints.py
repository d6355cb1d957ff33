"""What a person can do about a CC1101 that does not answer."""

NO_ANSWER = (
    "SPI answers {} only: is SPI enabled (raspi-config), is CSN on the chip enable of the HAT row, are MISO and MOSI "
    "swapped, does the module have 3.3 V?"
)
READ_BACK = "shorter leads, or a lower spi_hz in the HAT row; is another program using this SPI device?"
