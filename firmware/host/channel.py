"""The channel into a running collector: how another process gives it orders and hears what becomes of them.

A Unix socket `command.sock` in the collector's state directory, mode 0600: who may read the state may give orders. Both
ways one message is one line of JSON in UTF-8. A client asks, and gets one reply to each request, in order:

    {"do": "order", "meter": "12345678", "words": ["read", "volume"], "expires_s": 7200}    expires_s may be left out
    {"do": "list"}
    {"do": "cancel", "number": 7}
    {"do": "follow", "number": 7}

    {"reply": {"number": 7}}                       to list: {"reply": {"orders": [...]}}
    {"refused": {"code": "misuse", "misuse": true, "message": "...", "hint": "..."}}

Between replies come the events of the orders that this client gave or follows, until it goes:

    {"order": {"number": 7, "step": "sent", ...}}

Whoever serves the channel looks at it between two slices of its radio loop, without threads and without waiting. A reply
leaves at the next look, or with the first event of its order: what it says is stored by then. What a client can cost is
bounded: CLIENTS of them, LONGEST bytes per request, one request per look, QUEUE bytes that it has not fetched. A client that
lets more than that come together is let go, and so is one that sends no JSON; its orders go on.
"""

import contextlib
import json
import os
import pathlib
import socket

from ..errors import ChannelError, MisuseError, OmsError, StoreError

NAME = "command.sock"
CLIENTS = 8
LONGEST = 8192
QUEUE = 1 << 18


class Server:
    """The collector's end. directory: where the socket is to be; whoever serves it holds a lock of its own there, so a socket
    that is found is a left one. StoreError if it cannot be made.

    counters: clients and requests that came, refused requests, stalled (clients that did not fetch), turned_away (clients
    beyond CLIENTS)."""

    def __init__(self, directory):
        self.path = pathlib.Path(directory) / NAME
        self.counters = {"clients": 0, "requests": 0, "refused": 0, "stalled": 0, "turned_away": 0}
        self._clients = []
        try:
            os.makedirs(directory, exist_ok=True)
            # It gets its name when it listens: who sees the name can connect.
            unnamed = self.path.with_suffix(".new")
            unnamed.unlink(missing_ok=True)
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            before = os.umask(0o177)
            try:
                with _short(unnamed) as path:
                    self._socket.bind(path)
            finally:
                os.umask(before)
            self._socket.listen(CLIENTS)
            unnamed.replace(self.path)
            self._socket.setblocking(False)
        except OSError as error:
            raise StoreError(
                "cannot make {}: {}".format(self.path, error.strerror or error),
                hint="check permissions of state_dir",
            ) from None

    def look(self, handle):
        """Do what is to be done now, without waiting. handle: function of a request (a dict) that returns (reply as a dict,
        number of the order that this client is to hear of or None) or raises OmsError."""
        self._accept()
        busy = False
        for client in self._clients:
            client.receive()
            client.send()
            if not busy and (line := client.line()) is not None:
                busy = True
                self._answer(client, line, handle)
            client.close_if_done()
        # Who had to wait this time is first the next time.
        self._clients = [one for one in self._clients[1:] + self._clients[:1] if not one.gone]

    def tell(self, number, event):
        """An event (a dict) of an order to those that follow it."""
        for client in self._clients:
            if number in client.follows:
                self._put(client, {"order": event})
                client.send()

    def close(self):
        """The end: what can be sent is sent."""
        for client in self._clients:
            client.send()
            client.close()
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _accept(self):
        for _ in range(CLIENTS):
            try:
                other, _ = self._socket.accept()
            except OSError:  # nobody; or no file descriptor is left, which is no affair of the radio's
                return
            if len(self._clients) >= CLIENTS:
                self.counters["turned_away"] += 1
                other.close()
                continue
            self.counters["clients"] += 1
            self._clients.append(_Client(other))

    def _answer(self, client, line, handle):
        self.counters["requests"] += 1
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError
        except (ValueError, RecursionError):
            self.counters["refused"] += 1
            client.close()
            return
        try:
            reply, number = handle(request)
        except OmsError as error:
            self.counters["refused"] += 1
            misuse = isinstance(error, MisuseError)
            told = {"code": error.code, "misuse": misuse, "message": error.message, "hint": error.hint}
            self._put(client, {"refused": told})
            return
        if number is not None:
            client.follows.add(number)
        self._put(client, {"reply": reply})

    def _put(self, client, message):
        if not client.gone and not client.put(json.dumps(message).encode() + b"\n"):
            self.counters["stalled"] += 1


class _Client:
    """One connection. gone: it is closed. follows: numbers of the orders that it hears of."""

    def __init__(self, other):
        other.setblocking(False)
        self._socket = other
        self._in = b""
        self._out = b""
        self._ended = False  # it sends nothing any more, but may still fetch
        self.follows = set()
        self.gone = False

    def receive(self):
        """Take what has come, as long as there is room for it."""
        if self.gone or self._ended or len(self._in) > LONGEST:
            return
        try:
            data = self._socket.recv(LONGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._in += data
        self._ended = not data

    def line(self):
        """The next request without its end, or None. One that is too long is nobody's request."""
        if self.gone:
            return None
        line, end, rest = self._in.partition(b"\n")
        if len(line) > LONGEST:
            self.close()
        if self.gone or not end:
            return None
        self._in = rest
        return line

    def put(self, data):
        """False if it had so much to fetch that it is let go."""
        if len(self._out) + len(data) > QUEUE:
            self.close()
            return False
        self._out += data
        return True

    def send(self):
        """Send what the other end takes now."""
        if self.gone or not self._out:
            return
        try:
            self._out = self._out[self._socket.send(self._out) :]
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def close_if_done(self):
        """Whoever has hung up and got its replies is let go."""
        if self._ended and not self._out and b"\n" not in self._in:
            self.close()

    def close(self):
        self.gone = True
        self._socket.close()


class Client:
    """The other end. directory: state directory of the collector. ChannelError if nobody serves the channel."""

    def __init__(self, directory, wait_s=10):
        self.path = pathlib.Path(directory) / NAME
        self._wait_s = wait_s
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(wait_s)
        self._in = b""
        self._events = []
        try:
            with _short(self.path) as path:
                self._socket.connect(path)
        except PermissionError:
            raise ChannelError(
                "no permission for {}".format(self.path),
                hint="give orders as the user that runs the collector: sudo -u omsnode omsnode command ...",
            ) from None
        except OSError:
            raise ChannelError("no collector takes commands in {}".format(directory)) from None

    def ask(self, request):
        """The reply to a request, both dicts. MisuseError, or another OmsError, with which it was refused; ChannelError if there
        is no answer."""
        try:
            self._socket.settimeout(self._wait_s)
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            while "order" in (message := self._next()):
                self._events.append(message["order"])
        except TimeoutError:
            raise ChannelError("the collector does not answer", hint="look at what it says") from None
        except OSError:
            raise ChannelError("the collector has gone") from None
        if "refused" in message:
            raise _refusal(**message["refused"])
        return message["reply"]

    def events(self):
        """The events of the orders that were given here, as they come. ChannelError when the collector goes."""
        while True:
            while self._events:
                yield self._events.pop(0)
            try:
                self._socket.settimeout(None)
                self._events.append(self._next()["order"])
            except OSError:
                raise ChannelError("the collector has gone") from None

    def close(self):
        self._socket.close()

    def _next(self):
        while b"\n" not in self._in:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionResetError
            self._in += data
        line, _, self._in = self._in.partition(b"\n")
        return json.loads(line)


def _refusal(code, misuse, message, hint):
    """The error as it was raised at the other end."""
    error = (MisuseError if misuse else OmsError)(message, hint=hint)
    error.code = code
    return error


@contextlib.contextmanager
def _short(path):
    """The path in a form that a socket takes however deep the directory is: it has 108 bytes for it."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield "/proc/self/fd/{}/{}".format(directory, path.name)
    finally:
        os.close(directory)
