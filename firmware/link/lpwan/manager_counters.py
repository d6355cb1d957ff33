"""MAC security with its counters, on the side of the NW-Manager (OMS Vol. 2 Annex Q.3.4; LPWAN sheet section 16)."""

from ...errors import BodyError, MacError, MisuseError
from . import mac as frames
from .counters import LAST, LAST_DER, Side, damaged, replayed


class Manager(Side):
    """The NW-Manager's side for one meter. key, address, stored: as for Meter; address: the meter's.

    `pending`: MDerCounter of the meter before an update that no MRSP has confirmed, or None. Until then each command names
    the new one, so that it is right whether the meter has made the update or not.
    """

    def __init__(self, key, address, stored=None):
        self.pending = None
        self._sent = None  # CMD-MMsgCounter of the MCMD that waits for its MRSP
        self._last = None  # the Body of the MSNR that was accepted last
        Side.__init__(self, key, address, stored)

    def export(self):
        """What is to be stored: [MDerCounter, SNR, CMD of the next command, MDerCounter before an update that is not confirmed,
        or None]."""
        return [self.der_counter, self.snr, self.cmd + 1, self.pending]

    def rollback(self, stored):
        if not isinstance(stored, (list, tuple)) or len(stored) != 4 or not isinstance(stored[2], int):
            raise damaged()
        der_counter, snr, following, pending = stored
        Side.rollback(self, (der_counter, snr, max(following - 1, 0)))
        if not 0 <= following <= LAST + 1:
            raise damaged()
        if pending is not None and (not isinstance(pending, int) or not 0 <= pending < der_counter):
            raise damaged()
        self.cmd = following - 1
        self.pending = pending
        self._sent = None

    def rekey(self, key):
        Side.rekey(self, key)
        self.pending = self._sent = self._last = None

    def update(self, der_counter):
        """The next command raises the meter's MDerCounter to this; it carries CMD-MMsgCounter 0. MisuseError while an update is
        not confirmed: its commands go on naming the new one, and the meter may have the one before or that."""
        if self.pending is not None or not self.der_counter < der_counter <= LAST_DER:
            raise MisuseError(
                "an MDerCounter only rises, step by step, up to 255: then the MAC key is changed"
            )
        self.pending = self.der_counter
        self.der_counter = der_counter
        self.cmd = -1

    def command(self, data, named=False, frame_type=frames.MCMD):
        """The secured Body of a new command; store (`export`) before it is sent. A repetition is the same bytes.

        data: bytes of the MBlocks. named: with the MDerCounter. MisuseError where the CMD-MMsgCounter is used up: `update`.
        """
        if self.cmd >= LAST:
            raise MisuseError("the CMD-MMsgCounter is used up: raise the MDerCounter")
        body = self._seal(frame_type, self.cmd + 1, data, named or self.pending is not None)
        self.cmd += 1
        self._sent = self.cmd if frame_type == frames.MCMD else None
        return body

    def response(self, mac):
        """Bytes of the MBlocks of a MRSP. Raises BodyError, DowngradeError (not secured), ReplayError if its counter is not
        that of the command sent last, MacError; then nothing is changed. Store behind it."""
        body = self._secured(mac)
        if self._sent is None or body.counter != self._sent:
            raise replayed("MMsgCounter {} is not that of the command".format(body.counter))
        if body.der_counter not in (None, self.der_counter) or (
            self.pending is not None and body.der_counter is None
        ):
            raise replayed("the MDerCounter of the response is not that of the command")
        data = self._open(frames.MRSP, self.der_counter, body)
        self._sent = None
        if self.pending is not None:
            self.pending = None
            self.snr = 0
        return data

    def unsolicited(self, mac, new=False):
        """Bytes of the MBlocks of a secured MSNR; store behind it. Raises as `response`; ReplayError also for one that was
        accepted before (a meter may send a body again).

        new: the meter has just been installed: an MDerCounter above ours is that of another NW-Manager and is taken over.
        Let `reported` know what its MBlock 07 says.
        """
        body = self._secured(mac)
        found = None
        for der_counter, snr in self._possible(body.der_counter, new):
            try:
                data = self._open(frames.MSNR, der_counter, body)
            except MacError as error:
                found = error
                continue
            if body.counter <= snr:
                repeated = "repeated" if body == self._last else "replayed"
                raise replayed("MMsgCounter {} {}".format(body.counter, repeated))
            if der_counter > self.der_counter:
                self.cmd = 0
            if (
                der_counter >= self.der_counter
            ):  # also where the response was lost that would have confirmed it
                self.der_counter, self.pending = der_counter, None
            self.snr = body.counter
            self._last = body
            return data
        raise found or replayed("the MDerCounter {} is not ours".format(body.der_counter))

    def _possible(self, told, new):
        """The (MDerCounter, SNR that was accepted last) that a MSNR may have. told: its MDerCounter, or None."""
        out = [(self.der_counter, self.snr if self.pending is None else 0)]
        if self.pending is not None:
            out.append((self.pending, self.snr))
        if told is None:
            return out
        if new and told > self.der_counter:
            return [(told, 0)]
        return [one for one in out if one[0] == told]

    def reported(self, cmd):
        """The meter's CMD-MMsgCounter, as it says in MBlock 07 of a MSNR: ours goes on above it."""
        if self.pending is None and cmd > self.cmd:
            self.cmd = cmd

    def _secured(self, mac):
        if mac.error is not None:
            raise mac.error
        if mac.profile != frames.MSP1:
            from ...errors import UnsupportedSecurityError

            raise UnsupportedSecurityError("MAC security profile {}".format(mac.profile + 1))
        if mac.body is None:
            raise BodyError("a {} without MAC body".format(frames.name(mac.type)))
        if mac.body.counter is None:
            from ...errors import DowngradeError

            raise DowngradeError("the MAC body of a {} is not secured".format(frames.name(mac.type)))
        return mac.body
