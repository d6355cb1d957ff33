"""The gateway's part in installing burst meters (OMS Vol.2 5.2.6, Annex Q.3.3.5; LPWAN sheet sections 17 L8, 20, 21).

As roles.installer, but for the SND-NKE some seconds behind a SND-IR: a burst meter listens in its slots and nowhere else, and
what is said there is its CNF-IR. So the SND-NKE that is to tell a service tool who hears the meter is not sent (inferred).
"""

from ...link import control
from ...link.lpwan import llc
from ...transport import compose
from ..installer import Installation, Installer
from ..partner import level_of

_EMPTY = 0x80


class BurstInstaller(Installer):
    """As Installer."""

    def heard(self, seen, event, partner=None):
        return Installation(seen.address, "heard", event.rssi_dbm, event.at_us, None)

    def confirm(self, seen, event, known):
        """[MAC payloads] of the CNF-IR to a SND-IR, that with everything first; None if the meter is not allowed. With the meter's
        own numbers (7.2.2.1); we name ourselves, since nobody is allocated to it yet."""
        if seen.number is None or not self.allows(seen, known):
            return None
        number = seen.tpl.access_number if seen.tpl.access_number is not None else seen.number
        upper = compose.build(_EMPTY, number, level_of(event.rssi_dbm), 0, seen.address)
        meter = seen.link.address
        full = llc.gateway_down(control.CNF_IR, meter, seen.number, upper, self.gateway)
        bare = llc.gateway_down(control.CNF_IR, meter, seen.number)
        return [llc.build(full, False), llc.build(bare, False)]
