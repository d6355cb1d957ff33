"""The board with nothing attached: a clock, an air, CC1101 and SX1262 chips. What `omsnode demo` and the tests run on.

    world = World(seed=1)
    meter, gateway = world.add_board(name="meter"), world.add_board(name="gateway", crystal_ppm=-8)
    meter.spi.transfer(tx, rx); meter.pins["gdo0"].read(); meter.now_us(); edges, lost = meter.wait(until_us)
    world.run(nodes, until_us, stop=None, delay_us=world.delay(0, 2000))
    meter.stalls = world.stalls(mean_us=30e6, length_us=5000, name="meter"); world.run(..., delay_us=world.linux_delay())

World(seed): `now_ns`, `now_us`, `air`, `boards`, `add_board(hat, name, position, chip, **settings)`, `advance(to_ns)`,
    `advance_us(us)`, `at(us, call)`, `wait(board, until_ns)`, `run(...)`, `delay(low_us, high_us)`, `linux_delay()`,
    `stalls(mean_us, length_us, name)`.
Stalls(intervals): when a host stands still: (start_us, length_us) of world time; `overlap(start_us, end_us)`.
VirtualBoard: `now_us()`, `spi.transfer(tx, rx)`, `pins["gdo0"|"gdo2"]` (`read()`), `wait(until_us)`, `take_edges()`,
    `chip`, `stalls`, faults `lose_edges(n, line)`, `false_edge(line)`, `swap(line, line)`, `pins[...].stuck` (0/1/None).
    With an SX1262: `pins["dio1"]` (edges), `pins["busy"]`, `pins["dio2"]` (`read()`), `pins["reset"]` and, where the board has
    them, `pins["txen"]`, `pins["rxen"]` (`write(level)`).
Joined(boards): several boards of one host with one `wait`, for firmware.radios.
Cc1101 (board.chip): `transfer(data, hz=None) -> bytes` (one chip-select period, for a byte-level server), `options`
    (attributes as in OPTIONS, settable at any time), `violations`; to look inside: `registers`, `marc`, `rx_fifo`,
    `tx_fifo`, `modem()`; faults: `miso_stuck`, `mosi_stuck` (0x00/0xFF/None), `selected` (False: chip select goes elsewhere),
    `bit_flips` (per byte), `brown_out()`, `supply_dip(us)`, `hang()`, `go_deaf(until)`, `crystal`
    (False: no crystal).
Sx1262 (board.chip): `transfer`, `options` (sx1262.OPTIONS), `violations`, faults as above, `hang(busy)`, and
    `weak_supply`, `forget(what)`, `tcxo_mv`, `inductor`; to look inside: `mode`, `memory`, `buffer`, `irq`,
    `errors`, `modem()`.
miswiring: what people wire or set wrongly, by name; `miswiring.apply(board, name)`, `miswiring.MISWIRINGS`.
Air (world.air): `transmit(transmission)`, `log`, `set_path_loss(a, b, db)`, `chip_error_rate` (a number or a function of
    (transmission, receiver's name)), `capture_db`,
    `noise_figure_db`, `default_path_loss_db`, `noise_syncs`.
Transmission: `start_ns`, `chips` (bytearray, one 0/1 per chip), `chip_rate_cps`, `frequency_hz`, `deviation_hz`,
    `modulation`, `bt`, `modulation_index`, `power_dbm`, `source`, `end_ns`, `packed`. `pack(chips)`, `unpack(packed)` convert.
"""

from .air import Air, Transmission, pack, unpack
from .board import Joined, VirtualBoard
from .cc1101 import Cc1101
from .options import OPTIONS, Options
from .stalls import Stalls
from .sx1262 import Sx1262
from .world import World

__all__ = [
    "OPTIONS",
    "Air",
    "Cc1101",
    "Joined",
    "Options",
    "Stalls",
    "Sx1262",
    "Transmission",
    "VirtualBoard",
    "World",
    "pack",
    "unpack",
]
