"""The SX1262 behind its SPI: one command is one chip-select period, and BUSY is low before each (sheet 1).

Every buffer is made once. Nothing sleeps: BUSY is looked at a bounded number of times, and what takes longer than a look
or two is waited for by the driver's `due_us`.
"""

from omsnode.firmware.portable import const

from . import commands, registers

_LONGEST = const(260)
_COMMAND_BYTES = const(14)

# Looks at BUSY before a command. The longest that a command within a mode takes is some 100 us, a look at least one.
_POLLS = const(400)

_IRQS = const(0x020B)  # TxDone, RxDone, SyncWordValid, Timeout: those that the driver unmasks
_NO_IRQS = const(0xBC00)  # bits that are none: nobody answers with interrupts


class Fault(Exception):
    """The chip misbehaved; args[0] names how. Never leaves the driver."""


class Chip:
    """spi: `transfer(tx, rx)`. busy: pin with `read()`. `mode` is what the last status byte said."""

    def __init__(self, spi, busy):
        self._transfer = spi.transfer
        self._busy = busy.read
        tx, rx, zeros = bytearray(_LONGEST), bytearray(_LONGEST), bytearray(_LONGEST)
        self._tx, self._rx, self._zeros = memoryview(tx), memoryview(rx), memoryview(zeros)
        self._views = [None] * _COMMAND_BYTES
        self.loaded = False  # a profile was written, and nothing was lost since that anybody knows of
        self.mode = None
        self.version = b""
        self.frequency_readable = False
        self.expected = ()  # what `mismatch` compares: (address, bytes, mask of each byte)

    def ready(self, polls=_POLLS):
        """True if BUSY is low, at the last of so many looks."""
        busy = self._busy
        while polls and busy():
            polls -= 1
        return polls > 0

    def command(self, *data):
        """One command; returns what came back, a view that the next command overwrites. Fault "busy"."""
        n = len(data)
        views = self._views[n]
        if views is None:
            views = self._views[n] = self._tx[:n], self._rx[:n]
        tx, rx = views
        for i in range(n):
            tx[i] = data[i]
        if not self.ready():
            raise Fault("busy")
        self._transfer(tx, rx)
        return rx

    def send(self, data):
        """A command as bytes."""
        self.command(*data)

    def _read(self, head, n):
        """n bytes that come behind `head`."""
        zeros, n_head = self._zeros, len(head)
        zeros[:n_head] = head
        rx = self._rx[: n_head + n]
        if not self.ready():
            raise Fault("busy")
        self._transfer(zeros[: n_head + n], rx)
        zeros[1:4] = b"\0\0\0"
        return rx[n_head:]

    # --- registers and buffer ---

    def write(self, address, *values):
        self.command(commands.WRITE_REGISTER, address >> 8, address & 0xFF, *values)

    def read(self, address, n=1):
        """n bytes from this address on; a view that the next command overwrites."""
        return self._read(bytes((commands.READ_REGISTER, address >> 8, address & 0xFF, 0)), n)

    def set_bits(self, address, bits):
        value = self.read(address)[0]
        self.write(address, value | bits)

    def read_buffer(self, offset, n):
        """n bytes of the ring from `offset` on, at most 255."""
        return self._read(bytes((commands.READ_BUFFER, offset & 0xFF, 0)), n)

    def write_buffer(self, data):
        """From offset 0 on."""
        n = 2 + len(data)
        self._tx[0] = commands.WRITE_BUFFER
        self._tx[1] = 0
        self._tx[2:n] = data
        if not self.ready():
            raise Fault("busy")
        self._transfer(self._tx[:n], self._rx[:n])

    # --- state ---

    def irq(self):
        """The interrupts that are latched, and the mode into `mode`. Fault "no_answer" if that is no status."""
        answer = self.command(commands.GET_IRQ_STATUS, 0, 0, 0)
        self.mode = answer[1] >> 4 & 7
        if not commands.MODE_STDBY_RC <= self.mode <= commands.MODE_TX:
            raise Fault("no_answer")
        flags = answer[2] << 8 | answer[3]
        if flags & _NO_IRQS:
            raise Fault("no_answer")
        return flags & _IRQS

    def clear(self, flags):
        """Only what was read: an interrupt that came since stays latched."""
        self.command(commands.CLEAR_IRQ_STATUS, flags >> 8, flags & 0xFF)

    def errors(self):
        """Device errors."""
        answer = self.command(commands.GET_DEVICE_ERRORS, 0, 0, 0)
        return answer[2] << 8 | answer[3]

    def wake(self):
        """From sleep: the falling chip select is what wakes it, while BUSY is high (sheet 1)."""
        self._tx[0] = commands.GET_STATUS
        self._tx[1] = 0
        self._transfer(self._tx[:2], self._rx[:2])

    # --- work-arounds ---

    def modulation_quality(self):
        """Before each transmission that is not LoRa with 500 kHz bit 2 is set (DS.SX1261-2.W.APP rev 2.1, section 15.1)."""
        self.set_bits(registers.TX_MODULATION, registers.NOT_LORA_500)

    def antenna_mismatch(self):
        """The clamp of the SX1262's amplifier acts too early: after reset and cold start bits 4 to 1 are set
        (DS.SX1261-2.W.APP rev 2.1, section 15.2)."""
        self.set_bits(registers.TX_CLAMP, registers.CLAMPED_HIGH)

    def kept(self):
        """True if the chip still has what only `antenna_mismatch` gave it: it was not reset since."""
        return self.read(registers.TX_CLAMP)[0] & registers.CLAMPED_HIGH == registers.CLAMPED_HIGH

    # --- configuration ---

    def retune(self, profile):
        """Another profile behind one that was loaded, with what differs between them. In standby. Takes half the time of
        `load`; `kept` tells whether it can have worked."""
        self.send(profile.frequency)
        self.send(profile.modulation)
        self.send(profile.packet)
        self.write(registers.SYNC_WORD, *profile.sync)
        self.command(commands.SET_BUFFER_BASE_ADDRESS, 0, 0)
        self.command(commands.CLEAR_IRQ_STATUS, 0xFF, 0xFF)
        self.expected = [one for one in self.expected if one[0] != registers.OCP]
        self.expected[0] = (registers.SYNC_WORD, profile.sync, 0xFF)
        if self.frequency_readable:
            self.expected[-1] = (registers.RF_FREQUENCY, profile.frequency[1:], 0xFF)

    def load(self, profile):
        """Write a profile, to be read back by `mismatch`. In standby."""
        self.command(
            commands.SET_PACKET_TYPE, 0
        )  # before what it resets: modulation and packet parameters (sheet 2)
        self.send(profile.frequency)
        self.send(profile.modulation)
        self.send(profile.packet)
        self.write(registers.SYNC_WORD, *profile.sync)
        self.write(registers.RX_GAIN, registers.RX_GAIN_BOOSTED)
        self.modulation_quality()
        self.command(commands.SET_BUFFER_BASE_ADDRESS, 0, 0)
        self.unmask()
        self.command(commands.CLEAR_IRQ_STATUS, 0xFF, 0xFF)
        self.expected = [
            (registers.SYNC_WORD, profile.sync, 0xFF),
            (registers.RX_GAIN, bytes((registers.RX_GAIN_BOOSTED,)), 0xFF),
            (registers.TX_MODULATION, bytes((registers.NOT_LORA_500,)), registers.NOT_LORA_500),
            (registers.TX_CLAMP, bytes((registers.CLAMPED_HIGH,)), registers.CLAMPED_HIGH),
        ]
        # Whether these four hold the very word of the command the sheet does not say: watched if they do.
        word = profile.frequency[1:]
        self.frequency_readable = bytes(self.read(registers.RF_FREQUENCY, 4)) == word
        if self.frequency_readable:
            self.expected.append((registers.RF_FREQUENCY, word, 0xFF))
        self.loaded = True

    def unmask(self):
        """The interrupts that the driver wants, on DIO1."""
        high, low = _IRQS >> 8, _IRQS & 0xFF
        self.command(commands.SET_DIO_IRQ_PARAMS, high, low, high, low, 0, 0, 0, 0)

    def load_unreadable(self, profile):
        """Once more what cannot be read back."""
        if not self.frequency_readable:
            self.send(profile.frequency)
        self.send(profile.modulation)
        self.send(profile.packet)
        self.unmask()

    def mismatch(self):
        """Address of the first register that does not read back as written, or None."""
        for address, written, mask in self.expected:
            found = self.read(address, len(written))
            for i in range(len(written)):
                if (found[i] ^ written[i]) & mask:
                    return address
        return None
