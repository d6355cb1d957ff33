"""What a burst meter of `omsnode meter` prints of its bursts and of what it hears."""

import sys
from collections import namedtuple

from omsnode.firmware.errors import StoreError
from omsnode.firmware.link import control
from omsnode.firmware.link.lpwan import mac
from omsnode.firmware.roles.lpwan import meter_exchange
from omsnode.firmware.roles.lpwan.meter import FIRST, BurstMeter

from .meter import Shown

_Heard = namedtuple("_Heard", ("kind", "raw"))


class ShownBurstMeter(Shown, BurstMeter):
    """Printed of a burst: the telegram in it as L C M A CI..., the MAC frame where there is only that; MAC frame type and C-field;
    which burst of its frame. Of a downlink: the MAC frame. Both without their CRC."""

    def _carried(self, sent):
        exchange = self._exchange
        if exchange.whole:
            return mac.MACK_FRAME[:-4]
        return exchange.uplink.telegram or sent.telegram[:-4]

    def _kind(self, sent):
        exchange = self._exchange
        further = [step.number for step in exchange.steps if step.kind == meter_exchange.BURST]
        count = len(exchange.shape.names)
        number = 1 if self.state == FIRST else min(further, default=count + 1) - 1
        acknowledges = exchange.whole
        words = [mac.name(mac.MACK if acknowledges else exchange.uplink.type)]
        if exchange.uplink.telegram and not acknowledges:
            words.append(control.name(exchange.uplink.telegram[1], True))
        if count > 1:
            words.append("burst {} of {}".format(number, count))
        return " ".join(words)

    def _taken(self, link, *arguments):
        told = super()._taken(link, *arguments)
        if told is not None:
            upper = control.name(link.c_field, False) if link.c_field is not None else None
            kind = " ".join(word for word in (mac.name(link.mac.type), upper) if word)
            self.asked_to_show = _Heard(kind, link.message)
        return told


def made(device, entropy, state):
    """The role of a host.device.Device. state: of an earlier one. What link management had set is given up if the file now
    declares a meter that cannot do it: its counters and keys stay."""
    try:
        return device.listens.role(ShownBurstMeter, device.profile, entropy, state)
    except StoreError:
        kept = dict((state or {}).get("lpwan") or {})
        if not kept.pop("services", None):
            raise
        role = device.listens.role(
            ShownBurstMeter, device.profile, entropy, {**state, "lpwan": {**kept, "services": None}}
        )
    print("omsnode: the stored link parameters are not of the meter that the file declares", file=sys.stderr)
    print("  they are given up: it begins as declared", file=sys.stderr)
    return role
