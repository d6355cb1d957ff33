"""A node of `World.run` with an SX1262, beside the one with a CC1101 in support_stations.py."""

import support_stations
from omsnode.drivers.sx1262 import Sx1262


class Station(support_stations.Station):
    def __init__(self, world, name, driver=None, **board):
        self.world = world
        self.board = world.add_board(name=name, chip="sx1262", **board)
        pins = self.board.pins
        self.radio = Sx1262(
            self.board.spi,
            pins["busy"],
            pins["dio1"],
            pins["reset"],
            txen=pins.get("txen"),
            rxen=pins.get("rxen"),
            **{"tcxo_mv": 1800, **(driver or {})},
        )
        self.events = []
        self.radio.start(self.board.now_us())
        self.board.take_edges()
