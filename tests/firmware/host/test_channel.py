"""The channel into a running collector: requests and events in lines of JSON, and clients that misbehave."""

import json
import os
import socket
import stat
import threading

import pytest
from omsnode.firmware.errors import ChannelError, MisuseError, OmsError, StoreError
from omsnode.firmware.host import channel


@pytest.fixture
def server(tmp_path):
    one = channel.Server(tmp_path)
    yield one
    one.close()


def connected(server):
    """A bare client, as any program could be one."""
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.settimeout(240)
    one.connect(str(server.path))
    return one


def echo(request):
    return {"number": request["number"]}, request["number"]


def refuse(request):
    raise MisuseError("not so", hint="but so")


def lines(client, n):
    data = b""
    while data.count(b"\n") < n:
        more = client.recv(65536)
        assert more, data
        data += more
    assert data.endswith(b"\n")
    return [json.loads(line) for line in data.splitlines()]


def ended(client):
    """Whether the server has let it go."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_the_socket_is_for_its_owner_only(server, tmp_path):
    mode = os.stat(tmp_path / "command.sock").st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600


def test_replies_in_order_and_events_of_what_is_followed(server):
    client = connected(server)
    client.sendall(b'{"number": 7}\n{"number": 9}\n')
    server.look(echo)
    server.tell(7, {"number": 7, "step": "sent"})
    server.tell(8, {"number": 8, "step": "sent"})
    server.look(echo)
    server.tell(9, {"number": 9, "step": "done"})
    assert lines(client, 4) == [
        {"reply": {"number": 7}},
        {"order": {"number": 7, "step": "sent"}},
        {"reply": {"number": 9}},
        {"order": {"number": 9, "step": "done"}},
    ]


def test_a_reply_leaves_at_the_next_look(server):
    """Between two looks an order that was taken is stored: who was told so must not lose it with the collector."""
    client = connected(server)
    client.sendall(b'{"number": 7}\n')
    server.look(echo)
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(100)
    client.settimeout(240)
    server.look(echo)
    assert lines(client, 1) == [{"reply": {"number": 7}}]


def test_a_request_may_come_in_pieces(server):
    client = connected(server)
    for piece in (b'{"num', b'ber": 1', b"}", b"\n"):
        server.look(echo)
        client.sendall(piece)
    server.look(echo)
    server.look(echo)
    assert lines(client, 1) == [{"reply": {"number": 1}}]


def test_a_refusal_is_told_with_its_hint(server):
    client = connected(server)
    client.sendall(b"{}\n")
    server.look(refuse)
    server.look(refuse)
    told = {"code": "misuse", "misuse": True, "message": "not so", "hint": "but so"}
    assert lines(client, 1) == [{"refused": told}]
    assert server.counters["refused"] == 1


@pytest.mark.parametrize("junk", [b"\n", b"[]\n", b"{\n", b"\xff\xfe\n", b"[" * 8000 + b"\n", b"x" * 20000])
def test_who_sends_no_request_is_let_go_and_others_are_served(junk, server):
    bad, good = connected(server), connected(server)
    bad.sendall(junk)
    good.sendall(b'{"number": 1}\n')
    for _ in range(5):
        server.look(echo)
    assert ended(bad)
    assert lines(good, 1) == [{"reply": {"number": 1}}]


def test_one_request_per_look_and_everybody_has_a_turn(server):
    greedy, modest = connected(server), connected(server)
    greedy.sendall(b'{"number": 1}\n' * 100)
    modest.sendall(b'{"number": 2}\n')
    asked = []

    def note(request):
        asked.append(request["number"])
        return {}, None

    for _ in range(4):
        server.look(note)
    assert len(asked) == 4 and 2 in asked


def test_who_hangs_up_after_asking_still_gets_its_replies(server):
    client = connected(server)
    client.sendall(b'{"number": 1}\n{"number": 2}\n')
    client.shutdown(socket.SHUT_WR)
    for _ in range(3):
        server.look(echo)
    assert len(lines(client, 2)) == 2 and ended(client)


def test_a_client_that_fetches_nothing_is_let_go_and_counted(server):
    stalled, good = connected(server), connected(server)
    for one in (stalled, good):
        one.sendall(b'{"number": 1}\n')
    for _ in range(3):
        server.look(echo)
    event = {"text": "x" * 1000}
    told = 0
    got = b""
    while not server.counters["stalled"]:
        server.tell(1, event)
        told += 1
        got += good.recv(65536)
        assert told < 10000
    assert told * 1000 > channel.QUEUE
    server.tell(1, {"last": 1})
    server.look(echo)
    while not got.endswith(b'{"last": 1}}\n'):
        got += good.recv(65536)
    assert server.counters["stalled"] == 1


def test_a_client_that_dies_disturbs_nobody(server):
    client = connected(server)
    client.sendall(b'{"number": 1}\n')
    server.look(echo)
    client.close()
    for _ in range(3):
        server.tell(1, {"text": "x" * 100000})
        server.look(echo)
    assert server.counters["stalled"] == 0


def test_there_is_an_end_of_clients(server):
    clients = [connected(server) for _ in range(channel.CLIENTS)]
    server.look(echo)
    beyond = connected(server)
    server.look(echo)
    assert ended(beyond) and server.counters["turned_away"] == 1
    clients[0].close()
    server.look(echo)
    again = connected(server)
    again.sendall(b'{"number": 1}\n')
    server.look(echo)
    server.look(echo)
    assert lines(again, 1) == [{"reply": {"number": 1}}]


def test_who_sees_the_socket_can_connect(tmp_path, monkeypatch):
    """It was there before it listened: a client that was quick was told that nobody takes commands."""
    there = []

    class Watched(socket.socket):
        def listen(self, *backlog):
            there.append((tmp_path / "command.sock").exists())
            super().listen(*backlog)

    monkeypatch.setattr(channel.socket, "socket", Watched)
    server = channel.Server(tmp_path)
    assert there == [False] and [one.name for one in tmp_path.iterdir()] == ["command.sock"]
    server.close()


def test_a_left_socket_is_taken_over_and_none_is_left_behind(tmp_path):
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(str(tmp_path / "command.sock"))
    left.close()
    server = channel.Server(tmp_path)
    connected(server).close()
    server.close()
    assert not (tmp_path / "command.sock").exists()


def test_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        channel.Server(tmp_path / "file")


# --- the other end ---


def served(server, handle, looks):
    """A thread in which the server looks so often."""
    stop = threading.Event()

    def work():
        while not stop.wait(0.005):
            server.look(handle)
            looks.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    return lambda: (stop.set(), thread.join())


def test_client_asks_and_hears(server, tmp_path):
    def handle(request):
        if request["do"] == "order":
            server.tell(3, {"step": "of somebody else"})
            return {"number": 3}, 3
        if request["do"] == "tell":
            server.tell(3, {"step": "sent"})
            return {}, None
        raise OmsError("broken", hint="mend it") if request["do"] == "break" else MisuseError("no such thing")

    end = served(server, handle, [])
    try:
        client = channel.Client(tmp_path)
        assert client.ask({"do": "order"}) == {"number": 3}
        assert client.ask({"do": "tell"}) == {}
        assert next(client.events()) == {"step": "sent"}
        with pytest.raises(MisuseError, match="no such thing"):
            client.ask({"do": "what"})
        with pytest.raises(OmsError, match="broken") as raised:
            client.ask({"do": "break"})
        assert not isinstance(raised.value, MisuseError) and raised.value.hint == "mend it"
    finally:
        end()
    server.close()
    with pytest.raises(ChannelError, match="gone"):
        next(client.events())
    with pytest.raises(ChannelError, match="gone"):
        client.ask({"do": "order"})
    client.close()


def test_nobody_there(tmp_path):
    for directory in (tmp_path, tmp_path / "none"):
        with pytest.raises(ChannelError, match="no collector"):
            channel.Client(directory)
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(str(tmp_path / "command.sock"))
    left.close()
    with pytest.raises(ChannelError, match="no collector"):
        channel.Client(tmp_path)


def test_a_collector_that_does_not_answer(server, tmp_path):
    client = channel.Client(tmp_path, wait_s=0.05)
    with pytest.raises(ChannelError, match="does not answer"):
        client.ask({"do": "list"})
    client.close()


def test_a_directory_deeper_than_a_socket_address(tmp_path):
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    server = channel.Server(deep)
    channel.Client(deep).close()
    server.close()
