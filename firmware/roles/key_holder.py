"""The keys of a meter, and what commands of the security information transfer do to them (OMS Vol.2 Annex M UC-08; Annex F
F.A.2; sheet en13757-7-security 10.2, 10.3).

A key lives by the table below. Blocks of a message are executed all or none. Nothing here is stored: whoever executes stores
`export()` before he answers. In it the keys are wrapped (RFC 3394) under a key of the device itself.
Inferred: a deactivated key never comes back, since its message counters would; a key that is known under another version is
refused; the versions of one key id only rise.
"""

from ..application import sitp_blocks as sitp
from ..errors import MisuseError, OmsError, StoreError
from ..security import key_wrap
from ..security.counters import LAST

ABSENT, STORED, ACTIVE, RETIRED = 0, 1, 2, 3

# (state, event): (next state, status). What is missing here is answered with "key id or key version not usable".
TABLE = {
    (ABSENT, "transfer"): (STORED, sitp.OK),
    (STORED, "transfer"): (STORED, sitp.OK),
    (STORED, "activate"): (ACTIVE, sitp.OK),
    (ACTIVE, "activate"): (ACTIVE, sitp.OK),
    (ACTIVE, "deactivate"): (RETIRED, sitp.OK),
    (RETIRED, "deactivate"): (RETIRED, sitp.OK),
    (STORED, "destroy"): (ABSENT, sitp.OK),
    (RETIRED, "destroy"): (ABSENT, sitp.OK),
}

MASTER = 0x00
COMMUNICATION_IDS = range(0x10)  # those that a transport layer can name
# Wrapper key: the key ids that it wraps (sheet 10.2; OMS Vol.2 Table 45).
WRAPS = {
    0x10: range(0x10, 0x17),
    0x12: range(0x00, 0x10),
    0x14: range(0x18, 0x30),
}
_MOST = 32  # keys


class _Refused(Exception):
    """A block is not executed: `status` says why."""

    def __init__(self, status):
        super().__init__()
        self.status = status


class KeyHolder:
    """keys: {(key id, key version): Key} that the device was made with, all active. storage_key: Key under which they are
    stored. state: what `export` gave, which then replaces `keys`, or None. StoreError if it cannot be read.

    reset: whether the last `execute` replaced the master key with the option to restart its message counter.
    """

    def __init__(self, keys, storage_key, state=None):
        self.storage_key = storage_key
        self.reset = False
        self._keys = {}  # (key id, version): [state, Key, last key counter]
        if state is None:
            for name, key in keys.items():
                self._keys[name] = [ACTIVE, key, 0]
        else:
            self._restore(state)
        if self.active(MASTER) is None:
            raise MisuseError("a meter needs a master key")

    def _restore(self, state):
        try:
            for key_id, version, life, counter, wrapped in state:
                if life not in (STORED, ACTIVE, RETIRED) or not 0 <= counter <= LAST:
                    raise ValueError
                key = key_wrap.unwrap_key(self.storage_key, bytes.fromhex(wrapped))[0]
                self._keys[(int(key_id), int(version))] = [life, key, counter]
        except (OmsError, ValueError, TypeError):
            raise StoreError(
                "the keys in the stored state cannot be read",
                hint="another storage key, or damaged: bring the state back, or start the meter anew",
            )

    def export(self):
        """Plain data without a key in clear: a list of [key id, version, state, key counter, wrapped key as hex]."""
        return [
            [name[0], name[1], row[0], row[2], key_wrap.wrap_key(self.storage_key, row[1]).hex()]
            for name, row in sorted(self._keys.items())
        ]

    def snapshot(self):
        """What `rollback` takes."""
        return {name: list(row) for name, row in self._keys.items()}

    def rollback(self, snapshot):
        """Everything as it was when `snapshot` was taken."""
        self._keys = snapshot

    def active(self, key_id):
        """The active version of a key id, or None."""
        for name, row in self._keys.items():
            if name[0] == key_id and row[0] == ACTIVE:
                return name[1]
        return None

    def key(self, key_id, version=None):
        """The Key; None if this version, or without one any, is not active."""
        if version is None:
            version = self.active(key_id)
        row = self._keys.get((key_id, version))
        return row[1] if row and row[0] == ACTIVE else None

    # --- commands ---

    def execute(self, blocks, respond):
        """(answer Blocks, effects) of command Blocks.

        respond: function (key id, protocol, APDU) that says what the application does with authentic application data:
        (status, APDU of the answer; None: answer the status alone). What it has done it can undo, if another block fails.
        effects: list of (key id, protocol, APDU) to be done now. A failed block is answered with its status and the others
        with "another block failed"; then nothing has changed here.
        """
        before = self.snapshot()
        self.reset = False
        effects = []
        answers = []
        failed = False
        for block in blocks:
            try:
                answers.append(self._block(block, respond, effects))
            except _Refused as refused:
                failed = True
                answers.append(sitp.status(block, refused.status))
        if failed:
            self.rollback(before)
            self.reset = False
            effects = []
            for index, answer in enumerate(answers):
                if answer.structure != sitp.STATUS or answer.content[0] == sitp.OK:
                    answers[index] = sitp.status(blocks[index], sitp.OTHER_FAILED)
        return answers, effects

    def _block(self, block, respond, effects):
        if block.function == sitp.SECURED:
            return self._secured(block, respond, effects)
        structure, handler = _FUNCTIONS.get(block.function, (None, None))
        if structure != block.structure:
            raise _Refused(sitp.UNKNOWN_FUNCTION)
        return handler(self, block) or sitp.status(block, sitp.OK)

    def _wrapper(self, block):
        key = self.key(block.key_id, block.key_version)
        if key is None or block.key_id not in WRAPS:
            raise _Refused(sitp.KEY)
        return key

    def _unwrap(self, unwrap, block, wanted_time):
        """What a wrapped structure holds; it is for `wanted_time` and for a key that this wrapper wraps."""
        try:
            found = unwrap(self._wrapper(block), block.content)
        except OmsError as error:
            raise _Refused(sitp.SECURITY if error.code == "mac_mismatch" else sitp.PARAMETER)
        if found[0] != wanted_time:
            raise _Refused(sitp.TARGET_TIME)
        return found

    def _may_wrap(self, block, key_id):
        if key_id not in WRAPS[block.key_id]:
            raise _Refused(sitp.KEY)

    def _step(self, name, event):
        row = self._keys.get(name)
        found = TABLE.get((row[0] if row else ABSENT, event))
        if found is None:
            raise _Refused(sitp.KEY)
        if row:
            row[0] = found[0]
        return row

    def _transfer(self, block):
        _, key, key_id, version = self._unwrap(sitp.unwrap_key, block, sitp.NOT_YET)
        self._may_wrap(block, key_id)
        active = self.active(key_id)
        if version == sitp.UNUSED or (active is not None and version <= active):
            raise _Refused(sitp.KEY)
        name = (key_id, version)
        if [True for other, row in self._keys.items() if other != name and row[1] == key]:
            raise _Refused(sitp.KEY)
        if self._step(name, "transfer") is None and len(self._keys) >= _MOST:
            raise _Refused(sitp.PARAMETER)
        self._keys[name] = [STORED, key, 0]

    def _change(self, block):
        change = self._unwrap(sitp.unwrap_change, block, sitp.AT_ONCE)
        new, old = change.activated, change.deactivated
        self._may_wrap(block, new[0])
        active = self.active(new[0])
        if old[0] != new[0]:
            raise _Refused(sitp.KEY)
        if old[1] == sitp.UNUSED and active not in (None, new[1]):
            old = (old[0], active)
        if active not in (None, new[1], old[1]):
            raise _Refused(sitp.KEY)
        fresh = active != new[1]
        carried = 0
        if old[1] != sitp.UNUSED:
            carried = self._step(old, "deactivate")[2]
        row = self._step(new, "activate")
        if fresh and not change.option & sitp.RESET_COUNTER:
            row[2] = carried
        # The message counter belongs to the master key alone (sheet 10.1), and restarts only with another one.
        if fresh and new[0] == MASTER and change.option & sitp.RESET_COUNTER:
            self.reset = True

    def _destroy(self, block):
        _, key_id, version = self._unwrap(sitp.unwrap_name, block, sitp.AT_ONCE)
        self._may_wrap(block, key_id)
        self._step((key_id, version), "destroy")
        del self._keys[(key_id, version)]

    def _all_keys(self, block):
        # Structure 20 is wrapped: the command names the wrapper key.
        wrapper = self._wrapper(block)
        content = key_wrap.wrap_padded(wrapper, sitp.names(sorted(self._keys)))
        return self._list(block, sitp.KEYS, content, (block.key_id, block.key_version))

    def _active_keys(self, block):
        return self._list(block, sitp.NAMES, sitp.names(self._active()))

    def _key_counters(self, block):
        rows = [name + (self._keys[name][2],) for name in self._active()]
        return self._list(block, sitp.COUNTERS, sitp.counters(rows))

    def _active(self):
        return [name for name, row in sorted(self._keys.items()) if row[0] == ACTIVE]

    def _list(self, block, structure, content, name=(sitp.UNUSED, sitp.UNUSED)):
        function = block.function | sitp.RESPONSE
        return sitp.Block(block.number, function, block.recipient, structure, name[0], name[1], content)

    def _secured(self, block, respond, effects):
        row = self._keys.get((block.key_id, block.key_version))
        if row is None or row[0] != ACTIVE or block.key_id in COMMUNICATION_IDS or block.key_id in WRAPS:
            raise _Refused(sitp.KEY)
        try:
            data = sitp.verify(row[1], block.content, block.structure)
        except OmsError as error:
            codes = {"mac_mismatch": sitp.SECURITY, "unsupported": sitp.UNKNOWN_FUNCTION}
            raise _Refused(codes.get(error.code, sitp.PARAMETER))
        if data.counter <= row[2]:
            raise _Refused(sitp.SECURITY)
        if data.target_time != sitp.AT_ONCE:
            raise _Refused(sitp.TARGET_TIME)
        status, apdu = respond(block.key_id, data.protocol, data.apdu)
        if status != sitp.OK:
            raise _Refused(status)
        row[2] = data.counter
        effects.append((block.key_id, data.protocol, data.apdu))
        if apdu is None:
            return sitp.status(block, sitp.OK)
        answer = sitp.Secured(data.counter, data.target_time, data.protocol, apdu)
        content = sitp.secure(row[1], answer, block.structure)
        return self._list(block, block.structure, content, (block.key_id, block.key_version))


# BCF: (DSI, who executes it). 05 and 06 are for certificates.
_FUNCTIONS = {
    sitp.TRANSFER: (sitp.WRAPPED_KEY, KeyHolder._transfer),
    sitp.DESTROY: (sitp.WRAPPED_NAME, KeyHolder._destroy),
    sitp.COMBINED: (sitp.WRAPPED_CHANGE, KeyHolder._change),
    sitp.ALL_KEYS: (sitp.EMPTY, KeyHolder._all_keys),
    sitp.ACTIVE_KEYS: (sitp.EMPTY, KeyHolder._active_keys),
    sitp.KEY_COUNTERS: (sitp.EMPTY, KeyHolder._key_counters),
}
