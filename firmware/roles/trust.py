"""What a gateway remembers of messages that were authentic, and what it therefore no longer believes.

Security sheet 10.1 and 11.1, steps 4 and 6: a meter that has once proved profile B or D does not speak less protected, and
no message counter comes again. Only what is authentic changes anything here, so no forged or damaged frame can latch it.
How a gateway compares counters is inferred: the flow charts of the standard are not readable in public.
"""

from ..errors import DowngradeError, ReplayError
from ..transport.ci import EMPTY, ERROR

NEW, REPEATED = "new", "repeated"

_STRENGTH = {None: 0, "A": 1, "B": 2, "C": 2, "D": 2}


class Trust:
    """state: what `export` gave, or None. changed: whether there is more to store than at the last export."""

    def __init__(self, state=None):
        self._last = {}  # address as hex: {fingerprint of the key: last authentic counter}
        self.changed = False
        for address, counters in (state if isinstance(state, dict) else {}).items():
            if isinstance(counters, dict):
                self._last[address] = {
                    key: number for key, number in counters.items() if isinstance(number, int) and number >= 0
                }

    def check(self, telegram, minimum=None):
        """Refuse a decoded Telegram that is protected worse than it must be: DowngradeError.

        minimum: OMS security profile that was agreed for this meter, or None. Acknowledgements, application errors and what
        has no application data are never protected (sheet section 10).
        """
        tpl = telegram.tpl
        if tpl is None or telegram.address is None or tpl.content in (EMPTY, ERROR):
            return
        if telegram.address.tpl_bytes().hex() in self._last:
            minimum = "B"
        own = 2 if telegram.afl and telegram.afl.authentication_type() else _STRENGTH.get(telegram.profile, 0)
        if tpl.mode == 9:
            own = 2
        if own < _STRENGTH[minimum]:
            raise DowngradeError(
                "{} of a meter that is known with authenticated messages".format(_name(tpl.mode))
                if minimum == "B"
                else "{} of a meter for which profile {} is configured".format(_name(tpl.mode), minimum),
                position=tpl.offset,
            )

    def judge(self, telegram, key):
        """NEW or REPEATED for a Telegram that is authentic under `key`; ReplayError if its counter is old.

        A new counter is remembered. A repeated one is normal: the meter itself, a repeater or a second radio sent the message
        again. There is no limit upwards: meters jump, and nobody without the key can make one.
        """
        counters = self._last.setdefault(telegram.address.tpl_bytes().hex(), {})
        name = key.fingerprint()
        last = counters.get(name, -1)
        if telegram.counter < last:
            raise ReplayError("message counter {} after {}".format(telegram.counter, last))
        if telegram.counter == last:
            return REPEATED
        counters[name] = telegram.counter
        self.changed = True
        return NEW

    def export(self):
        """Plain data for `state`; nothing in it is secret."""
        self.changed = False
        return {address: dict(counters) for address, counters in self._last.items()}


def _name(mode):
    return "a message without security" if not mode else "security mode {}".format(mode)
