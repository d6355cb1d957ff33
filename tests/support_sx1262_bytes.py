"""SPI bytes of the SX1262 written by hand from the sheet: set-up of section 4, modulation and sync words of section 6."""

from omsnode.board.virtual import World

STDBY, SLEEP, TX, RX, FS = 0x80, 0x84, 0x83, 0x82, 0xC1
RX_FOREVER = "82 FF FF FF"

# 6.1: SetRfFrequency, SetModulationParams
T_FREQUENCY, T_MODULATION = "86 36 4F 33 33", "8B 00 28 00 00 19 00 CC CD"
S_FREQUENCY, S_MODULATION = "86 36 44 CC CD", "8B 00 7A 12 00 19 00 CC CD"
C_MODULATION = "8B 00 28 00 00 19 00 B8 52"
C_DOWN_FREQUENCY, C_DOWN_MODULATION = "86 36 58 66 66", "8B 00 50 00 09 12 00 66 66"
# 6.2
T_RX_PACKET, T_RX_SYNC = "8C 00 10 04 10 00 00 FF 01 00", "0D 06 C0 54 3D"
S_RX_PACKET, S_RX_SYNC = "8C 00 10 04 18 00 00 FF 01 00", "0D 06 C0 54 76 96"
T_TX_SYNC = "0D 06 C0 55 55 55 55 55 55 54 3D"
S_TX_SYNC = "0D 06 C0 55 55 55 55 55 54 76 96"
ALL_TO_DIO1 = "08 43 FF 43 FF 00 00 00 00"  # every IRQ of the sheet's list
SYNC_AND_DONE = "08 00 0A 00 0A 00 00 00 00"


def tx_packet(size):
    """Preamble 8 bits, 64-bit sync word, `size` bytes of fixed length."""
    return "8C 00 08 00 40 00 00 {:02X} 01 00".format(size)


class Bench:
    """A board spoken to in hexadecimal."""

    def __init__(self, world=None, **settings):
        self.world = world or World(seed=1)
        settings.setdefault("chip", "sx1262")
        self.board = self.world.add_board(**settings)
        self.chip = self.board.chip
        self.busy = self.board.pins["busy"]

    def spi(self, text, zeros=0):
        """One chip-select period: bytes as hexadecimal text, then so many zeros."""
        return self.board.chip.transfer(bytes.fromhex(text) + bytes(zeros))

    def do(self, *texts):
        """Commands one after the other, BUSY waited for; the last answer."""
        answer = None
        for text in texts:
            self.ready()
            answer = self.spi(text)
        self.ready()
        return answer

    def get(self, text, size):
        """A read command: the bytes behind the status byte."""
        head = len(bytes.fromhex(text)) + 1
        self.ready()
        return self.spi(text, size + 1)[head:]

    def register(self, address):
        return self.get("1D {:04X}".format(address), 1)[0]

    def status(self):
        self.ready()
        return self.spi("C0 00")[1]

    def irq(self):
        return int.from_bytes(self.get("12", 2), "big")

    def errors(self):
        return int.from_bytes(self.get("17", 2), "big")

    def ready(self, limit_us=60000):
        end = self.world.now_us + limit_us
        self.world.advance_us(1)
        while self.busy.level:
            assert self.world.now_us < end, "BUSY is stuck"
            self.world.advance_us(10)

    def sleep(self, us):
        self.world.advance_us(us)

    def reset(self):
        self.board.pins["reset"].write(0)
        self.sleep(200)
        self.board.pins["reset"].write(1)
        self.ready()

    def start(self):
        """Section 4, steps 1 to 8, with a 1.8 V TCXO."""
        self.reset()
        if self.chip.tcxo_mv:
            self.do("80 00", "97 02 00 01 40")
        self.do("80 00", "07 00 00", "89 7F", "98 D7 DB", "96 01", "9D 01", "80 01", "93 30", "8A 00")
        assert self.errors() == 0
        gain = "0D 08 AC 96"
        clamp = "0D 08 D8 {:02X}".format(self.register(0x08D8) | 0x1E)
        modulation = "0D 08 89 {:02X}".format(self.register(0x0889) | 0x04)
        self.do(gain, clamp, modulation, "95 02 02 00 01", "8E 16 02", "8F 00 00")
        return self

    def receive_t(self, irqs=SYNC_AND_DONE):
        self.do("80 01", T_FREQUENCY, T_MODULATION, T_RX_PACKET, T_RX_SYNC, irqs, "02 FF FF", RX_FOREVER)
        return self

    def transmit_t(self, data, irqs=ALL_TO_DIO1):
        """Everything up to SetTx; the packet leaves."""
        self.do("80 01", T_FREQUENCY, T_MODULATION, tx_packet(len(data)), T_TX_SYNC, irqs, "02 FF FF")
        self.do("0E 00 " + bytes(data).hex(), "83 00 00 00")
        return self

    @property
    def faults(self):
        """What the driver (this test) did wrong."""
        return [text for _, text in self.chip.violations]


def chips_of(data):
    return bytes(byte >> bit & 1 for byte in data for bit in range(7, -1, -1))
