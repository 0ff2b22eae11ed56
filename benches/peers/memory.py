"""What a connection holds while it is idle, and what a client gets a server to hold that asks and never reads."""

import select
import time
from pathlib import Path

from common import answer, head
from workloads import start_server

# Before the first reading, so that what is made once is there.
FIRST = 200
FLOOD = 64


def kernel():
    """Bytes in the kernel's allocator: sockets, files, timers."""
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(fields["Slab"].split()[0]) * 1024


def idle(folders, name, connections):
    """Bytes of a connection that was asked once: of the server, and of the kernel for one end of it."""
    with start_server(folders, [], name) as server:
        opened = []

        def open_more(number):
            for _ in range(number):
                connection = server.connect()
                connection.sendall(head("GET /plaintext"))
                answer(connection)
                opened.append(connection)
            return server.memory(), kernel()

        before, after = open_more(FIRST), open_more(connections)
        poll = select.poll()
        for connection in opened:
            poll.register(connection, select.POLLIN)
        closed = len(poll.poll(0))
        for connection in opened:
            connection.close()
        if closed:
            raise RuntimeError(f"{name} closed {closed} of them")
    own, both_ends = (more - less for more, less in zip(after, before))
    return own / connections, both_ends / connections / 2


def flood(folders, name, seconds):
    """Bytes that a server grows by at most when clients send request after request and read nothing."""
    requests = head("GET /plaintext") * 500
    with start_server(folders, [], name) as server:
        connections = [server.connect() for _ in range(FLOOD)]
        for connection in connections:
            connection.sendall(head("GET /plaintext"))
            answer(connection)
            connection.setblocking(False)
        before = server.memory()
        # What of the requests a connection has not taken yet.
        rest = {connection: b"" for connection in connections}
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            _, ready, _ = select.select([], connections, [], 0.1)
            for connection in ready:
                data = rest[connection] or requests
                rest[connection] = data[connection.send(data) :]
        grown = server.memory("VmHWM") - before
        for connection in connections:
            connection.close()
    return grown
