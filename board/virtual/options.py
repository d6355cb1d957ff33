"""What the datasheet leaves open and what the errata add: one option each, so that a driver can be run against all.

`source` names the section of the CC1101 sheet behind the option. DEFAULTS is the chip that most people have.
"""

from collections import namedtuple

Option = namedtuple("Option", ("name", "default", "choices", "meaning", "source"))

# choices: a tuple of the values to try (a number option accepts any number >= 0; the tuple is what tests walk through).
OPTIONS = (
    Option("version", 0x14, (0x14, 0x04, 0x03, 0x17, 0x00), "VERSION register; 03 and 17 are clones", "1.4"),
    Option("partnum", 0x00, (0x00, 0x80), "PARTNUM register", "3"),
    Option(
        "pktlen_0",
        "256",
        ("256", "end_at_once", "never"),
        "fixed length with PKTLEN = 0: the packet ends after 256 bytes, at once, or never",
        "6.1",
    ),
    Option(
        "pktctrl0_write_ends_packet",
        "never",
        ("never", "rx", "always"),
        "a write to PKTCTRL0 while a packet is received (or also sent) ends the packet",
        "6.1, 13.6 (field report)",
    ),
    Option(
        "duplicate_byte",
        "window",
        ("never", "window", "always"),
        "the last byte of the RX FIFO is read as another arrives: it is delivered twice; 'always': whenever the "
        "FIFO is emptied inside a packet",
        "5.1",
    ),
    Option(
        "corrupt_reads",
        0.1,
        (0.0, 0.1, 1.0),
        "probability that RXBYTES, TXBYTES, MARCSTATE, RSSI or the status byte read wrong if they change during "
        "the read: each changing bit is then old or new at random",
        "5.1",
    ),
    Option("pll_lock_failures", 0, (0, 1, 3), "so many calibrations fail from now on (FSCAL1 = 3F)", "9"),
    Option(
        "odd_calibrations",
        0,
        (0, 1),
        "so many calibrations from now on end far off as if they had locked (not 3F): deaf until the next one",
        "9 (field report on a CC110L, TI e2e 182697)",
    ),
    Option(
        "recalibrate_within_s",
        0,
        (0, 600),
        "the synthesizer drifts out of lock so long after its last calibration; 0 = never",
        "9, 12",
    ),
    Option("overflow_state", True, (True, False), "False: a full RX FIFO loses bytes, but RX goes on", "5"),
    Option("empty_rx_read", "last", ("last", "zero", "random"), "what an empty RX FIFO delivers", "5"),
    Option(
        "tx_off_extra_byte",
        "never",
        ("never", "first_half"),
        "SIDLE in the first half of a byte in infinite mode sends one byte more",
        "11.4",
    ),
    Option(
        "underflow_chips_cut",
        0,
        (0, 1, 4, 8),
        "TX stops so many chips before the end of the last byte at underflow",
        "5 (when the carrier stops exactly is not stated)",
    ),
    Option(
        "rx_without_sync",
        "stream",
        ("stream", "nothing"),
        "SYNC_MODE 0 in RX: bytes from the first chip on, or nothing",
        "6.2",
    ),
    Option(
        "raw_freqest",
        "live",
        ("live", "zero"),
        "FREQEST in SYNC_MODE 0: what the loop stands at just now (between signals anywhere within FOCCFG's limit), or 0",
        "3 (valid after sync; without one not stated)",
    ),
    Option(
        "raw_chip_errors",
        0.0,
        (0.0, 0.002),
        "share of wrong chips that SYNC_MODE 0 adds: FOCCFG and BSCFG keep the loop gains meant for before the sync word",
        "3.1 (what it costs is not stated)",
    ),
    Option(
        "uncompensated_ppm",
        2000,
        (2000, 200),
        "the rate error that the bit synchroniser stands with BSCFG limit 0",
        "3.1 (not stated)",
    ),
    Option(
        "srx_in_rx",
        "ignored",
        ("ignored", "restart"),
        "SRX strobe while in RX",
        "not stated by the datasheet",
    ),
    Option(
        "sidle_calibrates",
        False,
        (False, True),
        "FS_AUTOCAL 2 and 3 also calibrate when SIDLE leaves RX or TX (else only at the end of a packet)",
        "3.1, 4.2",
    ),
    Option("not_ready_miso", 0xFF, (0xFF, 0x00), "SO while CHIP_RDYn is high: bytes are lost", "1.3"),
    Option("ready_us", 150, (40, 150, 800), "crystal start after SLEEP, XOFF, reset", "4.2"),
)
DEFAULTS = {row.name: row.default for row in OPTIONS}


class Settings:
    """Base: attributes named as in ROWS, changeable at any instant."""

    ROWS = ()
    __slots__ = ()

    def __init__(self, **settings):
        for name, value in {**{row.name: row.default for row in self.ROWS}, **settings}.items():
            setattr(self, name, value)  # an unknown name raises AttributeError (slots)
        for row in self.ROWS:
            value = getattr(self, row.name)
            if isinstance(row.default, str) and value not in row.choices:
                raise ValueError("{}: {} is none of {}".format(row.name, value, row.choices))


class Options(Settings):
    """Settings of one CC1101: attributes named as in OPTIONS."""

    ROWS = OPTIONS
    __slots__ = tuple(DEFAULTS)
