"""Between the radio loop and the burst decoder in its own process: captures go out, what came of them comes back.

The decoder may be slow, dead or missing: reception goes on, and its counters say so.
"""

import importlib.util
from typing import Any

from ..roles.lpwan.hearing import Capture
from .burst_decoder import Decoder


def possible():
    """Whether there is what the decoder needs: numpy, of the extra `burst`."""
    return importlib.util.find_spec("numpy") is not None


class Captures:
    """deliver: function of whatever else a node delivers. wall: function from an instant of the board's clock to UTC in us, or None
    while that is unknown. decoder: burst_decoder.Decoder; None: there are no captures."""

    def __init__(self, deliver, wall, decoder=None):
        self._deliver = deliver
        self._wall = wall
        self._decoder = decoder
        self._role: Any = None
        self._node: Any = None
        self._name = None

    def attach(self, role, node, name):
        """role: with `decoded` and `radio_name`, its own or that of its `collector`. node: that carries out what it asks for.
        name: of the radio that hears the bursts."""
        self._role, self._node, self._name = role, node, name
        if self._decoder:
            role.counters["decoder"] = self._decoder.counters

    def deliver(self, one):
        """What a node delivers."""
        if isinstance(one, Capture):
            if self._decoder:
                self._decoder.put(one)
            return
        if hasattr(one, "telegram") and one.mode.startswith("UL-"):
            one.wall_us = self._wall(one.at_us)  # T0: what was heard first may be decoded last (Q.2.4.6.5.3)
        self._deliver(one)

    def look(self):
        """Whenever the radio has time."""
        if not self._decoder or not self._role:
            return
        now_us = self._node.board.now_us()
        for one in self._decoder.look(now_us):
            collector = getattr(self._role, "collector", self._role)
            collector.radio_name = self._name
            actions = self._role.decoded(one.number, one.payload, now_us, self._wall(now_us))
            self._node._do(actions)

    def close(self):
        if self._decoder:
            self._decoder.close()


def decoder():
    """A Decoder, or None without numpy."""
    return Decoder() if possible() else None
