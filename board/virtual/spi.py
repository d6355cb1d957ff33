"""The SPI slave of the CC1101: header byte, data bytes, status byte (sheet section 1)."""

from . import registers as R

_MARCSTATE, _PKTSTATUS = R.STATUS_ADDRESS["MARCSTATE"], R.STATUS_ADDRESS["PKTSTATUS"]
_CHANGING = (_MARCSTATE, R.STATUS_ADDRESS["RSSI"], R.STATUS_ADDRESS["TXBYTES"], R.STATUS_ADDRESS["RXBYTES"])

# What the next byte on SI is.
HEADER, DISCARD = "header", "discard"
WRITE, READ, STATUS = "write", "read", "status"
PATABLE_WRITE, PATABLE_READ = "patable write", "patable read"
TX_FIFO, RX_FIFO = "tx fifo", "rx fifo"


class SpiSlave:
    """One chip's side of the bus. Bytes are exchanged in two phases: what SO shows is sampled as the byte begins, what
    the byte does happens as it ends; the world moves on in between."""

    def __init__(self, chip):
        self.chip = chip
        self.expect = HEADER
        self.burst = False
        self.address = 0
        self.pa_index = 0

    def select(self):
        self.expect = HEADER
        self.pa_index = 0
        self.chip.wake()

    def deselect(self):
        self.expect = HEADER
        self.chip.deselected()

    def exchange(self, value, byte_ns):
        """One byte: returns what SO showed."""
        chip = self.chip
        world = chip.world
        if not chip.ready or self.expect is DISCARD:  # CHIP_RDYn high: the byte is lost
            world.advance(world.now_ns + byte_ns)
            return chip.options.not_ready_miso if not chip.ready else 0
        expect = self.expect
        shown = self._sample(expect, value)
        alone = expect is RX_FIFO and len(chip.rx_fifo) == 1
        world.advance(world.now_ns + byte_ns)
        if not chip.ready:  # a brown-out hit in the middle of the byte
            return shown
        if chip.options.corrupt_reads and (
            expect in (HEADER, WRITE, PATABLE_WRITE, TX_FIFO)
            or (expect is STATUS and self.address in _CHANGING)
        ):
            shown = self._smear(shown, self._sample(expect, value))
        if expect is HEADER:
            self._header(value)
        elif expect is RX_FIFO:
            self._pop(alone)
        else:
            self._data(expect, value)
        return shown

    def exchange_all(self, data, byte_ns):
        """All bytes of one chip-select period: returns what SO showed."""
        shown = bytearray()
        size = len(data)
        while len(shown) < size:
            if self.burst and (self.expect is RX_FIFO or self.expect is TX_FIFO):
                self._fifo_run(data, shown, byte_ns)
                if len(shown) == size:
                    break
            shown.append(self.exchange(data[len(shown)], byte_ns))
        return shown

    def _fifo_run(self, data, shown, byte_ns):
        """FIFO bytes that pass before the next event of the world: the same as `exchange`, only cheaper."""
        chip = self.chip
        world = chip.world
        now = world.now_ns
        run = min(len(data) - len(shown), (world.horizon_ns() - now - 1) // byte_ns)
        if self.expect is RX_FIFO:
            fifo = chip.rx_fifo
            for _ in range(min(run, len(fifo) - 1)):
                now += byte_ns
                shown.append(fifo[0])
                world.now_ns = now
                chip.pop_rx()
        else:
            fifo = chip.tx_fifo
            for _ in range(min(run, R.FIFO_BYTES - len(fifo))):
                now += byte_ns
                shown.append(chip.status_byte(0))
                world.now_ns = now
                chip.push_tx(data[len(shown) - 1])

    def _sample(self, expect, value):
        chip = self.chip
        if expect is HEADER:
            return chip.status_byte(value & 0x80)
        if expect is READ:
            return chip.registers[self.address] if self.address < 0x2F else 0
        if expect is STATUS:
            return chip.status_register(self.address)
        if expect is RX_FIFO:
            return chip.rx_fifo[0] if chip.rx_fifo else chip.empty_read()
        if expect is PATABLE_READ:
            return chip.patable[self.pa_index]
        return chip.status_byte(0)

    def _smear(self, before, after):
        chip = self.chip
        if before != after and chip.rng.random() < chip.options.corrupt_reads:
            mask = chip.rng.getrandbits(8)
            return before & ~mask | after & mask
        return before

    def _header(self, value):
        self.burst = bool(value & 0x40)
        self.address = address = value & 0x3F
        read = bool(value & 0x80)
        if address < 0x30:
            self.expect = READ if read else WRITE
        elif address < 0x3E:
            if not self.burst:
                self.chip.strobe(address)
            elif read:
                self.expect = STATUS
            else:
                self.chip.violation("write to status register {:02X}".format(address))
                self.expect = DISCARD
        elif address == 0x3E:
            self.expect = PATABLE_READ if read else PATABLE_WRITE
        else:
            self.expect = RX_FIFO if read else TX_FIFO

    def _data(self, expect, value):
        chip = self.chip
        if expect is WRITE:
            if self.address < 0x2F:
                chip.write_register(self.address, value)
        elif expect is TX_FIFO:
            chip.push_tx(value)
        elif expect is PATABLE_WRITE:
            chip.patable[self.pa_index] = value
        if expect in (PATABLE_READ, PATABLE_WRITE):
            self.pa_index = (self.pa_index + 1) & 7
        if expect is STATUS or not self.burst:
            self.expect = HEADER
        elif expect in (READ, WRITE):
            self.address = min(self.address + 1, 0x2F)  # the burst ends at TEST0; 2F does not exist

    def _pop(self, alone):
        chip = self.chip
        if chip.rx_fifo:
            hazard = chip.options.duplicate_byte
            arrived = len(chip.rx_fifo) > 1
            inside = alone and chip.receiver.receiving
            if not (alone and hazard == "window" and arrived or inside and hazard == "always"):
                chip.pop_rx()
        if not self.burst:
            self.expect = HEADER
