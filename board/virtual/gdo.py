"""Signals of the GDO pins (datasheet table 41, sheet section 8). Each function: chip -> 0/1."""

from . import registers as R

CLOCK_DIVIDER = (1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192)  # codes 30..3F


def _pa_pd(chip):
    return int(chip.marc not in (R.TX, R.TX_END, R.SLEEP))


def _lna_pd(chip):
    return int(chip.marc not in (R.RX, R.RX_END, R.SLEEP))


SIGNALS = {
    0x00: lambda chip: int(len(chip.rx_fifo) >= chip.rx_threshold),
    0x01: lambda chip: chip.rx_waiting,
    0x02: lambda chip: int(len(chip.tx_fifo) >= chip.tx_threshold),
    0x03: lambda chip: chip.tx_full,
    0x04: lambda chip: chip.rx_overflow,
    0x05: lambda chip: chip.tx_underflow,
    0x06: lambda chip: chip.in_packet,
    0x07: lambda chip: chip.crc_ok_unread,
    0x08: lambda chip: chip.receiver.pqt_reached,
    0x09: lambda chip: chip.clear_channel(),
    0x0A: lambda chip: int(chip.locked()),
    0x0E: lambda chip: chip.receiver.carrier_sense,
    0x0F: lambda chip: chip.crc_ok,
    0x1B: _pa_pd,
    0x1C: _lna_pd,
    0x29: lambda chip: int(not chip.ready),
    0x2B: lambda chip: int(chip.ready),
}


def outputs(chip):
    """What the present IOCFGx make of the pins: [(pin, signal, level to invert with)]. A pin with a clock is set going
    and left out. Codes not served (serial data and clocks, WOR) and high impedance read 0."""
    rows = []
    for pin, address in chip.pins:
        setting = chip.registers[address]
        code = setting & 0x3F
        if code >= 0x30 and chip.ready:
            pin.drive_clock(CLOCK_DIVIDER[code - 0x30] * 0.5e9 / chip.xosc_hz, chip.world.now_ns)
            continue
        pin.stop_clock()
        rows.append((pin, SIGNALS.get(code, _low), 1 if setting & 0x40 and code != 0x2E else 0))
    return rows


def _low(chip):
    return 0
