"""Follows messages in fragments on the air, for the judge (security sheet 7.5; oms-requirements sheet 3.1.3.3, 14.6, 14.7)."""

FCB = 0x20


class _Message:
    def __init__(self, frame):
        self.first = self.last = frame
        self.length = len(frame.message)


class Fragments:
    """Of one meter and its gateway. wrong(frame, text): takes what is wrong. whole: how many messages came to their end."""

    def __init__(self, wrong):
        self.wrong = wrong
        self.whole = 0
        self._messages = {}  # up: the last one
        self._before = {}  # up: the last datagram

    def hear(self, frame):
        up = frame.sent.up
        if up and frame.kind not in ("ACK", "NACK", "RSP-UD"):
            return
        before, self._before[up] = self._before.get(up), frame
        if frame.same(before):
            return
        if frame.afl is not None and frame.afl.number:
            self._fragment(frame, up)
            return
        if up and frame.kind == "ACK":
            self._acknowledged(frame)
        if frame.kind == "REQ-UD2" and frame.tpl_number is None:
            self._requested(frame, before)
        else:
            self._messages.pop(up, None)

    def _fragment(self, frame, up):
        afl = frame.afl
        if frame.kind != ("RSP-UD" if up else "SND-UD"):
            self.wrong(frame, "is never fragmented")
        if frame.receiver is None:
            self.wrong(frame, "a fragment without receiver in the ELL")
        message = self._messages.get(up)
        if message is None or afl.number == 1:
            message = self._messages[up] = _Message(frame)
            if afl.number != 1:
                self.wrong(frame, "begins with fragment {}".format(afl.number))
        else:
            before, message.last = message.last, frame
            message.length += len(frame.message)
            if not before.afl.more or afl.number != before.afl.number + 1:
                self.wrong(frame, "fragment {} behind {}".format(afl.number, before.afl.number))
            if frame.number == before.number:
                self.wrong(frame, "another fragment with the same number")
            if not up and frame.c ^ before.c != FCB:
                self.wrong(frame, "the FCB does not alternate")
        announced = message.first.afl
        if (afl.length is not None, afl.control) != (afl.number == 1, announced.control * (afl.number == 1)):
            self.wrong(frame, "MCL and ML are in the first fragment, and nowhere else")
        if afl.mac and afl.more:
            self.wrong(frame, "a MAC before the last fragment")
        if afl.more:
            return
        self.whole += 1
        if afl.mac != bool(announced.control & 0x0F):
            self.wrong(frame, "the MAC is in the last fragment")
        if message.length != announced.length:
            self.wrong(frame, "{} bytes, and {} were announced".format(message.length, announced.length))

    def _acknowledged(self, frame):
        """ADR-10; the ACK of the last fragment has a transport layer."""
        asked = self._before.get(False)
        if asked is None or asked.afl is None or not asked.afl.number:
            return
        if frame.receiver is None:
            self.wrong(frame, "acknowledges a fragment without receiver in the ELL")
        if not asked.afl.more and frame.tpl_number is None:
            self.wrong(frame, "the last ACK has a transport layer")

    def _requested(self, frame, before):
        """For a later fragment."""
        message = self._messages.get(True)
        if message is None or not message.last.afl.more:
            self.wrong(frame, "asks for a fragment, and there is none")
        if frame.receiver is None:
            self.wrong(frame, "asks for a fragment without receiver in the ELL")
        if before is not None and before.kind == "REQ-UD2" and frame.c ^ before.c != FCB:
            self.wrong(frame, "the FCB does not alternate")
