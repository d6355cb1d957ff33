"""One collector over radios of both kinds: link frames of modes S, T and C, and bursts; and how other radios stand beside that of a
gateway.

What is decoded, believed, counted and stored is one, whatever radio heard it.
"""

from ..application import telegram as application
from ..phy import radio
from ..roles.collector import Collector
from ..roles.lpwan.collector import BurstCollector
from ..roles.lpwan.hearing import MESSAGE

BURST = "B"  # family of a burst


class MixedCollector(BurstCollector):
    """As BurstCollector, and as Collector for what is no burst. mode: what `start` listens to. uplink: sub-mode of the bursts."""

    def __init__(self, meters, mode, uplink, decode=application.decode, **more):
        super().__init__(meters, uplink, **more)
        self.mode = mode
        self._plain = decode

    def messages(self, event, now_us):
        if event.kind == radio.FRAME and event.family != BURST:
            return [event]
        return super().messages(event, now_us)

    def _raw(self, event):
        return super()._raw(event) if event.frame_format == MESSAGE else Collector._raw(self, event)

    def _telegram(self, raw, event, now_us, wall_us):
        if event.frame_format == MESSAGE:
            return super()._telegram(raw, event, now_us, wall_us)
        self._link = None
        return Collector._telegram(self, raw, event, now_us, wall_us)

    def _read(self, raw, key_for, default_keys, formats, fragments=None, now_us=0):
        if self._link is not None:
            return super()._read(raw, key_for, default_keys, formats, fragments, now_us)
        return self._plain(raw, key_for, default_keys, formats, fragments=fragments, now_us=now_us)


class Beside:
    """The collector of a gateway as its other radios feed it (radios.Shared): what they hear is told, and never answered.

    gateway: roles.gateway.Gateway. own: name of its radio."""

    due_us = None  # that of the gateway is a matter of its own node

    def __init__(self, gateway, own):
        self._gateway = gateway
        self._own = own
        self.radio_name = own
        self.counters = gateway.counters

    def feed(self, event, now_us, wall_us=None):
        return self._aside(self._gateway.collector.feed, event, now_us, wall_us)

    def decoded(self, number, payload, now_us, wall_us=None):
        return self._aside(self._gateway.collector.decoded, number, payload, now_us, wall_us)

    def tick(self, now_us, wall_us=None):
        return []

    def stop(self):
        return self._gateway.stop()

    def _aside(self, do, *arguments):
        collector = self._gateway.collector
        collector.radio_name = self.radio_name
        try:
            return self._gateway.beside(do(*arguments), arguments[-2])
        finally:
            collector.radio_name = self._own
