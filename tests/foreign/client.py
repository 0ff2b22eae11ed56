"""Python's http.client, and its sockets, against the workload server.

`python3 client.py PORT CASE` runs the function case_CASE. It prints nothing if all is as it should be.
"""

import hashlib
import http.client
import os
import socket
import struct
import sys
import threading

HOST = "127.0.0.1"
PORT = int(sys.argv[1])

# A guard only: what is expected comes at once.
socket.setdefaulttimeout(60)


def connect():
    return http.client.HTTPConnection(HOST, PORT)


def raw(data=b""):
    peer = socket.create_connection((HOST, PORT))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.sendall(data)
    return peer


def everything(peer):
    with peer, peer.makefile("rb") as reader:
        return reader.read()


def get(path, extra=""):
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n{extra}\r\n".encode()


def post(path, body, extra=""):
    return f"POST {path} HTTP/1.1\r\nHost: a\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body


CLOSE = "Connection: close\r\n"


def body_of(answer):
    return answer.partition(b"\r\n\r\n")[2]


def goes_on():
    same("the next client", body_of(everything(raw(get("/plaintext", CLOSE)))), b"Hello, World!")


def duplex(peer, data):
    """Sends while it reads."""
    sender = threading.Thread(target=peer.sendall, args=(data,))
    sender.start()
    answers = everything(peer)
    sender.join()
    return answers


def same(what, got, expected):
    if got != expected:
        got, expected = repr(got), repr(expected)
        sys.exit(f"{what}: got {got[:300]} ({len(got)}), expected {expected[:300]} ({len(expected)})")


def case_persistent():
    """One connection, requests of every kind, each answer read to its end."""
    connection = connect()
    sockets = set()
    for method, path, body, status, answer in [
        ("GET", "/plaintext", None, 200, b"Hello, World!"),
        ("HEAD", "/plaintext", None, 200, b""),
        ("GET", "/204", None, 204, b""),
        ("POST", "/echo", b"abc", 200, b"abc"),
        ("PUT", "/echo", b"", 200, b""),
        ("POST", "/sink", b"x" * 20_000, 200, b"20000\n"),
        ("GET", "/nothing", None, 404, b"404 Not Found\n"),
        ("POST", "/nothing", b"x" * 20_000, 404, b"404 Not Found\n"),
        ("HEAD", "/bytes/5000000", None, 200, b""),
        ("GET", "/bytes/10", None, 200, b"x" * 10),
        ("HEAD", "/chunks/2/3", None, 200, b""),
        ("GET", "/chunks/2/3", None, 200, b"x" * 6),
        ("GET", "/bytes/0", None, 200, b""),
        ("GET", "/chunks/0/0", None, 200, b""),
        ("DELETE", "/", None, 404, b"404 Not Found\n"),
    ]:
        connection.request(method, path, body)
        response = connection.getresponse()
        same(f"{method} {path}", (response.status, response.read()), (status, answer))
        sockets.add(connection.sock.getsockname())
    same("connections", len(sockets), 1)


def case_head_then_get():
    """HEAD announces what GET sends, field by field."""
    connection = connect()
    seen = []
    for method, length in [("HEAD", 0), ("GET", 1000)]:
        connection.request(method, "/bytes/1000")
        response = connection.getresponse()
        same(method, len(response.read()), length)
        seen.append([field for field in response.getheaders() if field[0] != "Date"])
    same("fields", *seen)


def case_chunked_by_an_iterable():
    """A body of unknown length goes out chunked, and comes back so."""
    pieces = [bytes([65 + n]) * (n * 37) for n in range(1, 26)]
    connection = connect()
    for _ in range(3):
        connection.request("POST", "/echo", body=iter(pieces), encode_chunked=True,
                           headers={"Transfer-Encoding": "chunked"})
        response = connection.getresponse()
        same("framing", (response.getheader("Transfer-Encoding"), response.getheader("Content-Length")),
             ("chunked", None))
        same("body", response.read(), b"".join(pieces))


def case_echo():
    """100 KiB there and back, several times on one connection."""
    connection = connect()
    for _ in range(5):
        data = os.urandom(100 << 10)
        connection.request("POST", "/echo", data, {"Content-Type": "application/x-noise"})
        response = connection.getresponse()
        same("type", response.getheader("Content-Type"), "application/x-noise")
        same("length", response.getheader("Content-Length"), "102400")
        same("body", response.read(), data)


def case_pipelined():
    """Requests in one write, answers in order."""
    requests = []
    for n in range(50):
        requests += [get("/plaintext"), post("/echo", b"n=%d;" % n), get(f"/bytes/{n}"), get(f"/nothing/{n}")]
    answers = everything(raw(b"".join(requests) + get("/plaintext", CLOSE)))
    same("answers", answers.count(b"HTTP/1.1 "), 201)
    same("closes", answers.count(b"Connection: close"), 1)
    places = [answers.find(b"n=%d;" % n) for n in range(50)]
    same("order", places, sorted(places))
    same("all there", min(places) > 0, True)


def case_pipelined_unread():
    """More requests than any buffer holds, sent while nothing is read; then every answer comes."""
    count = 20_000
    answers = duplex(raw(), get("/plaintext") * (count - 1) + get("/plaintext", CLOSE))
    same("answers", (answers.count(b"HTTP/1.1 200 OK"), answers.count(b"Hello, World!")), (count, count))


def case_dripped():
    """Two requests byte by byte."""
    peer = raw()
    for byte in post("/echo", b"drip") + get("/plaintext", CLOSE):
        peer.send(bytes([byte]))
    answers = everything(peer)
    same("answers", answers.count(b"HTTP/1.1 200 OK"), 2)
    same("bodies", (b"\r\n\r\ndripHTTP/1.1 " in answers, answers.endswith(b"\r\n\r\nHello, World!")), (True, True))


def case_expect_continue():
    """The body is sent only when the server asked for it."""
    peer = raw(post("/echo", b"body", CLOSE + "Expect: 100-continue\r\n")[:-4])
    asks = b"HTTP/1.1 100 Continue\r\n\r\n"
    same("asked", peer.recv(len(asks), socket.MSG_WAITALL), asks)
    peer.sendall(b"body")
    same("answer", body_of(everything(peer)), b"body")


def case_half_closed():
    """A client that is done sending still gets all of its answers."""
    peer = raw(get("/bytes/3000000") + get("/chunks/3/1000000"))
    peer.shutdown(socket.SHUT_WR)
    answers = everything(peer)
    same("answers", (answers.count(b"HTTP/1.1 200 OK"), answers.count(b"x"), answers[-8:]),
         (2, 6_000_000, b"x\r\n0\r\n\r\n"))


def case_cut_upload():
    """A body cut short is refused where no answer has begun, and its echo is cut short too."""
    for framing, part in [("Content-Length: 20000", b"abc"), ("Transfer-Encoding: chunked", b"3\r\nabc\r\n")]:
        for path, status in [("/sink", 400), ("/echo", 200)]:
            peer = raw(f"POST {path} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n".encode() + part)
            peer.shutdown(socket.SHUT_WR)
            with peer:
                response = http.client.HTTPResponse(peer, method="POST")
                try:
                    response.begin()
                    same(f"{path} {framing}", response.status, status)
                    response.read()
                    whole = True
                except (http.client.IncompleteRead, ConnectionResetError):
                    whole = False
            same(f"{path} {framing}: whole", whole, status == 400)


def case_reset_uploads():
    """Clients that vanish in mid-body cost the others nothing."""
    for _ in range(50):
        peer = raw(post("/echo", b"x" * 1_000_000)[:20_000])
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    goes_on()


def case_abandoned_answers():
    """Nor do those that leave in the middle of an answer."""
    for _ in range(20):
        with raw(get("/bytes/1000000000")) as peer:
            peer.recv(1000)
    goes_on()


def case_refused_in_mid_upload():
    """The refusal arrives although more is sent than is read."""
    peer = raw(b"POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n" + b"x" * 100_000)
    same("status", everything(peer).split(b"\r\n")[0], b"HTTP/1.1 400 Bad Request")


def case_bodies_of_the_size_of_a_buffer():
    """Bodies that end where a buffer does, or next to it, with the head sent apart or in front."""
    wrong = []
    for length in [(n << 16) + more for n in (1, 2, 3, 80) for more in (-1, 0, 1)]:
        # The head alone, and then the body.
        peer = raw(post("/sink", b"x" * length, CLOSE + "Expect: 100-continue\r\n")[:-length])
        peer.recv(len(b"HTTP/1.1 100 Continue\r\n\r\n"), socket.MSG_WAITALL)
        peer.sendall(b"x" * length)
        if body_of(everything(peer)) != b"%d\n" % length:
            wrong.append(f"{length} apart")
        # Head and body have the length together.
        body = b"x" * (2 * length - len(post("/sink", b"x" * length, CLOSE)))
        if body_of(everything(raw(post("/sink", body, CLOSE)))) != b"%d\n" % len(body):
            wrong.append(f"{length} together")
    same("wrong", wrong, [])


def case_upload():
    """2 MiB there while it comes back."""
    data = os.urandom(2 << 20)
    body = body_of(duplex(raw(), post("/echo", data, CLOSE)))
    same("digest", hashlib.sha256(body).digest(), hashlib.sha256(data).digest())


globals()["case_" + sys.argv[2]]()
