"""An SX1262 without any trust in its wires, for the self-test: no command waits for BUSY, each has time enough (sheet 1)."""

from omsnode.firmware.portable import const

from ..selftest import pause
from . import commands, registers

_RESET_US = const(400)
_SETTLE_US = const(300)
BOOT_US = const(12000)  # 3.5 ms, up to 9 seen (sheet 4.1: at most 10)
ROUNDS = const(200)
PATTERN = b"\x55\xaa\x0f\xf0\x33\xcc\x96\x69"


class Bare:
    """Commands without BUSY, and the lines of the host."""

    def __init__(self, board):
        self.board = board
        self.busy = board.pins["busy"].read
        self.dio1 = board.pins["dio1"].read
        self.reset_pin = board.pins.get("reset")
        for name in ("txen", "rxen"):
            if board.pins.get(name):
                board.pins[name].write(0)

    def reset(self):
        """Levels (BUSY, DIO1) while NRESET is low, and when the chip must have started."""
        if not self.reset_pin:
            return (0, 0), (self.busy(), self.dio1())
        self.reset_pin.write(0)
        pause(self.board, _RESET_US)
        during = self.busy(), self.dio1()
        self.reset_pin.write(1)
        pause(self.board, BOOT_US)
        return during, (self.busy(), self.dio1())

    def give(self, *data, wait_us=_SETTLE_US):
        """One command, and time for it. Returns what came back, from the second byte on."""
        rx = bytearray(len(data))
        self.board.spi.transfer(bytes(data), rx)
        pause(self.board, wait_us)
        return bytes(rx[1:])

    def read(self, address, n):
        return self.give(commands.READ_REGISTER, address >> 8, address & 0xFF, 0, *bytes(n))[3:]

    def write(self, address, data):
        self.give(commands.WRITE_REGISTER, address >> 8, address & 0xFF, *data)

    def status(self):
        return self.give(commands.GET_IRQ_STATUS, 0, 0, 0)[0]

    def mode(self):
        return self.status() >> 4 & 7

    def irq(self):
        answer = self.give(commands.GET_IRQ_STATUS, 0, 0, 0)
        return answer[1] << 8 | answer[2]

    def errors(self):
        answer = self.give(commands.GET_DEVICE_ERRORS, 0, 0, 0)
        return answer[1] << 8 | answer[2]

    def clear_errors(self):
        self.give(commands.CLEAR_DEVICE_ERRORS, 0, 0)

    def standby(self):
        """To STDBY_RC, from sleep too; True if a register then keeps what is written."""
        self.give(commands.GET_STATUS, 0, wait_us=4000)  # wakes a chip that sleeps
        for _ in range(5):  # the first commands after a reset may be refused
            self.give(commands.SET_STANDBY, commands.STDBY_RC)
            self.write(registers.SYNC_WORD, PATTERN)
            same = 0
            for a, b in ((i, self.read(registers.SYNC_WORD + i, 1)[0]) for i in range(8)):
                same += PATTERN[a] == b
            if same >= 4:  # not all need to be right: single errors are found later
                return True
        return False

    def wrong_bytes(self):
        wrong = 0
        for turn in range(ROUNDS):
            pattern = bytes([byte ^ (0xFF if turn & 1 else 0) for byte in PATTERN])
            self.write(registers.SYNC_WORD, pattern)
            found = self.read(registers.SYNC_WORD, 8)
            for i in range(8):
                wrong += found[i] != pattern[i]
        return wrong

    def asleep_and_awake(self):
        """Levels (BUSY, DIO1) of a chip in STDBY_RC, asleep, and awake again."""
        levels = [(self.busy(), self.dio1())]
        self.give(commands.SET_SLEEP, commands.WARM_START, wait_us=1000)
        levels.append((self.busy(), self.dio1()))
        self.give(commands.GET_STATUS, 0, wait_us=5000)
        levels.append((self.busy(), self.dio1()))
        return levels
