"""A gateway and burst meters as nodes on the virtual air, over drivers and chip models: orders at given times, fates of bursts, power
cuts, and the judge.
"""

from omsnode.board.virtual import World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.drivers.sx1262 import Sx1262
from omsnode.firmware.link.address import Address
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.collector import KnownMeter
from omsnode.firmware.roles.gateway import OrderEvent
from omsnode.firmware.roles.lpwan.collector import BurstCollector
from omsnode.firmware.roles.lpwan.gateway import BurstGateway
from omsnode.firmware.roles.lpwan.gateway_partner import BurstPartner
from omsnode.firmware.roles.lpwan.meter import BurstMeter
from omsnode.firmware.roles.lpwan.meter_way import Declared
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.security.keys import Key
from omsnode.firmware.two_way import TwoWay
from support_burst_judge import Judge
from support_burst_ladder_fates import Fates
from support_ladder import ENDS, MASTER, SOAK, STORAGE, Memory, device, key_store, wall

__all__ = ("PAIRS", "SOAK", "Bench", "S", "table")
S = 1000000
GATEWAY = Address.parse("87654321.M=XYZ.V=08.T=31")
MAC_KEY = bytes(range(0x10, 0x20))
KEYS = {(0, 0): MASTER, (0x0F, 0): Key(MAC_KEY)}
PROFILE = {7: "B", 10: "D", 5: "A"}
DRIVERS = ("cc1101", "sx1262")
PAIRS = tuple((one, other) for one in DRIVERS for other in DRIVERS)  # gateway, meter
# ppm: gateway, first meter. The meter's carrier is so far off that a narrow downlink needs the pre-correction.
CRYSTALS = (-3.0, 7.0)
CLOCKS = (9.0, -35.0)


def driver(kind, board):
    pins = board.pins
    if kind == "cc1101":
        return Cc1101(board.spi, pins["gdo0"], pins["gdo2"], beyond_limits=True)
    return Sx1262(
        board.spi,
        pins["busy"],
        pins["dio1"],
        pins["reset"],
        tcxo_mv=1800,
        txen=pins.get("txen"),
        rxen=pins.get("rxen"),
        beyond_limits=True,
    )


class Side:
    """A node with its board. stop, start: its power."""

    def __init__(self, bench, name, kind, make, **board):
        self.bench, self.name, self.kind, self.make = bench, name, kind, make
        self.store = Memory()
        self.delivered = []
        self.board = bench.world.add_board(name=name, chip=kind, **board)
        self.lives = 0
        self.on = False
        self.heard = []  # [from, until] of its receiver, ns of the world
        self.start()

    def start(self):
        self.lives += 1
        self.on = True
        state = self.store.load()
        self.role = self.make(state)
        self.radio = driver(self.kind, self.board)
        self.bench.fates.meddle(self)
        self._watch()
        self.node = TwoWay(self.board, self.radio, self.role, self.store, self._deliver, wall, state=state)
        self.board.take_edges()

    def stop(self):
        """The power is cut: nothing is said any more, the chip sleeps."""
        self.on = False
        self.radio.sleep(self.board.now_us())
        self._closed()
        self.bench.cuts.setdefault(self.name, []).append(self.bench.world.now_us)

    def _watch(self):
        radio, world = self.radio, self.bench.world
        listen, sleep = radio.listen, radio.sleep
        prepare = radio.prepare

        def listening(deframer, now_us):
            self._closed()
            listen(deframer, now_us)
            self.heard.append([world.now_ns, None])

        def asleep(now_us):
            self._closed()
            return sleep(now_us)

        def prepared(chips, now_us):
            self._closed()
            return prepare(chips, now_us)

        radio.listen, radio.sleep, radio.prepare = listening, asleep, prepared

    def _closed(self):
        if self.heard and self.heard[-1][1] is None:
            self.heard[-1][1] = self.bench.world.now_ns

    def _deliver(self, one):
        self.delivered.append(one)
        self.bench.told(one)


class Bench:
    """pair: drivers of (gateway, meter). uplink, downlink: sub-modes of the meter, the gateway listens to the first. coding, access,
    spacing, ...: of Declared. security: mode of the upper layers. wait_us: T0 of the first frame, about.

    orders go in with `order`; `events` are what became of them; `judge` looks at the air.
    """

    def __init__(
        self,
        pair=("sx1262", "sx1262"),
        uplink="UL-B4",
        downlink="DL-B4",
        meters=1,
        seed=0,
        security=7,
        nominal_us=600 * S,
        wait_us=5 * S,
        crystals=CRYSTALS,
        listens=None,
        install="none",
        gateway_wrap=None,
        meter_wrap=None,
        mac_key=True,
        fillers=0,
        busy_us=0,
        registers=None,
        registration=None,
        tiv=40,
        jitter=True,
        costly=False,
        **declared,
    ):
        self.world = World(seed=seed)
        self.fates = Fates(self.world)
        self.cuts = {}
        self.ends = {}
        self.nominal_us = nominal_us
        self.jitter = jitter
        self.crystals = crystals
        self.addresses = [Address.parse("{:08d}.M=KAM.V=1b.T=07".format(31415926 + n)) for n in range(meters)]
        store = KEYS if mac_key else {(0, 0): MASTER}
        known = [KnownMeter(str(one), one, MASTER) for one in self.addresses]
        self.listens = listens or uplink.split("+")[0]  # its owner may change that; heeded at its next start
        # A CC1101 sends what an SX1262 cannot: the meter is told what its radio has room for.
        longest = (
            255
            if pair[1] == "cc1101"
            else {"7/8": 198, "multi": 198, "1/2": 113, "1/3": 75}[declared.get("coding", "7/8")]
        )
        declared.setdefault("longest", longest)
        declared.setdefault("carriers", (2,))

        def gateway(state):
            partners = [
                BurstPartner(one, MASTER, PROFILE[security], keys=key_store(KEYS)) for one in self.addresses
            ]
            made = BurstGateway(
                BurstCollector(known, self.listens, costly),
                GATEWAY,
                partners,
                bytes((seed * 7 + i * 29 + 3) & 0xFF for i in range(32)),
                state=state,
                install=install,
                restore=lambda stored: orders.restore(stored, key_store(KEYS)),
            )
            return gateway_wrap(made, self) if gateway_wrap else made

        def meter(number):
            def make(state):
                profile = Profile(
                    self.addresses[number],
                    registers or [Register(b"\x0c", b"\x13", 6408), Register(b"\x02", b"\xfd\x17", 0)],
                    mode=uplink.split("+")[0],
                    frame_format="B",
                    nominal_us=nominal_us,
                    key=MASTER,
                    security_mode=security,
                )
                at_us = (wait_us + number * 31 * S) % nominal_us
                made = BurstMeter(
                    profile,
                    Declared(
                        uplink,
                        downlink=downlink,
                        tiv=None if tiv is None else (tiv + 29 * number) & 127,
                        **declared,
                    ),
                    bytes((17 * number + 40 & 0xFF,)) + at_us.to_bytes(4, "big") + bytes(12),
                    store,
                    STORAGE,
                    device(state, busy_us),
                    state,
                    fillers=fillers,
                    registration=registration,
                )
                return meter_wrap(made, self) if meter_wrap else made

            return make

        self.gateway = Side(self, "gateway", pair[0], gateway, crystal_ppm=crystals[0], clock_ppm=CLOCKS[0])
        self.meters = [
            Side(
                self,
                "meter{}".format(n),
                pair[1],
                meter(n),
                crystal_ppm=crystals[1] - 2 * n,
                clock_ppm=CLOCKS[1] - 2 * n,
            )
            for n in range(meters)
        ]
        self.queue = []
        self.numbers = {}

    @property
    def meter(self):
        return self.meters[0].role

    # --- orders ---

    def order(self, words, at_us=0, meter=0, expires_us=None):
        self.queue.append((at_us, meter, list(words), expires_us))
        self.queue.sort(key=lambda row: row[0])

    def _enter(self):
        ready = self.gateway.on and self.gateway.node._started  # then it knows what it had stored
        while ready and self.queue and self.queue[0][0] <= self.world.now_us:
            _, meter, words, expires_us = self.queue.pop(0)
            made = orders.make(words, self.addresses[meter], key_store(KEYS))
            now_us = self.gateway.board.now_us()
            number = self.gateway.role.queue(self.addresses[meter], made, now_us, expires_us)
            self.numbers[number] = (meter, words)

    @property
    def events(self):
        return [one for one in self.gateway.delivered if isinstance(one, OrderEvent)]

    def told(self, one):
        if isinstance(one, OrderEvent) and one.step in ENDS and one.number is not None:
            self.ends[one.number] = (one.step, one.detail)

    def outcome(self, number=1):
        return self.ends.get(number)

    # --- time ---

    def run(self, until_us, stop=None):
        """Until this instant of world time, or until stop()."""
        delay = self.world.linux_delay() if self.jitter else None
        while self.world.now_us < until_us and not (stop and stop()):
            self._enter()
            nodes = [side.node for side in [self.gateway, *self.meters] if side.on]
            delay_us = None if delay is None else lambda node: delay(node) if node is self.gateway.node else 0
            next_us = min([until_us] + [row[0] for row in self.queue[:1]])
            next_us = max(next_us, self.world.now_us + 1)
            if nodes:
                self.world.run(nodes, next_us, stop, delay_us)
            else:
                self.world.advance_us(next_us - self.world.now_us)
        return self

    def behind(self, us, stop=None):
        return self.run(self.world.now_us + us, stop)

    def until_done(self, most_us=4000 * S, behind_us=60 * S):
        """Until every order has ended, and so long behind that."""
        self.run(most_us, lambda: not self.queue and 0 < len(self.numbers) == len(self.ends))
        assert len(self.numbers) == len(self.ends) and not self.queue, (self.numbers, self.events[-8:])
        return self.behind(behind_us)

    def cut(self, side, off_us):
        """Its power is cut for so long."""
        side.stop()
        self.behind(off_us)
        side.start()

    # --- the judge ---

    def judge(self, **more):
        meters = {
            one.link_bytes(): dict(source=side.name, nominal_us=self.nominal_us, key=MAC_KEY)
            for one, side in zip(self.addresses, self.meters, strict=True)
        }
        crystals = {side.name: self.crystals[1] - 2 * n for n, side in enumerate(self.meters)}
        strict = [side.name for side in [self.gateway, *self.meters] if side.kind == "sx1262"]
        fates = self.fates
        made = Judge(
            meters,
            fates.lost,
            {n: c for n, c in self.cuts.items() if n != "gateway"},
            crystals,
            strict,
            fates.ghosts,
            **more,
        )
        log = sorted(
            (one for one in self.world.air.log if one.end_ns is not None), key=lambda one: one.start_ns
        )
        for sent in log:
            if id(sent) in fates.ghosts and sent.source != "gateway":
                made.echo(sent)
                continue
            made.hear(sent, fates.clean.get(id(sent)))
        self._windows(made, log)
        self._limits(made, log)
        return made

    def _windows(self, made, log):
        """How long before the first chip the receiver of the meter was on, and how much longer than the front sync."""
        for sent in log:
            if sent.source != "gateway" or id(sent) in self.fates.lost or id(sent) in self.fates.ghosts:
                continue
            side = self.meters[0]
            if len(self.meters) > 1:
                continue
            front_ns = sent.time_ns(64)
            on = [
                one
                for one in side.heard
                if one[0] <= sent.start_ns and (one[1] is None or one[1] >= front_ns)
            ]
            if on:
                made.margins.setdefault(("meter", "on before first chip"), []).append(
                    (sent.start_ns - on[-1][0]) / 1000
                )

    def _limits(self, made, log):
        """Duty cycle: 1 % and 10 % (sheet 2)."""
        for side in [self.gateway, *self.meters]:
            share = made.fullest_hour(side.name, log)
            most = 0.1 if side is self.gateway else 0.01
            made.margins.setdefault((side.name, "duty cycle, ppm left"), []).append((most - share) * 1e6)
            if share > most:
                made.wrong.append("{} was {:.2f} % of an hour on the air".format(side.name, share * 100))


def table(rows):
    """Lines of a table of margins: {(label, who, what): [us]}."""
    lines = []
    for name, margins in sorted(rows.items()):
        margins = sorted(margins)
        lines.append(
            "{:64} {:5} times, least {:10.1f}, median {:10.1f}".format(
                " ".join(str(one) for one in name), len(margins), margins[0], margins[len(margins) // 2]
            )
        )
    return lines
