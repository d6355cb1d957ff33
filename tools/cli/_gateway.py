"""The gateway side of `omsnode collect`: the role around its collector, and the desk at which others give orders."""

import os
import sys

from omsnode.firmware.application import valve
from omsnode.firmware.errors import MisuseError, OmsError, StoreError
from omsnode.firmware.host import channel, key_store
from omsnode.firmware.host.access import Access
from omsnode.firmware.host.order_desk import Desk
from omsnode.firmware.host.store import JsonStore
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import modes
from omsnode.firmware.phy.burst import submodes
from omsnode.firmware.roles.gateway import Gateway, OrderEvent
from omsnode.firmware.roles.key_holder import MASTER
from omsnode.firmware.roles.key_steps import KeyChange
from omsnode.firmware.roles.lpwan.gateway import BurstGateway
from omsnode.firmware.roles.lpwan.gateway_managed import Managing
from omsnode.firmware.roles.lpwan.gateway_partner import BurstPartner
from omsnode.firmware.roles.lpwan.gateway_status import MacStatus
from omsnode.firmware.roles.meter import CLOCK, Profile, Register
from omsnode.firmware.roles.partner import Partner

from . import _beyond, _orders, scene

_USUAL = (
    Address.parse("00000000.M=OMN").manufacturer,
    1,
    0x07,
)  # what an address does not say of a meter that is played
_PLAYED_US = 4000000  # it speaks so often
_PLAYED_BURST_US = 15000000  # two exchanges fit between


class Counter:
    """settings: config.Config with a gateway. stored: KeyStore. state_dir: where everything is kept; StoreError if another
    collector takes orders there. form: format of the readings. deliver: function that takes them. labels: _beyond.Labels."""

    def __init__(self, settings, stored, state_dir, form, deliver, labels):
        self._settings = settings
        self._stored = stored
        self._state_dir = state_dir
        self._form = form
        self._pass = deliver
        self._labels = labels
        self._outcomes = JsonStore(state_dir, "orders")
        self._opened = False
        try:
            self._outcomes.claim()
        except StoreError as error:
            raise StoreError(
                "{}: {}".format(state_dir, error.message),
                hint="one collector takes orders there: stop that one",
            ) from None
        for meter in settings.partners:
            meter.key = (self.keys(meter)(MASTER) or (0, None))[1]

    def keys(self, meter):
        """As orders.make wants it: function (KeyID, version or None) that gives (version, Key) or None. A master key to which
        the meter was changed goes before that of the configuration."""

        named = self._settings.mac_keys.get(meter)

        def found(key_id, version=None):
            row = self._stored.row_for(meter.address, key_id, version)
            changed = row is not None and bool(row.version)
            if key_id == MASTER and meter.key is not None and not changed and version in (None, 0):
                return 0, meter.key
            if key_id == key_store.MAC_KEY and named is not None:
                return 0, named
            return row and (row.version or 0, row.key)

        return found

    def played(self, one):
        """The meters to which it speaks, where all is virtual: [(name, roles.meter.Profile, access.Access, store)]. one: config.Radio
        of the gateway."""
        out = []
        for index, meter in enumerate(self._settings.partners):
            own = meter.address
            if meter.key is None:
                raise MisuseError(
                    "{} has no key, and without one it cannot be played".format(meter.name),
                    hint='add key = "@name"',
                )
            whole = [
                here if here is not None else usual
                for here, usual in zip((own.manufacturer, own.version, own.device_type), _USUAL, strict=True)
            ]
            address = Address(whole[0], own.ident, *whole[1:])
            mode = submodes.base(one.mode) if one.burst else one.mode[0] + "2"
            if one.mode == modes.T_AND_C:
                mode = ("T2", "C2")[index % 2]
            profile = Profile(
                address,
                [
                    Register(b"\x04", b"\x13", 54321, 500000),  # volume 0.001 m3
                    Register(b"\x04", b"\x6d", CLOCK),
                    Register(b"\x02", b"\x3b", 88),  # volume flow 0.001 m3/h
                ],
                mode=mode,
                frame_format="B" if one.burst else "A",
                nominal_us=_PLAYED_BURST_US if one.burst else _PLAYED_US,
                key=meter.key,
                security_mode={"A": 5, "B": 7, "D": 10}[meter.profile or "B"],
                with_ell=not one.burst,
            )
            asked = self.keys(meter)
            keys = {(MASTER, asked(MASTER)[0]): meter.key}
            for row in self._stored.rows(address):
                if row.key_id and row.active:
                    keys[row.key_id, row.version or 0] = row.key
            if one.burst and asked(key_store.MAC_KEY):
                keys[key_store.MAC_KEY, asked(key_store.MAC_KEY)[0]] = asked(key_store.MAC_KEY)[1]
            kept = JsonStore(self._state_dir, "virtual-" + str(address))
            make = (
                scene.burst_access(mode, keys)
                if one.burst
                else Access(keys=keys, valve=valve.DIRECT, fast=False)
            )
            out.append((meter.name, profile, make, kept))
        return out

    def stored(self, radio_name):
        """(store of the collector, what is in it)."""
        store = JsonStore(self._state_dir, "collector-" + radio_name)
        return store, store.load() or {}

    def role(self, collector, state, one):
        """The Gateway around a Collector. state: what was stored. one: config.Radio with which it sends."""
        settings = self._settings
        kind, partner = (BurstGateway, BurstPartner) if one.burst else (Gateway, Partner)
        partners = [self._partner(partner, meter, one) for meter in settings.partners]
        self._radio_name = one.name
        self._gateway = kind(
            collector,
            settings.gateway.address,
            partners,
            os.urandom(16),
            state=state,
            install=settings.gateway.install,
        )
        return self._gateway

    def _partner(self, kind, meter, radio):
        keys = self.keys(meter)
        version = keys(MASTER)[0] if keys(MASTER) else 0
        made = kind(meter.address, meter.key, meter.profile, version, keys)
        if meter in self._settings.managed:
            # Of its own accord it takes no downlink beyond the limits, whatever the owner allows.
            sent = [name for name in submodes.DOWNLINKS if not _beyond.labels(radio, [(name, _beyond.TX)])]
            made.managing = Managing(downlinks=sent)
        return made

    def open(self, node, wall):
        """Orders are taken from now on. node: with the role. wall: its clock."""
        self._desk = Desk(
            self._gateway,
            channel.Server(self._state_dir),
            self._settings.partners,
            self.keys_of,
            node.board.now_us,
            wall,
            self._outcomes,
            lambda: self._labels.of(self._radio_name),
        )
        self._opened = True

    def keys_of(self, address):
        for meter in self._settings.partners:
            if meter.address == address:
                return self.keys(meter)
        return lambda key_id, version=None: None

    def deliver(self, one):
        """What the node delivers: a Reading, an OrderEvent, a KeyChange, or the MacStatus of a burst meter."""
        if isinstance(one, KeyChange):
            self._changed(one)
            return
        if isinstance(one, OrderEvent):
            self._print(*self._desk.found(), self._desk.told(one))
            return
        if isinstance(one, MacStatus):
            self._print(self._desk.status(one))
            return
        self._desk.heard(one)
        self._pass(one)

    def _print(self, *events):
        for event in events:
            if self._form == "json":
                print(_orders.as_json(event), flush=True)
            else:
                to = sys.stdout if self._form == "table" else sys.stderr
                print(_orders.as_line(event, True), file=to, flush=True)

    def _changed(self, change):
        """A meter has a new master key, which its owner has put into the key store: that row is in use from now on."""
        for meter in self._settings.partners:
            if meter.address.matches(change.address):
                meter.key = change.key
        for row in self._stored.rows(change.address):
            if row.version == change.key_version and row.key == change.key:
                row.active = True
        try:
            with key_store.changing(self._stored.path) as stored:
                for row in stored.rows(change.address):
                    if row.version == change.key_version and row.key == change.key:
                        row.active = True
        except OmsError as error:
            print(
                "omsnode: the key store does not know yet that the new key of {} is in use: {}\n  {}".format(
                    change.address, error.message, error.hint
                ),
                file=sys.stderr,
            )

    def look(self):
        self._print(*self._desk.found())
        self._desk.look()

    def close(self):
        if self._opened:
            self._desk.close()
        self._outcomes.release()
