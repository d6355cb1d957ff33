"""key-change: a new key for the meter, by the steps of key_steps.py (OMS Vol.2 Annex M UC-08, M.A).

    key-change [KEYID [VERSION]]      KeyID in hex, default 00: the master key; VERSION default: the next one

The new key is asked for like every other one, as keys(KeyID, VERSION): whoever orders puts it into the key store first, under a
version that is not active. So are the present one and the wrapper key: KeyID 12 for those of communication, 14 for those of
applications. In what `export` gives the new key is only as the meter gets it, wrapped.

What the session has to do with the master key:

1. While `new_key` is not None, the meter may already speak under it. Try it on whatever comes from the meter and is not
   authentic under the present key, with message counters that begin at 0. For the first authentic message call
   changed(wall_us) instead of heard(): then new_key is None and adopted names the key that holds from now on, with these
   counters. A telegram of the meter between the exchanges counts as well.
2. exchange() sets under_new (protect with new_key and its counters) and named (name the version) for the exchange.
3. An application error proves nothing; hand it over as any answer. Call silence() when nothing came.
4. binding: from the activation on the order must come to its end; it is not cancelled, and does not expire.
5. After `restore`, adopted is set again where the change has been seen; adopt it if that is not yet so.
"""

from ...application import sitp_blocks as sitp
from ...application.error_codes import name
from ...errors import MisuseError, OmsError, StoreError
from .. import key_steps as steps
from .order import MORE, Exchange, Order, body, error_code
from .secured import ANSWER_CI, SITP_CI

ROUNDS = 5  # errors in answer to the transfer; tries of the destruction

_COMMUNICATION = range(0x10)
_APPLICATION = range(0x18, 0x30)
_COMMUNICATION_WRAPPER, _APPLICATION_WRAPPER = 0x12, 0x14
_KINDS = {steps.TRANSFER: "SND-UD2", steps.ACTIVATE: "SND-UD", steps.FETCH: "REQ-UD2"}


class KeyChange(Order):
    """Result: key_id, key_version, changed; destroyed: whether the meter has confirmed that the old one is gone. A meter that
    refuses keeps its key: FAILED."""

    def _plan(self, known):
        words = self.words[1:]
        try:
            key_id = int(words[0], 16) if words else steps.MASTER
            version = int(words[1]) if len(words) > 1 else None
        except ValueError:
            key_id = version = -1
        if len(words) > 2:
            raise MisuseError("key-change takes a KeyID and a version", None, "for instance key-change 00 3")
        if key_id in _COMMUNICATION:
            wrapper_id = _COMMUNICATION_WRAPPER
        elif key_id in _APPLICATION:
            wrapper_id = _APPLICATION_WRAPPER
        else:
            raise MisuseError(
                "key-change takes a KeyID", None, "00 to 0F or 18 to 2F, for instance key-change 00"
            )
        old = self.keys(key_id, None) if self.keys else None
        if old is None and (version is None or key_id == steps.MASTER):
            raise MisuseError(
                "the present key with KeyID {:02X} is not known".format(key_id),
                None,
                "add it to the key store",
            )
        version = old[0] + 1 if version is None else version
        if not 0 <= version < sitp.UNUSED or (old and version <= old[0]):
            raise MisuseError(
                "the key version must rise, up to 254", None, "name a version above the present one"
            )
        wrapper = self._found(wrapper_id, None, "the wrapper key")
        new = self._found(key_id, version, "the new key")
        self.state = {
            "step": steps.TRANSFER,
            "key_id": key_id,
            "version": version,
            "old": old[0] if old else None,
            "wrapper": [wrapper_id, wrapper[0]],
            "wrapped": sitp.wrap_key(wrapper[1], new[1], key_id, version).hex(),
            "rounds": 0,
        }

    def _found(self, key_id, version, what):
        found = self.keys(key_id, version) if self.keys else None
        if found is None:
            which = "KeyID {:02X}".format(key_id) + ("" if version is None else " version {}".format(version))
            raise MisuseError(
                what + " is not in the key store: " + which, None, "add it to the key store first"
            )
        return found

    def _wrapper(self):
        key_id, version = self.state["wrapper"]
        return key_id, version, self._found(key_id, version, "the wrapper key")[1]

    def _new(self):
        """(KeyID, version, Key) of the new key, out of what the meter gets; StoreError."""
        try:
            wrapped = bytes.fromhex(self.state["wrapped"])
            _, key, key_id, version = sitp.unwrap_key(self._wrapper()[2], wrapped)
            if (key_id, version) != (self.state["key_id"], self.state["version"]):
                raise ValueError
        except (OmsError, ValueError, TypeError, KeyError):
            raise StoreError(
                "the stored state of a key change cannot be read",
                hint="it belongs to another wrapper key, or is damaged",
            )
        return key_id, version, key

    # --- for the session ---

    @property
    def _master(self):
        return self.state["key_id"] == steps.MASTER

    @property
    def new_key(self):
        if self.outcome != MORE or not self._master or self.state["step"] == steps.DESTROY:
            return None
        return self._new()

    @property
    def adopted(self):
        changed = self.state["step"] in (steps.DESTROY, steps.CHANGED)
        return self._new() if changed and self._master else None

    @property
    def under_new(self):
        return self._master and self.state["step"] == steps.PROBE

    @property
    def named(self):
        return steps.SENDS[self.state["step"]][1]

    @property
    def binding(self):
        return self.outcome == MORE and self.state["step"] != steps.TRANSFER

    @property
    def wants(self):
        return self.state["step"] != steps.ACTIVATE

    def changed(self, wall_us):
        """An authentic message of the meter came under new_key. Returns the outcome."""
        self._asked()
        return self._event("changed")

    def heard(self, heard, wall_us):
        if not self._asked():
            return self.outcome
        if heard.kind == "NACK" or error_code(heard) is not None:
            self.code = error_code(heard)
            return self._event("error")
        step = self.state["step"]
        if step == steps.ACTIVATE:
            if heard.kind == "ACK":
                return self._event("acknowledged")
            self.state["step"] = step = steps.FETCH  # the session has fetched it already
        if heard.telegram is None or heard.telegram.tpl is None or heard.telegram.tpl.ci not in ANSWER_CI:
            return self._event("error")
        told = steps.meaning(step, body(heard.telegram), self.state["key_id"], self.state["version"])
        return self._event(told)

    def _exchange(self, wall_us):
        step = self.state["step"]
        function = steps.SENDS[step][0]
        kind = _KINDS.get(step, "SND-UD2")
        if function is None:
            return Exchange(kind, None, b"")
        made = steps.block(
            function,
            self._wrapper(),
            bytes.fromhex(self.state["wrapped"]),
            self.state["key_id"],
            self.state["version"],
            self.state["old"],
        )
        return Exchange(kind, SITP_CI, sitp.build([made]))

    def _silence(self, wall_us):
        return self._event("silence")

    # --- the machine ---

    def _event(self, event):
        found = steps.TABLE.get((self.state["step"], event))
        if found is None:
            return self.outcome
        before = self.state["step"]
        self.state["step"], what = found
        if what == "end":
            return self._end(event == "ok")
        if what == "again":
            self.state["rounds"] += (
                event == "error" or before == steps.DESTROY
            )  # silence has its time in the session
            if self.state["rounds"] >= ROUNDS and before == steps.DESTROY:
                self.state["step"] = steps.CHANGED
                return self._end(False)
            if self.state["rounds"] >= ROUNDS and before == steps.TRANSFER:
                self.state["step"] = steps.KEPT
                return self._end(False)
        elif what == "adopt":
            self.state["rounds"] = 0
        return self.outcome

    def _end(self, confirmed):
        if self.state["step"] == steps.KEPT:
            why = (
                ""
                if self.code is None
                else " ({}, application error {:02X}h)".format(name(self.code), self.code)
            )
            return self._fail(
                "the meter does not take the new key{}; the present one still holds".format(why)
            )
        return self._done(
            {
                "key_id": self.state["key_id"],
                "key_version": self.state["version"],
                "changed": True,
                "destroyed": confirmed,
            }
        )
