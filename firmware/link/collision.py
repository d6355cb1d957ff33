"""Collision avoidance of several gateways at one meter (OMS Vol.2 Annex I; oms-requirements sheet 7).

Whoever wants to say something to a meter waits for a frame of it that is no answer to somebody else: an
opportunity. Two gateways that choose the same one collide at the meter, so from the third try on each draws
one of two opportunities.
"""

from ..portable import const

TRIES = const(11)  # N
OPPORTUNITIES = const(20)  # that N tries take at most
_SURE = const(2)  # tries that take the first opportunity

SEND, PASS, FAILED = "send", "pass", "failed"


class Collision:
    """Of one datagram. tries: the present try, from 1 on; more than TRIES when all are over."""

    def __init__(self):
        self.delivered()

    def delivered(self):
        """The datagram came through: the next one may be sent in the same window."""
        self.tries = 1
        self._at = 1  # t: opportunity of the present try
        self._chosen = 1  # T

    def opportunity(self, entropy):
        """What to do with the opportunity that has come: SEND, PASS (leave it), or FAILED, when all tries are
        over.

        entropy: random integer. It is drawn from at the start of a try; its lowest bit counts.
        """
        if self.tries > TRIES:
            return FAILED
        send = self._at == self._chosen
        self._at += 1
        if self.tries <= _SURE or self._at > 2:
            self.tries += 1
            self._at = 1
            self._chosen = 1 + (entropy & 1) if self.tries > _SURE else 1
        return SEND if send else PASS
