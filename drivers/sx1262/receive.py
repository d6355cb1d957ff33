"""Reception: from the sync word to the frame, and back to listening whatever happens (sheet 7).

Bytes are counted from the base of the packet, where the chip began to write it; its buffer is a ring of 256. The chip
ends a packet when its count, modulo 256, equals the stop. The stop is 255 until it is moved: behind the last byte of the
frame once that is less than a lap away, and ahead of the writer for as long as it is not.

When a frame ended is told by the edge of the stop, to a few microseconds and whatever the chip rate of the sender; for a
frame too short for a stop, or behind a service that came too late to set it, it is reckoned with the nominal rate: 1 % of
the frame for a sender that is 1 % off.
"""

from omsnode.firmware.portable import const

from ..health import Health
from ..outcome import outcome
from . import commands, profiles, registers
from .chip import Fault
from .start import check_errors

_FIRST_BYTES = const(4)  # they tell the length in every mode
_CHUNK_BYTES = const(128)  # read a longer frame about so often
_STOP_BYTES = const(240)  # the stop can be set when so many are missing, or fewer
_LEAD_BYTES = const(
    10
)  # set later than so many before it is reached, it may be missed (sheet 7.2: well before)
_LAP = const(256)
_LONGEST_BYTES = const(810)  # no frame of S (580), T (435) or C (292) and no burst (796 bytes) has more
_LATE_BYTES = const(8)  # so many since the sync word, and nobody called: the edge got lost
_AHEAD_BYTES = const(24)  # more than the rate allows: while service runs, time goes on

_SETTLED_US = const(200)  # SetRx takes 62 from XOSC, 83 from RC (sheet 1.1)
_MOST_US = const(20000)  # if by then BUSY is not low, it is stuck
_LATE_US = const(1000)
_SERVICE_US = const(300)  # what is latched while a service runs is no younger
_RETRIES = const(4)
_LOOPS = const(4)
_CARRIER_DB = const(12)  # above the quietest that was ever seen


class Receiver:
    def __init__(self, driver):
        self._driver = driver
        self._chip = driver.chip
        self.floor_dbm = None
        self._profile = self._health = None
        self._in_packet = False

    @property
    def receiving(self):
        return self._in_packet or bool(self._driver.dio1.read())

    def listen(self, deframer, profile, now_us):
        if self._health is None or profile != self._profile:
            self._health = Health(self._driver.counters)
        self._health.begin(now_us)
        self._deframer = deframer
        self._in_packet = False
        self._profile = profile
        self._byte_us = profiles.air_time_us(profile, 8)

    def begin(self, now_us):
        """Configure the chip and receive."""
        driver = self._driver
        driver.enter_standby()
        self._chip.load(self._profile)
        driver.antenna(False, True)
        self._next_look_us = now_us + driver.health_us
        self._put_off = 0
        self._set_base()
        self._arm(now_us)

    def _restart(self, now_us):
        """Hear again, with all settings as they are."""
        chip = self._chip
        chip.command(commands.SET_STANDBY, commands.STDBY_XOSC)
        chip.send(self._profile.packet)  # with it the stop that was moved
        chip.command(commands.CLEAR_IRQ_STATUS, 0xFF, 0xFF)
        self._set_base()
        self._arm(now_us)

    def _set_base(self):
        """Where the next packet begins: where the writer stands, so that it does not matter whether SetRx takes it there."""
        self._base = self._chip.read(registers.RX_WRITE_POINTER)[0]
        self._tell_base()

    def _tell_base(self):
        self._told_base = self._base
        self._chip.command(commands.SET_BUFFER_BASE_ADDRESS, 0, self._base)

    def _arm(self, now_us):
        driver = self._driver
        self._chip.command(commands.SET_RX, 0xFF, 0xFF, 0xFF)
        self._settling = True
        self._armed_us = now_us
        self._anew_us = now_us + driver.anew_us
        self._handled_us = now_us
        self._clear()
        self._settled_us = driver.due_us = now_us + driver.oscillate() + _SETTLED_US
        self._tries = 0

    def _clear(self):
        """No packet."""
        self._deframer.reset()
        self._in_packet = False
        self._doubtful = False
        self._sync_us = None
        self._seen_us = None
        self._received = 0
        self._total = 0  # bytes, 0 while unknown
        self._stopped = False  # the stop is behind the last byte
        self._result = 1
        self._overdue_us = 1 << 62
        self._tries = 0
        self._rssi_dbm = None

    # --- service ---

    def service(self, now_us, edges):
        driver, chip = self._driver, self._chip
        edge_us = None
        self._edges = 0
        for _, level, at_us in edges:
            if level and at_us >= self._armed_us:
                edge_us = at_us  # the last one: it began what is latched now
                self._edges += 1
        if now_us >= driver.due_us:
            self._health.served(driver.due_us, now_us)
        if edge_us is None and now_us < driver.due_us and not driver.dio1.read():
            return
        if self._settling and not chip.ready(2) and now_us < self._settled_us + _MOST_US:
            driver.due_us = max(self._settled_us, now_us + _SETTLED_US)
            return
        self._attend(edge_us, now_us)
        if not self._in_packet and now_us >= self._next_look_us:
            self._look(now_us)

    def _attend(self, edge_us, now_us):
        """What is latched, and what came meanwhile."""
        driver, chip = self._driver, self._chip
        late = edge_us is None and (not self._in_packet or now_us >= self._overdue_us)
        self._meanwhile = False
        for _ in range(_LOOPS):
            flags = chip.irq()
            if flags:
                chip.clear(flags)
                self._handled_us = now_us
            if chip.mode != commands.MODE_RX:
                self._fell_out(now_us)
                return
            if flags & commands.IRQ_RX_DONE:
                if late:
                    driver.fault("missed_interrupt", now_us)
                self._done(flags, edge_us, now_us)
            elif flags & commands.IRQ_SYNC_WORD_VALID and not self._in_packet:
                self._begin(edge_us, now_us)
            elif self._in_packet:
                if now_us >= driver.due_us:
                    self._drain(now_us)
            else:
                self._idle(edge_us, flags, now_us)
            if not driver.dio1.read():
                return
            # Latched since: its edge comes with the next service, which finds nothing.
            edge_us = None
            late = False
            self._meanwhile = True

    def _fell_out(self, now_us):
        """The chip does not receive although it was told to."""
        if now_us < self._settled_us:
            self._driver.due_us = self._settled_us
            return
        self._driver.look_at_mode()
        if not self._chip.kept():
            raise Fault("registers")
        if self._chip.errors() == commands.ERROR_PLL_LOCK:
            self._fail("pll", now_us)
        else:
            check_errors(self._chip)
            self._fail("rx_state", now_us)

    def _begin(self, edge_us, now_us):
        """A sync word was seen. edge_us: when, or None."""
        self._in_packet = True
        self._sync_us = self._seen_us = edge_us
        driver = self._driver
        first_us = now_us if edge_us is None else edge_us + (2 * _FIRST_BYTES + 1) * self._byte_us // 2
        if first_us > now_us:
            driver.due_us = first_us
        else:
            self._drain(now_us)

    def _pointer(self):
        """How many bytes are in the ring that were not read, modulo a lap."""
        pointer = self._chip.read(registers.RX_WRITE_POINTER)[0]
        return (pointer - self._base - self._received) % _LAP

    def _drain(self, now_us):
        """Read what has come in."""
        driver, byte_us = self._driver, self._byte_us
        n = self._pointer()
        if self._sync_us is None:
            self._sync_us = self._seen_us = now_us - n * byte_us - byte_us // 2
            if n >= _LATE_BYTES and not self._doubtful:
                driver.fault("missed_interrupt", now_us)
        gone = (now_us - self._seen_us) // byte_us
        if gone - n > _LAP // 2:
            self._fail("rx_overflow", now_us)
            return
        if n - gone > _AHEAD_BYTES + gone // 4:
            n = self._pointer()
            if n - gone > _AHEAD_BYTES + gone // 4:
                self._fail("rx_pointer", now_us)
                return
        if self._stopped and self._received + n > self._total:
            n = self._total - self._received
        if n == 0 and self._result > 0:
            self._starved(now_us)
            return
        self._tries = 0
        self._seen_us = now_us
        self._feed(n)
        if self._result <= 0 and not self._stopped:
            # The packet goes on, with noise.
            self._tell(None, now_us)
            self._restart(now_us)
        elif self._result <= 0:
            self._tries += 1
            driver.due_us = now_us + 2 * byte_us
            if self._tries > _RETRIES:
                # The stop was passed although it had been set in time.
                self._health.count("late_stops")
                self._tell(None, now_us)
                self._restart(now_us)
        elif self._received > _LONGEST_BYTES:
            self._fail("rx_endless", now_us)
        else:
            self._go_on(now_us)

    def _feed(self, n):
        """n bytes from the ring to the deframer."""
        chip = self._chip
        if self._rssi_dbm is None:
            self._read_quality()
        if n:
            data = chip.read_buffer(self._base + self._received, n)
            if self._received == 0 and self._profile.given:
                self._deframer.feed(self._profile.given)
            self._received += n
            self._result = self._deframer.feed(data)

    def _go_on(self, now_us):
        """Chips are missing: see to the stop, and when to look again."""
        driver, byte_us = self._driver, self._byte_us
        missing = (self._result + 7) >> 3
        if self._deframer.total_chips is None:
            if self._received + missing > _STOP_BYTES:  # the header of an uplink burst is in its middle
                self._set_stop(self._received - 1)
            driver.due_us = now_us + min(missing, _CHUNK_BYTES) * byte_us + (byte_us >> 1)
            return
        if not self._stopped:
            self._total = self._received + missing
            self._move_stop(missing)
        wait = min(missing, _CHUNK_BYTES)
        driver.due_us = now_us + wait * byte_us + (byte_us >> 1)
        if self._stopped and wait == missing:
            # RxDone comes first, unless its edge gets lost.
            driver.due_us += 4 * byte_us
            self._overdue_us = driver.due_us

    def _move_stop(self, missing):
        """Behind the last byte if that is near, else as far ahead of the writer as it can be."""
        if missing > _STOP_BYTES:
            self._set_stop(self._received - 1)
        elif missing > _LEAD_BYTES:
            self._set_stop(self._total)
            # In time only if the writer is not there yet, nor near.
            self._stopped = self._pointer() < missing - _LEAD_BYTES

    def _set_stop(self, count):
        self._chip.write(registers.RX_TX_PLD_LEN, count % _LAP)

    def _read_quality(self):
        """Level at the sync word of the packet that comes in; GetPacketStatus would still tell of the one before."""
        level = self._chip.read(registers.RSSI_SYNC)[0]
        if level:
            self._rssi_dbm = -(level >> 1)

    # --- the end of a packet ---

    def _done(self, flags, edge_us, now_us):
        """RxDone: the packet has ended where the stop was, and the chip listens again behind it."""
        driver, chip, byte_us = self._driver, self._chip, self._byte_us
        answer = chip.command(commands.GET_RX_BUFFER_STATUS, 0, 0, 0)
        length, start = answer[2], answer[3]
        end_us = edge_us if self._in_packet else None
        if not self._in_packet:
            # Its beginning was not noticed: all of it is there, and others before it may have gone unnoticed too.
            self._in_packet = True
            self._base = start
            self._sync_us = edge_us or now_us - length * byte_us
        if start != self._base:
            self._fail("rx_pointer", now_us)
            return
        following = (start + length) % _LAP
        if self._result > 0:
            self._feed((following - self._base - self._received) % _LAP)
        self._chip.write(registers.RX_TX_PLD_LEN, profiles.BUFFER_BYTES)
        if self._result > 0:
            self._fail("rx_short", now_us)
            return
        self._tell(end_us, now_us)
        self._clear()
        self._base = following
        self._anew_us = now_us + driver.anew_us
        driver.due_us = self._next_look_us
        if flags & commands.IRQ_SYNC_WORD_VALID:
            # That of this packet, or of one that has begun since.
            self._doubtful = True
            self._begin(None, now_us)

    def _tell(self, end_us, now_us):
        """The event for what the deframer found. end_us: the instant of the last chip if it is known."""
        driver, deframer = self._driver, self._deframer
        driver.in_row = self._put_off = 0
        sync_us = self._sync_us - profiles.air_time_us(self._profile, 8 * len(self._profile.given))
        if self._result == 0:
            driver.heard_us = now_us
            self._health.heard(now_us)
            end_us = self._end_us(end_us, sync_us, now_us)
        else:
            end_us = now_us
        driver.emit(outcome(driver.counters, deframer, sync_us, end_us, self._rssi_dbm))

    def _end_us(self, edge_us, sync_us, now_us):
        """Of the last chip of the frame. edge_us: when the byte with it was over, or None."""
        chips = self._deframer.total_chips
        computed_us = sync_us + profiles.air_time_us(self._profile, chips)
        if edge_us is not None:
            behind = 8 * (self._received + len(self._profile.given)) - chips
            edge_us -= profiles.air_time_us(self._profile, behind)
            if abs(edge_us - computed_us) <= (computed_us - sync_us) // 8 + self._byte_us:
                return edge_us
        elif self._meanwhile and self._stopped:
            return min(max(computed_us, now_us), now_us + _SERVICE_US)
        return computed_us

    # --- what does not happen, and what should not ---

    def _starved(self, now_us):
        """A packet has begun, but no byte comes. On this chip noise follows every signal: silence is a fault."""
        self._tries += 1
        if self._tries <= _RETRIES:
            self._driver.due_us = now_us + 4 * self._byte_us
        elif self._doubtful:
            self._clear()
            self._driver.due_us = self._next_look_us
        else:
            self._fail("rx_stalled", now_us)

    def _idle(self, edge_us, flags, now_us):
        """No packet: an edge that nothing explains, or time for a look."""
        driver = self._driver
        odd = edge_us is not None and not flags and edge_us > self._handled_us + _LATE_US
        if odd and self._health.spurious(now_us, self._edges):
            driver.fault("interrupt_storm", now_us)
        if self._settling and now_us >= self._settled_us:
            self._settle()
        if now_us >= driver.due_us:
            driver.due_us = self._next_look_us

    def _settle(self):
        """Once after each start: the writer tells where the packet is going to begin, if none has begun since."""
        pointer = self._chip.read(registers.RX_WRITE_POINTER)[0]
        if pointer != self._base and not self._chip.irq():
            self._health.count("moved_bases")
            self._base = pointer
        self._settling = False

    def _look(self, now_us):
        """The receiver is silent: is it configured as it was, without errors, and not silent for too long?"""
        driver, chip = self._driver, self._chip
        self._next_look_us = driver.due_us = now_us + driver.health_us
        rssi_dbm = -(chip.command(commands.GET_RSSI_INST, 0, 0)[2] >> 1)
        if self.floor_dbm is None or rssi_dbm < self.floor_dbm:
            self.floor_dbm = rssi_dbm
        step = self._health.silent(now_us)
        if step:
            self._hear_again(step, now_us)
            return
        if now_us >= self._anew_us:
            # While somebody sends it waits for the next look, a few times.
            self._put_off += 1
            if self._put_off > _RETRIES or rssi_dbm < self.floor_dbm + _CARRIER_DB:
                if driver.outdated(now_us):
                    driver.calibrate(now_us)
                else:
                    self._begin_anew(now_us)
                return
        if chip.mismatch() is not None:
            raise Fault("registers")
        check_errors(chip)
        driver.in_row = 0

    def _hear_again(self, step, now_us):
        """It looks healthy, and hears nothing for far longer than ever lately."""
        driver = self._driver
        if step > 2:
            raise Fault("silent")
        driver.fault("silent", now_us)
        if step > 1:
            driver.calibrate(now_us)
        else:
            self.begin(now_us)

    def _begin_anew(self, now_us):
        """Modulation and packet parameters cannot be read back, and a state machine that stands still looks healthy until
        it has to move."""
        chip = self._chip
        chip.command(commands.SET_STANDBY, commands.STDBY_XOSC)
        flags = chip.irq()
        if chip.mode != commands.MODE_STDBY_XOSC:
            raise Fault("stuck")
        if flags:  # a packet that ends here
            chip.clear(flags)
        self._put_off = 0
        chip.load_unreadable(self._profile)
        if self._base != self._told_base:
            self._tell_base()
        self._arm(now_us)

    def _fail(self, code, now_us):
        """Count a fault and receive anew; too many in a row call for a reset."""
        driver = self._driver
        if driver.in_row >= _RETRIES:
            raise Fault(code)
        driver.fault(code, now_us)
        driver.in_row += 1
        if code == "pll":
            self._chip.command(commands.CLEAR_DEVICE_ERRORS, 0, 0)
        self.begin(now_us)
