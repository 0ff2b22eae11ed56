"""User instructions and heap allocations of one request, counted by callgrind.

Each is counted twice, for few requests and for many: the difference has no start and no warm-up in it. A server has one
connection and one thing in flight, and is idle between (a pipeline has 16 in a write).
"""

import concurrent.futures
import re
import tempfile
from pathlib import Path

from common import BROWSER, Server, answer, callgrind, head

# Requests in the two runs.
FEW, MANY = 800, 4_000


def get(nth):
    return head(f"GET /plaintext?{nth}", {"X-Request-Id": nth * 7}.items())


def browser(line, nth):
    return head(line, {**BROWSER, "Cookie": f"session={nth}; theme=dark"}.items())


# What asks once, the nth time, and how often that is sent at once; 0 where each has a connection of its own.
REQUESTS = {
    "GET": (lambda _: head("GET /plaintext"), 1),
    "GET, 12 fields": (lambda _: browser("GET /plaintext", 1), 1),
    "pipeline of 16": (lambda _: head("GET /plaintext"), 16),
    "POST, echo of 1 KiB": (lambda _: head("POST /echo", {"Content-Length": 1024}.items()) + b"x" * 1024, 1),
    "GET, 64 chunks of 1 KiB": (lambda _: head("GET /chunks/64/1024"), 1),
    "GET, each different": (get, 1),
    "12 fields, each different": (lambda nth: browser(f"GET /plaintext?{nth}", nth), 1),
    "pipeline, each different": (get, 16),
    "GET, a connection each": (lambda _: head("GET /plaintext", {"Connection": "close"}.items()), 0),
}


def ask(server, name, requests):
    """Asks so many times, over one connection if they share one, each time when the answer before it is there."""
    request, at_once = REQUESTS[name]
    if at_once == 0:
        for nth in range(requests):
            with server.connect() as connection:
                connection.sendall(request(nth))
                answer(connection)
                assert connection.recv(1) == b"", "the connection is open"
        return
    with server.connect() as connection:
        connection.sendall(request(0))
        length = answer(connection) * at_once
        for nth in range(0, requests, at_once):
            connection.sendall(b"".join(map(request, range(nth, nth + at_once))))
            left = length
            while left > 0:
                data = connection.recv(1 << 16)
                assert left < length or data.startswith(b"HTTP/1.1 200 "), data[:99]
                assert data, "the connection was closed"
                left -= len(data)
            assert left == 0, "an answer is longer than the first"


def counted(out):
    """Instructions and allocations in a file of callgrind."""
    names, calls, callee, instructions = {}, 0, None, None
    for line in out.open():
        if line.startswith(("fn=", "cfn=")):
            number, _, name = line.split("=", 1)[1].strip().partition(" ")
            callee = names.setdefault(number, name)
        elif line.startswith("calls=") and re.fullmatch(r"(malloc|calloc|realloc|posix_memalign|aligned_alloc)", callee):
            calls += int(line[6:].split()[0])
        elif line.startswith(("summary:", "totals:")):
            instructions = int(line.split()[1])
    return instructions, calls


def count(program, flags, name, requests):
    """Instructions and allocations of a server with so many requests, and of what is around them."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        with Server(program, *flags, before=callgrind(out)) as server:
            ask(server, name, requests)
        return counted(out)


def per_request(count):
    """The difference of two runs, of which `count` does one."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        less, more = pool.map(count, (FEW, MANY))
    return [(b - a) / (MANY - FEW) for a, b in zip(less, more)]
