"""One row per radio module and its wiring: which SPI, which pins, which oscillator, what switches the antenna.

A row is text, `field=value`, and whatever it says can be said differently where a HAT is named:
`meshadv-pi,tcxo_mv=0` is that board with a crystal. A question mark behind a value: the sources do not settle it, so it is
the first to try differently (`unsure` has the names). Sources: boards sheet 2, 3, 3.1 and 7; in brackets those of its
source key, and its confidence.
"""

from collections import namedtuple

from omsnode.firmware.errors import ConfigError

LINUX = "linux"
MICROPYTHON = "micropython"
VIRTUAL = "virtual"
NONE = "none"  # cannot be used at all; the remark says why

# Lines between host and radio, by what the host does with them.
EDGES = ("gdo0", "gdo2", "dio1")  # inputs, waited for
LEVELS = ("busy",)  # inputs, only looked at
OUTPUTS = (("reset", 1), ("txen", 0), ("rxen", 0))  # and their level until a driver says otherwise

_PINS = EDGES + LEVELS + ("reset", "txen", "rxen", "sck", "mosi", "miso", "cs")
_NUMBERS = (
    "spi_bus",
    "spi_dev",  # chip enable: 0 is CE0; None where a pin does it
    "spi_hz",
    "crystal_hz",
    "tcxo_mv",  # supply of a TCXO on DIO3; 0: a crystal
    "tcxo_delay_us",
    "crystal_trim",
    "pa_gain_db",  # of an amplifier behind the chip
)
_FLAGS = (
    "dio2_rf_switch",
    "dcdc",
)  # DIO2 switches the antenna; the module has the inductor of the DC-DC converter
_LISTS = ("en_high",)  # outputs that stay high, as 12+13
FIELDS = (
    _PINS + _NUMBERS + _FLAGS + _LISTS
)  # all None where a row does not say; pins are GPIO numbers, not header pins

# On Linux `cs` is a GPIO that the kernel drives as CE0: the overlay spi0-1cs,cs0_pin=.. (boards sheet 3).
Hat = namedtuple("Hat", ("name", "platform", "chip") + FIELDS + ("unsure", "remark"))

TCXO_MV = (0, 1600, 1700, 1800, 2200, 2400, 2700, 3000, 3300)

# CC1101: burst access without gaps never above 6.5 MHz (SWRS061 table 22).
_DEFAULTS = {
    "cc1101": "crystal_hz=26000000 spi_hz=5000000",
    "sx1262": "crystal_hz=32000000 spi_hz=8000000",
    "": "",
}

_ROWS = """
cc1101-spi0 linux cc1101 spi_bus=0 spi_dev=0 gdo0=24 gdo2=25 | any 868 MHz CC1101 module with 26 MHz: CSN on CE0 (pin 24), GDO0 on pin 18, GDO2 on pin 22 [PYCC, H]
cc1101-spi0-ce1 linux cc1101 spi_bus=0 spi_dev=1 gdo0=24 gdo2=25 | the same with CSN on CE1 (pin 26) [PYCC, H]
cc1101-spi0-second linux cc1101 spi_bus=0 spi_dev=1 gdo0=22 gdo2=23 | a second module beside cc1101-spi0: CSN on CE1 (pin 26), GDO0 on pin 15, GDO2 on pin 16 [free pins of boards sheet 1, H]
cc1101-pico micropython cc1101 spi_bus=0 sck=18 mosi=19 miso=16 cs=17 gdo0=20 gdo2=21 | SPI0 of a Pico: SCK GP18, MOSI GP19, MISO GP16, CSN GP17, GDO0 GP20, GDO2 GP21 [boards sheet 7]
waveshare-lorawan-hat linux sx1262 spi_bus=0 spi_dev=0 cs=21 dio1=16 busy=20 reset=18 dio2_rf_switch=1 tcxo_mv=0? en_high=none? | Waveshare SX1262 868M LoRaWAN/GNSS HAT (SPI): crystal as far as known, else tcxo_mv=1800; what GPIO6 (DIO4, ANT_SW) does is not known, try en_high=6 if it is deaf [MESH + LPF + OHOP: CS, DIO1, reset H, the rest M]
waveshare-lora-hat none - | Waveshare SX1262 868M LoRa HAT without WAN in its name: a UART module with a private protocol, no wM-Bus; its SPI pads can be wired to the header (waveshare-lora-hat-spi) [Waveshare wiki, H]
waveshare-lora-hat-spi linux sx1262 spi_bus=0 spi_dev=0 dio1=16 busy=20 reset=18 dio2_rf_switch=1? tcxo_mv=0? | the LoRa HAT (UART) with the SPI pads of its module wired to CE0, BUSY GPIO20, DIO1 GPIO16, RESET GPIO18; oscillator and RF switch not known: tcxo_mv=1800, txen=.. rxen=.. [OHOP issue 125, M]
waveshare-pico-adapter linux sx1262 spi_bus=0 spi_dev=0 cs=21 dio1=16 busy=20 reset=18 dio2_rf_switch=1 tcxo_mv=1800? | Waveshare Pico-LoRa-SX1262 on a Pi adapter [MESH, M; voltage reported as 1.7 to 1.8]
waveshare-core1262-hat linux sx1262 spi_bus=0 spi_dev=0 dio1=22 busy=4 reset=18 dio2_rf_switch=1 tcxo_mv=1800 | Waveshare Core1262 starter HAT [MESH, M]
meshadv-pi linux sx1262 spi_bus=0 spi_dev=0 cs=21 dio1=16 busy=20 reset=18 txen=13 rxen=12 dio2_rf_switch=0 tcxo_mv=1800 pa_gain_db=8? | MeshAdv-Pi with E22-900M30S (1 W): 5 V must carry it; the gain is 30 less the chip's 22 dBm [MESH, M]
meshadv-mini linux sx1262 spi_bus=0 spi_dev=0 dio1=16 busy=20 reset=24 rxen=12 dio2_rf_switch=1 tcxo_mv=1800 | MeshAdv-Mini with E22-900M22S: RXEN by the host, TXEN by DIO2 [MESH, M]
pimesh-1w-v2 linux sx1262 spi_bus=0 spi_dev=0 dio1=6 busy=5 reset=18 dio2_rf_switch=1 tcxo_mv=1800? pa_gain_db=8? en_high=26 | PiMesh-1W v2 (E22P): GPIO26 high enables the path of the amplifier [MESH + OHOP 106, M]
rak6421-rak13300 linux sx1262 spi_bus=0 spi_dev=0 dio1=22 busy=24 reset=16 dio2_rf_switch=1 tcxo_mv=1800 en_high=12+13 | RAK6421 HAT with a RAK13300 in slot 1: GPIO12 and 13 enable it [MESH, M]
sx1262-spi0 linux sx1262 spi_bus=0 spi_dev=0 dio1=24 busy=23 reset=22 dio2_rf_switch=1? tcxo_mv=1800? | a module on wires: NSS on CE0 (pin 24), DIO1 on pin 18, BUSY on pin 16, NRESET on pin 15; oscillator and switch as the module has them [LRF, M]
e22-spi0 linux sx1262 spi_bus=0 spi_dev=0 dio1=24 busy=23 reset=22 txen=5? rxen=6 dio2_rf_switch=0? tcxo_mv=1800 | an Ebyte E22-900M22S on wires: as sx1262-spi0, TXEN on pin 29, RXEN on pin 31; with TXEN tied to DIO2 on the board: txen=none,dio2_rf_switch=1 [LRF + boards sheet 3, M]
pico-lora-sx1262 micropython sx1262 spi_bus=1 sck=10 mosi=11 miso=12 cs=3 busy=2 reset=15 dio1=20 dio2_rf_switch=1 tcxo_mv=1800? | Waveshare Pico-LoRa-SX1262 on a Pi Pico or Pico 2 [MPX + MESH, H; voltage M: 1.7 to 1.8 reported]
waveshare-rp2040-lora micropython sx1262 spi_bus=1 sck=14 mosi=15 miso=24 cs=13 dio1=16 reset=23 busy=18 rxen=17? dio2_rf_switch=1 tcxo_mv=0 | Waveshare RP2040-LoRa, a crystal; GPIO17 is the complement of DIO2 at the RF switch [MPX 26, M; GPIO17 and DIO2 MESH, M]
seeed-wio-sx1262 micropython sx1262 spi_bus=1 sck=7 mosi=9 miso=8 cs=41 dio1=39 busy=40 reset=42 rxen=38 dio2_rf_switch=1 tcxo_mv=1800? | Seeed Wio-SX1262 on a XIAO ESP32-S3: RXEN on GPIO38, TX by DIO2 [ESPH 433 + MESH, M; 3.0 V is in use as well]
virtual virtual cc1101 spi_bus=0 spi_dev=0 gdo0=24 gdo2=25 | the board with nothing attached
sx1262-virtual virtual sx1262 spi_bus=0 spi_dev=0 dio1=24 busy=23 reset=22 dio2_rf_switch=1 tcxo_mv=1800 | another one, with an SX1262
"""


def names(*platforms):
    """The names of the rows of these platforms (none given: of all), in the order of the table."""
    found = []
    for line in _ROWS.strip().split("\n"):
        words = line.split(" ", 2)
        if not platforms or words[1] in platforms:
            found.append(words[0])
    return found


def find(name):
    """The row of a HAT. name: as in the table, changes behind it: "meshadv-pi,tcxo_mv=0,en_high=6".

    ConfigError if there is no such row (the hint has the known names), if it can only be refused, or a change is none."""
    wanted, _, changes = name.partition(",")
    for line in _ROWS.strip().split("\n"):
        facts, _, remark = line.partition(" | ")
        words = facts.split()
        if words[0] == wanted:
            break
    else:
        known = " ".join(names(LINUX, MICROPYTHON, VIRTUAL))
        raise ConfigError("no HAT {}".format(wanted), hint="known: {} (board/hats.py)".format(known))
    if words[1] == NONE:
        raise ConfigError("{} cannot be used".format(wanted), hint=remark)
    values = {}
    unsure = []
    for word in _DEFAULTS[words[2]].split() + words[3:]:
        field, _, text = word.partition("=")
        if text.endswith("?"):
            text = text[:-1]
            unsure.append(field)
        values[field] = _value(field, text)
    for word in changes.split(",") if changes else ():
        field, _, text = word.strip().partition("=")
        if field not in FIELDS:
            raise ConfigError(
                "{} is nothing that a HAT has".format(field or "a comma"), hint="known: " + " ".join(FIELDS)
            )
        values[field] = _value(field, text)
        if field in unsure:
            unsure.remove(field)
    return Hat(name, words[1], words[2], *[values.get(field) for field in FIELDS], tuple(unsure), remark)


def _value(field, text):
    if text == "none":
        return None
    try:
        if field in _LISTS:
            return tuple([_pin(part) for part in text.split("+")])
        if field in _PINS:
            return _pin(text)
        number = int(text)
    except ValueError:
        raise ConfigError("{}={} is no {}".format(field, text, "number" if field in _NUMBERS else "GPIO"))
    if field in _FLAGS and number not in (0, 1):
        raise ConfigError("{}={}".format(field, text), hint="0 or 1")
    if field == "tcxo_mv" and number not in TCXO_MV:
        raise ConfigError(
            "tcxo_mv={}".format(text), hint="0 for a crystal, or " + " ".join([str(mv) for mv in TCXO_MV[1:]])
        )
    if number < 0 and field != "pa_gain_db" or number == 0 and field in ("spi_hz", "crystal_hz"):
        raise ConfigError("{}={} makes no sense".format(field, text))
    return number == 1 if field in _FLAGS else number


def _pin(text):
    number = int(text)
    if not 0 <= number <= 63:
        raise ValueError(text)
    return number
