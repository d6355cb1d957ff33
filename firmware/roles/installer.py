"""The gateway's part in installing meters (OMS Vol.2 5.2.6, 4.3.2.4; oms-requirements sheet 14.2; link sheet
8.7).

A SND-IR that was heard directly gets a SND-NKE some seconds later, which tells a service tool who hears the
meter and how well. CNF-IR takes the meter over: only where the owner allows it.
"""

from collections import namedtuple

from ..link import control, timing
from ..portable import const
from .partner import echo, farewell, level_of
from .seen import FAMILIES

# step: "heard" (a SND-IR; detail: how well, in dBm, or None), "confirmed" (CNF-IR was sent), "told" (SND-NKE
# was sent). meter: Address. margin_us: to the nearer edge of the window.
Installation = namedtuple("Installation", ("meter", "step", "detail", "at_us", "margin_us"))

CONFIRM, TELL = "confirmed", "told"  # steps of what was sent
KNOWN, NONE = "known", "none"
_MOST = const(8)  # SND-NKE that wait: in mode T2 more of them would use up the air time of the hour
_WINDOW_US = const(50000)  # of a SND-NKE, for which nobody waits
_LEAD_US = const(100000)


class Installer:
    """gateway: our Address. install: "none", "known" or a list of Addresses, which may be patterns. entropy:
    has `number(below)`."""

    def __init__(self, gateway, install, entropy):
        self.gateway = gateway
        self.install = install
        self.entropy = entropy
        self._number = entropy.number(256)
        self._waiting = []  # (at_us, mode, telegram, Address), SND-NKE to be sent

    def heard(self, seen, event, partner=None):
        """A SND-IR, not from a repeater: SND-NKE is to follow. partner: whose it is, if it is of the
        configuration. The Installation to be told."""
        low, high = timing.INSTALLATION_NKE_US
        again = [one for one in self._waiting if one[3].link_bytes() == seen.address.link_bytes()]
        if len(self._waiting) < _MOST and not again:
            number = partner.take_for_nke(event.end_us) if partner is not None else None
            if number is None:
                number = self._number = (self._number + 1) & 0xFF
            telegram = farewell(self.gateway, seen, number, level_of(event.rssi_dbm))
            at_us = event.end_us + low + self.entropy.number(high - low - _WINDOW_US)
            self._waiting.append((at_us, FAMILIES[event.family], telegram, seen.address))
        return Installation(seen.address, "heard", event.rssi_dbm, event.at_us, None)

    def confirm(self, seen, event, known):
        """The CNF-IR to a SND-IR, bytes, or None. known: whether the meter is of the configuration."""
        if seen.number is None or not self.allows(seen, known):
            return None
        return echo(self.gateway, control.CNF_IR, seen, level_of(event.rssi_dbm))

    def allows(self, seen, known):
        """Whether the meter of a SND-IR may be taken over."""
        if self.install == NONE or seen.tpl is None:
            return False
        named = () if self.install == KNOWN else self.install
        return (known and not named) or any([one.matches(seen.address) for one in named])

    def sent(self, step, meter, at_us, margin_us):
        return Installation(meter, step, None, at_us, margin_us)

    @property
    def due_us(self):
        """When `due` has something, or None."""
        return min([one[0] for one in self._waiting]) - _LEAD_US if self._waiting else None

    def due(self, now_us):
        """[(mode, telegram, window, step, Address)] of the SND-NKE to be sent now."""
        out = []
        for one in list(self._waiting):
            at_us, mode, telegram, meter = one
            if at_us - _LEAD_US <= now_us:
                self._waiting.remove(one)
                out.append((mode, telegram, (at_us, at_us + _WINDOW_US), TELL, meter))
        return out
