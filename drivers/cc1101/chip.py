"""The CC1101 behind its SPI: strobes, registers, FIFOs, and the read errata (sheet 1 to 5).

Every buffer is made once. One transfer is one chip-select period. A status register is read in a period of its own,
because the datasheet promises no second header behind a burst access (SWRS061 section 10.3).
"""

from omsnode.firmware.portable import const

from . import registers

# Header bits and the addresses of the FIFOs (section 10)
_WRITE_BURST = const(0x40)
_READ_BURST = const(0xC0)  # also what makes 0x30..0x3D a status register instead of a strobe
_FIFO = const(0x3F)
_FIFO_BYTES = const(64)

# Command strobes (table 42)
_SRES = const(0x30)
_SRX = const(0x34)
_SIDLE = const(0x36)
_SFRX = const(0x3A)
_SNOP = const(0x3D)

# Status registers (section 29.3)
_PARTNUM = const(0x30)
_VERSION = const(0x31)

_NOT_LOCKED = const(0x3F)  # FSCAL1 after a calibration that failed (errata SWRZ020; sheet 9)

_READY_POLLS = const(250)  # at least 0.8 ms at 5 MHz; the crystal takes 0.15 ms (sheet 4.2)
_STABLE_READS = const(8)

_FIFOTHR = const(0x03)
_PKTLEN = const(0x06)
_MCSM0 = const(0x18)
_FSCAL3 = const(0x23)
_N_REGISTERS = const(47)

_AUTOCAL = const(0x18)  # MCSM0: calibrate from IDLE to RX or TX; PO_TIMEOUT 64
_NO_AUTOCAL = const(0x08)


class Chip:
    """spi: `transfer(tx, rx)`. `block` is what the configuration registers are meant to hold; `read_back`, behind a status
    byte, what they held when `mismatch` looked."""

    def __init__(self, spi):
        self._transfer = spi.transfer
        self._tx1, self._rx1 = bytearray(1), bytearray(1)
        self._tx2, self._rx2 = bytearray(2), bytearray(2)
        self._all_tx, self.read_back = bytearray(1 + _N_REGISTERS), bytearray(1 + _N_REGISTERS)
        self._read_all = bytearray(1 + _N_REGISTERS)
        self._read_all[0] = _READ_BURST
        self.masks = bytearray(registers.READ_BACK)  # of what `mismatch` compares
        self.block = memoryview(self._all_tx)[1:]
        # RX -> IDLE takes 0.1 us and a byte of SPI more than 1 us: flush and restart can follow in one transfer.
        self._listen_tx = bytearray((_SIDLE, _MCSM0, 0, _SFRX, _FIFOTHR, 0, _SRX))
        self._listen_rx = bytearray(len(self._listen_tx))
        size = _FIFO_BYTES + 1
        self._fifo_tx, self._fifo_rx = bytearray(size), bytearray(size)
        self._idle_tx = bytearray(size)
        self._idle_tx[0] = _READ_BURST | _FIFO
        self._fifo_tx[0] = _WRITE_BURST | _FIFO
        self._views = None
        self._cal_tx, self._cal_rx = bytearray(4), bytearray(4)
        self._cal_tx[0] = _READ_BURST | _FSCAL3
        self.partnum = None
        self.version = None

    def strobe(self, command):
        """Returns the chip status byte."""
        self._tx1[0] = command
        self._transfer(self._tx1, self._rx1)
        return self._rx1[0]

    def idle(self):
        """SIDLE; True if the chip then is in IDLE. A strobe may be followed by the next header (sheet 1.1)."""
        self._tx2[0] = _SIDLE
        self._tx2[1] = _SNOP
        self._transfer(self._tx2, self._rx2)
        return self._rx2[1] & 0xF0 == 0

    def write(self, address, value):
        self._tx2[0] = address
        self._tx2[1] = value
        self._transfer(self._tx2, self._rx2)
        if address < _N_REGISTERS:
            self.block[address] = value

    def status(self, address):
        """One read of a status register."""
        self._tx2[0] = _READ_BURST | address
        self._tx2[1] = 0
        self._transfer(self._tx2, self._rx2)
        return self._rx2[1]

    def stable(self, address):
        """A status register that may change while it is read: the value that two reads in a row agree on (errata
        SWRZ020; sheet 5.1)."""
        value = self.status(address)
        for _ in range(_STABLE_READS):
            again = self.status(address)
            if again == value:
                break
            value = again
        return value

    def load(self, block, calibration=None):
        """To IDLE, then write all 47 registers in one burst, with the calibration (FSCAL3, 2, 1) found earlier."""
        self.strobe(_SIDLE)
        self._all_tx[0] = _WRITE_BURST
        self._all_tx[1:] = block
        if calibration:
            self._all_tx[1 + _FSCAL3 : 4 + _FSCAL3] = calibration
        self._transfer(self._all_tx, self.read_back)

    def mismatch(self):
        """Address of the first configuration register that does not read back as written, or None."""
        self._transfer(self._read_all, self.read_back)
        written, read, masks = self._all_tx, self.read_back, self.masks
        for address in range(_N_REGISTERS):
            if (written[address + 1] ^ read[address + 1]) & masks[address]:
                return address
        return None

    def read_calibration(self):
        """FSCAL3, FSCAL2, FSCAL1 as bytes, or None if the synthesizer is not locked (sheet 9)."""
        self._transfer(self._cal_tx, self._cal_rx)
        if self._cal_rx[3] & _NOT_LOCKED == _NOT_LOCKED:
            return None
        return bytes(self._cal_rx[1:])

    def listen(self, calibrate):
        """From any state: flush the RX FIFO, threshold 4 bytes, receive; with a calibration on the way or without."""
        mcsm0 = _AUTOCAL if calibrate else _NO_AUTOCAL
        self._listen_tx[2] = self.block[_MCSM0] = mcsm0
        self.block[_FIFOTHR] = 0
        self._transfer(self._listen_tx, self._listen_rx)

    def read_fifo(self, n):
        """n bytes of the RX FIFO; a view that the next call overwrites."""
        if self._views is None:
            self._views = [None] * (_FIFO_BYTES + 1)
        views = self._views[n]
        if views is None:
            tx, rx = memoryview(self._idle_tx), memoryview(self._fifo_rx)
            views = self._views[n] = (tx[: n + 1], rx[: n + 1], rx[1 : n + 1])
        self._transfer(views[0], views[1])
        return views[2]

    def write_fifo(self, stream, start, n):
        """stream[start:start + n] into the TX FIFO; stream is a memoryview."""
        self._fifo_tx[1 : n + 1] = stream[start : start + n]
        self._transfer(memoryview(self._fifo_tx)[: n + 1], memoryview(self._fifo_rx)[: n + 1])

    def set_threshold(self, n_bytes):
        """FIFO_THR so that GDO0 tells of n_bytes: received, or free to send (a multiple of 4, 4 to 60; sheet 5)."""
        self.write(_FIFOTHR, n_bytes // 4 - 1)

    def set_length(self, length):
        self.write(_PKTLEN, length)

    def wait_ready(self, polls=_READY_POLLS):
        """Poll until the crystal runs and VERSION is plausible twice; False if it never is (sheet 1.4). Leaves VERSION
        and PARTNUM in `version` and `partnum`."""
        before = None
        for _ in range(polls):
            self.version = self.status(_VERSION)
            if self._rx2[0] & 0x80 == 0 and self.version not in (0x00, 0xFF) and self.version == before:
                self.partnum = self.status(_PARTNUM)
                return True
            before = self.version
        return False

    def reset(self, polls=_READY_POLLS):
        """SRES, to IDLE with every register at its reset value. False if the chip does not answer."""
        self.wait_ready(polls)  # a chip that sleeps loses what is sent before its crystal runs
        self.strobe(_SRES)
        return self.wait_ready(polls)
