"""What a gateway remembers of messages that were authentic, and what it therefore no longer believes.

Security sheet 10.1 and 11.1, steps 4 and 6: a meter that has once proved profile B or D does not speak less protected, and
no message counter comes again. Only what is authentic changes anything here, so no forged or damaged frame can latch it.
Memory goes by identification number and key, because the MAC covers nothing else of the address behind a short header:
under another manufacturer or version an old message would be as authentic as before.
How a gateway compares counters is inferred: the flow charts of the standard are not readable in public.
"""

from ..application.telegram import DEFAULT
from ..errors import DowngradeError, LinkError, NoKeyError, PhyError, ReplayError, TransportError
from ..transport.ci import DOWN, EMPTY, ERROR

NEW, REPEATED = "new", "repeated"

_STRENGTH = {None: 0, "A": 1, "B": 2, "C": 2, "D": 2}
_PROVED = {"plain": 0, "decrypted": 1, "authenticated": 2}  # by verdict


class Trust:
    """state: what `export` gave, or None. changed: whether there is more to store than at the last export."""

    def __init__(self, state=None):
        self._last = {}  # identification and fingerprint of the key: last authentic counter
        self.changed = False
        for name, counter in (state if isinstance(state, dict) else {}).items():
            if isinstance(counter, int) and 0 <= counter <= 0xFFFFFFFF:
                self._last[name] = counter

    def check(self, telegram, key, minimum=None):
        """Refuse a decoded Telegram that is protected worse than it must be: DowngradeError.

        key: the master Key of this meter, or None. minimum: OMS security profile that was agreed for this meter, or None.
        Acknowledgements, application errors and what has no application data are never protected (sheet section 10). What
        was opened counts for what it proved, anything else for what it claims; what was refused in the steps 1 to 3 of the
        order stays refused for that.
        """
        tpl = telegram.tpl
        if tpl is None or telegram.address is None or tpl.content in (EMPTY, ERROR):
            return
        if isinstance(telegram.error, (LinkError, NoKeyError, PhyError, TransportError)):
            return
        known = key is not None and _name(telegram.address, key) in self._last
        if telegram.verdict in _PROVED:
            own = _PROVED[telegram.verdict] if telegram.key != DEFAULT else 0  # a public key proves nothing
        elif tpl.mode == 9 or telegram.afl and telegram.afl.authentication_type():
            own = 2
        else:
            own = _STRENGTH.get(telegram.profile, 0)
        if own < max(2 if known else 0, _STRENGTH[minimum]):
            raise DowngradeError(
                "{} of a meter that is known with authenticated messages".format(_security(tpl.mode))
                if known
                else "{} of a meter for which profile {} is configured".format(_security(tpl.mode), minimum),
                position=tpl.offset,
            )

    def judge(self, telegram, key, master=None):
        """NEW or REPEATED for a Telegram that is authentic under `key`; ReplayError if its counter is old. master: the Key
        that `check` is asked with, where it is another one.

        A new counter is remembered. A repeated one is normal: the meter itself, a repeater or a second radio sent the message
        again. There is no limit upwards: meters jump, and nobody without the key can make one. Commands count for themselves:
        a meter that did not hear one has messages below it to send.
        """
        name = _name(telegram.address, key)
        if telegram.tpl.direction == DOWN:
            name += "/down"
        elif master is not None and master != key:
            self._last.setdefault(_name(telegram.address, master), 0)
        last = self._last.get(name, -1)
        if telegram.counter < last:
            raise ReplayError("message counter {} after {}".format(telegram.counter, last))
        if telegram.counter == last:
            return REPEATED
        self._last[name] = telegram.counter
        self.changed = True
        return NEW

    def export(self):
        """Plain data for `state`; nothing in it is secret."""
        self.changed = False
        return dict(self._last)


def _name(address, key):
    return address.ident + "/" + key.fingerprint()


def _security(mode):
    return "a message without security" if not mode else "security mode {}".format(mode)
