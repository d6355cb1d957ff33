"""What the SX1262 sheet leaves open and what field reports add: one option each, so that a driver runs against all.

`source` names the section of the SX1262 sheet behind the option (boards: the sheet of the boards).
"""

from ..options import Option, Settings

OPTIONS = (
    # --- SPI, BUSY, status ---
    Option("busy_rise_ns", 600, (0, 600), "BUSY rises so long after chip select", "1"),
    Option("command_us", 5, (1, 5, 105), "BUSY time of an ordinary command", "1.1"),
    Option(
        "busy_command",
        "ignored",
        ("ignored", "garbled"),
        "a command sent while BUSY is high is lost, or carried out with one wrong bit",
        "9.1",
    ),
    Option("busy_miso", 0x00, (0x00, 0xFF), "what a busy, sleeping or resetting chip answers", "1.2"),
    Option("status_reserved", 1, (1, 0), "bit 7 of the status byte", "1.2"),
    Option("status_idle", 1, (1, 0), "command status while there is nothing to report", "1.2 (A2)"),
    Option("unknown_opcode_status", 4, (4, 5), "command status after an unknown opcode", "9.2"),
    Option(
        "wrong_mode",
        "refused",
        ("refused", "performed"),
        "a command in a mode that does not allow it: execution failure, or it just works",
        "9.2",
    ),
    # --- reset and start ---
    Option("cold_start_us", 3500, (3500, 9000), "NRESET or cold sleep to STDBY_RC", "1, 4.1 (wait <= 10 ms)"),
    Option("short_reset", "ignored", ("ignored", "resets"), "NRESET low for less than 100 us", "1"),
    Option("refused_after_reset", 0, (0, 1, 3), "so many commands after a reset are refused", "1 (RLIB)"),
    Option("calibrate_us", 3500, (3500, 18000), "Calibrate(7F)", "1.1 (18 ms seen with TCXO)"),
    Option(
        "calibrate_image_bit",
        "902-928",
        ("902-928", "last"),
        "Calibrate with bit 6: for the power-on band, or for the band of the last CalibrateImage",
        "4.3",
    ),
    Option("packet_type_reset", 0, (0, 1), "packet type after reset: 0 GFSK, 1 LoRa", "2 (not stated)"),
    Option("tx_base_reset", 0x00, (0x00, 0x80), "TX base address after reset", "2, 10"),
    # --- oscillator ---
    Option("tcxo_start_us", 800, (300, 800, 4000), "a TCXO needs so long", "4.2 (1 and 5 ms in use)"),
    Option("tcxo_overvoltage", "works", ("works", "fails"), "DIO3 above the TCXO's voltage", "boards 3"),
    Option(
        "no_clock",
        "silent",
        ("silent", "hang", "refused"),
        "RX or TX without 32 MHz: the mode is entered but nothing happens, BUSY stays high, or execution failure",
        "4.2",
    ),
    Option("pll_lock_failures", 0, (0, 1, 3), "so many mode changes from now on end with PLL_LOCK", "9.10"),
    Option("pa_ramp_failures", 0, (0, 1), "so many SetTx from now on end with PA_RAMP", "2"),
    Option(
        "uncalibrated_pll",
        "fails",
        ("fails", "works"),
        "a TCXO that was set up after the chip had calibrated itself in vain, and no Calibrate since: the synthesizer "
        "does not lock, or it does",
        "4.3 (mandatory), but KUS and ports of RLIB are in use without",
    ),
    Option(
        "image_loss_db",
        6,
        (0, 6, 20),
        "sensitivity lost without image calibration for the band",
        "4.3 (mandatory; figure not stated)",
    ),
    Option(
        "timeout_mode", "standby_rc", ("standby_rc", "fallback"), "mode after a timeout", "2 (not stated)"
    ),
    # --- reception ---
    Option("sync_errors_allowed", 0, (0, 1, 2), "wrong bits in a sync word that are let pass", "5, 10"),
    Option(
        "rate_limit",
        0.065,
        (0.02, 0.065, 0.12),
        "the bit synchroniser follows so much",
        "6.1, 10 (6.5 %: SX1231)",
    ),
    Option(
        "afc_fraction", 0.25, (0.0, 0.25, 0.5), "carrier offset followed, as a part of the bandwidth", "5, 10"
    ),
    Option("boost_db", 2, (0, 2), "sensitivity lost in the power saving RX gain", "3 (08AC)"),
    Option("gain_lost_by_packet_type", False, (False, True), "SetPacketType resets 08AC", "10"),
    Option(
        "rx_base",
        "programmed",
        ("programmed", "kept", "pointer"),
        "where SetRx begins: at the base of "
        "SetBufferBaseAddress, at the end of the last packet, or where the write pointer stood",
        "7.2",
    ),  # fmt: skip
    Option(
        "stop_reload",
        "never",
        ("never", "set_rx", "packet"),
        "06BB goes back to the payload length of SetPacketParams: never, with SetRx, or with each packet too",
        "7.2 (not stated)",
    ),
    Option(
        "stop_behind",
        "next_lap",
        ("next_lap", "at_once"),
        "06BB rewritten with just the pointer: reception goes round the ring once more, or ends at once",
        "10",
    ),
    Option(
        "stop_lead_bytes",
        0,
        (0, 2, 8),
        "06BB must be written so many bytes before the pointer gets there, else it is missed for one lap",
        "7.2 (well before)",
    ),
    Option(
        "packet_status_in_standby", "kept", ("kept", "zero"), "GetPacketStatus after RX was left", "7.2 (KUS)"
    ),
    Option("cfo_register", "estimate", ("estimate", "zero"), "06B0 after a sync word", "3 (low confidence)"),
    Option(
        "timer_survives_rxdone",
        False,
        (False, True),
        "the timer of a timed RX runs on after RxDone and ends a later RX (chapter 15.3)",
        "3.1",
    ),
    Option(
        "getstatus_upsets_rx",
        False,
        (False, True),
        "GetStatus as the first command after SetRx throws the chip into TX",
        "1.2 (MPY), 9.10",
    ),
    # --- transmission ---
    Option("preamble_polarity", 0x55, (0x55, 0xAA), "the preamble begins with 0 (55) or 1 (AA)", "5, 9.8"),
    Option(
        "payload_latched",
        True,
        (True, False),
        "payload length fixed with SetTx; False: 06BB is looked at while sending",
        "7.3, 9.8",
    ),
    Option(
        "ramp_counts",
        True,
        (True, False),
        "the PA ramp comes on top of the transition time",
        "1.1 (not stated)",
    ),
    Option(
        "poor_modulation",
        0.01,
        (0.0, 0.01),
        "share of wrong chips on air while bit 2 of 0889 is 0 (chapter 15.1)",
        "3.1",
    ),
    Option(
        "mismatch_loss_db",
        0,
        (0, 5),
        "power lost at a mismatched antenna while 08D8 is not set (chapter 15.2)",
        "3.1",
    ),
    # --- sleep ---
    Option(
        "warm_keeps_packet_registers",
        True,
        (True, False),
        "06AC..06D1 (sync word!) survive warm sleep",
        "9.6 (not stated)",
    ),
    # --- board ---
    Option(
        "rf_switch_loss_db",
        200,
        (20, 40, 200),
        "loss of a wrongly set RF switch (200: no connection)",
        "boards 3, 8.5",
    ),
    Option(
        "rf_switch_both",
        "nothing",
        ("nothing", "works"),
        "TXEN and RXEN both high: no connection, or it works",
        "boards 3 (undefined)",
    ),
)


class Options(Settings):
    """Settings of one SX1262: attributes named as in OPTIONS, changeable at any instant."""

    ROWS = OPTIONS
    __slots__ = tuple(row.name for row in OPTIONS)
