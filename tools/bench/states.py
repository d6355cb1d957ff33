"""How long a radio chip is in which state, seen from its SPI: commands, and the times that the sheets give for what follows.

Between driver and SPI it works on any board, real ones too, and the driver does not know of it.
"""

_CALIBRATION_US = 735  # CC1101 sheet 4.2
_SETTLING_US = 75
_SETTLING_CALIBRATED_US = 799
_SX1262_CALIBRATION_US = 3500  # SX1262 sheet 1.1
_SX1262_TO_RX_US = 62
_SX1262_TO_TX_US = 105


class Tally:
    """An SPI. spi: the one behind it. now_us: the board's clock. chip: "cc1101" or "sx1262".

    times: {state: microseconds}, as far as `settle` was called. States: sleep, standby, oscillator (SX1262: the crystal
    runs; CC1101: IDLE), synthesizer, rx, tx."""

    def __init__(self, spi, now_us, chip):
        self._spi = spi
        self._now_us = now_us
        self._read, self.rest = _CHIPS[chip]
        self._chip = {"autocal": False, "tcxo_us": 0}
        self.times = {}
        self._at_us = now_us()
        self._plan = [(self.rest, None)]

    def transfer(self, tx, rx):
        if self._plan[0][0] == "sleep":
            self._go(self._now_us(), [(self.rest, None)])  # chip select wakes it
        self._spi.transfer(tx, rx)
        for plan in self._read(tx, self._chip, self._plan[-1][0]):
            self._go(self._now_us(), plan)

    def ended(self, end_us):
        """A transmission ended by itself, perhaps a while ago."""
        now_us = self._now_us()
        self.settle(now_us)
        after = "oscillator"
        if self._plan[0][0] == "tx":
            self._plan = [(after, None)]
        elif self._plan[0][0] == "sleep":
            return
        late_us = min(now_us - end_us, self.times.get("tx", 0))
        if late_us > 0:
            self._add("tx", -late_us)
            self._add(after, late_us)

    def settle(self, now_us):
        """Count up to this instant."""
        while True:
            state, left_us = self._plan[0]
            gone_us = now_us - self._at_us
            if left_us is None or gone_us < left_us:
                self._add(state, gone_us)
                if left_us is not None:
                    self._plan[0] = (state, left_us - gone_us)
                self._at_us = now_us
                return
            self._add(state, left_us)
            self._at_us += left_us
            del self._plan[0]

    def _add(self, state, us):
        self.times[state] = self.times.get(state, 0) + us

    def _go(self, now_us, plan):
        self.settle(now_us)
        self._plan = list(plan)


def _cc1101(tx, chip, state):
    """What the strobes of one chip-select period make of it (CC1101 sheet 1.1, 2): lists of (state, us or None)."""
    at = 0
    while at < len(tx):
        header = tx[at]
        address, burst, read = header & 0x3F, header & 0x40, header & 0x80
        if 0x30 <= address < 0x3E and not burst:
            at += 1
            plan = _strobe(address, chip)
            if plan:
                yield plan
            continue
        if burst and not read and address == 0 and len(tx) > at + 1 + _MCSM0:
            chip["autocal"] = tx[at + 1 + _MCSM0] & 0x30 == 0x10
        if burst and not 0x30 <= address < 0x3E:
            return
        if address == _MCSM0 and not read and at + 1 < len(tx):
            chip["autocal"] = tx[at + 1] & 0x30 == 0x10
        at += 2


_MCSM0 = 0x18


def _strobe(address, chip):
    if address in (0x34, 0x35):  # SRX, STX
        settling_us = _SETTLING_CALIBRATED_US if chip["autocal"] else _SETTLING_US
        return [("synthesizer", settling_us), ("rx" if address == 0x34 else "tx", None)]
    return {
        0x30: [("oscillator", None)],  # SRES
        0x33: [("synthesizer", _CALIBRATION_US), ("oscillator", None)],  # SCAL
        0x36: [("oscillator", None)],  # SIDLE
        0x39: [("sleep", None)],  # SPWD
    }.get(address)


def _sx1262(tx, chip, state):
    """The same of one command (SX1262 sheet 1.1, 2). state: what it was."""
    plans: dict[int, list] = {
        0x84: [("sleep", None)],
        0xC1: [("synthesizer", None)],
        0x82: [("synthesizer", _SX1262_TO_RX_US), ("rx", None)],
        0x83: [("synthesizer", _SX1262_TO_TX_US), ("tx", None)],
        0x89: [("synthesizer", _SX1262_CALIBRATION_US), ("standby", None)],
        0x98: [("synthesizer", _SX1262_CALIBRATION_US), ("standby", None)],
    }
    plan = plans.get(tx[0])
    if plan and tx[0] != 0x84 and state == "standby" and chip["tcxo_us"]:
        plan = [("oscillator", chip["tcxo_us"]), *plan]  # a TCXO has to start
    if tx[0] == 0x97:
        chip["tcxo_us"] = int.from_bytes(tx[2:5], "big") * 125 // 8
    if tx[0] == 0x80 and len(tx) > 1:
        plan = [("oscillator" if tx[1] & 1 else "standby", None)]
    if plan:
        yield plan


_CHIPS = {"cc1101": (_cc1101, "oscillator"), "sx1262": (_sx1262, "standby")}
