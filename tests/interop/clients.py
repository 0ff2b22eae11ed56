"""Who asks: each client takes a list of requests with their `url`, and returns what came of each."""

import base64
import hashlib
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace

HERE = Path(__file__).resolve().parent
FOLDER = Path(tempfile.mkdtemp(prefix="interop-"))
CERT, KEY = FOLDER / "cert.pem", FOLDER / "key.pem"
STARTED = []


def start(*command, **options):
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL, **options)
    STARTED.append(process)
    return process


def wait_for(port):
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(port)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def digits(size):
    """What uploads are made of."""
    return b"0123456789" * (size // 10)


def result(status=None, fields=None, body=None, error="", trailers=None, hints=(), length=None, sha256=None):
    if body is not None:
        length, sha256 = len(body), hashlib.sha256(body).hexdigest()
    return dict(status=status, fields=fields or {}, length=length, sha256=sha256, error=error,
                trailers=trailers or {}, hints=list(hints))  # fmt: skip


def each(ask):
    """Asks one after the other, and catches what is thrown."""

    def all_of(requests):
        answers = []
        for asked in requests:
            try:
                answers.append(ask(asked))
            except Exception as err:
                answers.append(result(error=f"{type(err).__name__}: {err}"))
        return answers

    return all_of


def body_of(asked):
    body = None if asked["size"] is None else digits(asked["size"])
    return iter([body]) if asked["chunked"] else body


def fields_of(pairs):
    return {name.lower(): value for name, value in pairs}


def curl(requests):
    command = ["curl"]
    for nth, asked in enumerate(requests):
        command += ["--next"] * (nth > 0) + ["-sS", "-m", "20", "--cacert", CERT, "-D", FOLDER / f"head{nth}"]
        command += ["-o", FOLDER / f"body{nth}", "-H", "Expect: 100-continue" if asked["waits"] else "Expect:"]
        command += ["-w", "%{exitcode} %{errormsg}\n", asked["url"]]
        command += ["-0"] * (asked["version"] == "1.0") + ["-I"] * (asked["method"] == "HEAD")
        for name, value in asked["fields"].items():
            command += ["-H", f"{name}: {value}"]
        if asked["size"] is not None:
            (FOLDER / "data").write_bytes(digits(asked["size"]))
            command += ["--data-binary", f"@{FOLDER / 'data'}"]
            command += ["-H", "Transfer-Encoding: chunked"] * asked["chunked"]
        for kind in "head", "body":
            (FOLDER / f"{kind}{nth}").write_bytes(b"")
    said = subprocess.run(list(map(str, command)), capture_output=True, text=True).stdout.splitlines()
    return [curl_result(nth, asked, told) for nth, (asked, told) in enumerate(zip(requests, said, strict=True))]


def curl_result(nth, asked, told):
    *heads, late = re.split(r"\r?\n\r?\n", (FOLDER / f"head{nth}").read_text(errors="replace"))
    statuses = [int(each.split()[1]) for each in heads if each.startswith("HTTP/")]
    fields = fields_of(re.findall(r"(?m)^([\w-]+): ([^\r\n]*)", heads[-1] if heads else ""))
    late = fields_of(re.findall(r"(?m)^([\w-]+): ([^\r\n]*)", late))
    body = b"" if asked["method"] == "HEAD" else (FOLDER / f"body{nth}").read_bytes()
    error = "" if told.startswith("0 ") else told
    return result(statuses[-1] if statuses else None, fields, body, error, late, statuses[:-1])


def program(*command):
    def ask(requests):
        env = os.environ | {"NODE_EXTRA_CA_CERTS": str(CERT)}
        done = subprocess.run(list(map(str, command)), input=json.dumps(requests), capture_output=True, text=True,
                              env=env, timeout=60)  # fmt: skip
        return [result() | told for told in json.loads(done.stdout)]

    return ask


def http_client():
    kept = {}

    def ask(asked):
        scheme, _, host, path = asked["url"].split("/", 3)
        if host not in kept:
            context = ssl.create_default_context(cafile=CERT)
            kept[host] = http.client.HTTPConnection(host, timeout=60) if scheme == "http:" else (
                http.client.HTTPSConnection(host, timeout=60, context=context))  # fmt: skip
        connection = kept[host]
        connection._http_vsn, connection._http_vsn_str = int(float(asked["version"]) * 10), f"HTTP/{asked['version']}"
        try:
            connection.request(asked["method"], f"/{path}", body_of(asked), asked["fields"],
                               encode_chunked=asked["chunked"])  # fmt: skip
            got = connection.getresponse()
            return result(got.status, fields_of(got.getheaders()), got.read())
        except Exception:
            connection.close()
            raise

    return each(ask)


def of_urllib3():
    import urllib3

    pool = urllib3.PoolManager(ca_certs=str(CERT), timeout=60, retries=False)

    def ask(asked):
        got = pool.request(asked["method"], asked["url"], body=body_of(asked), headers=asked["fields"])
        return result(got.status, fields_of(got.headers.items()), got.data)

    return each(ask)


def of_httpx():
    import httpx

    client = httpx.Client(verify=ssl.create_default_context(cafile=CERT), timeout=60, trust_env=False)

    def ask(asked):
        got = client.request(asked["method"], asked["url"], content=body_of(asked), headers=asked["fields"])
        return result(got.status_code, fields_of(got.headers.items()), got.content)

    return each(ask)


def wrk(requests):
    """Asks for a second, and tells no bodies."""
    asked = requests[0]
    script = [f"wrk.method = {asked['method']!r}"]
    script += [f"wrk.headers[{name!r}] = {value!r}" for name, value in asked["fields"].items()]
    script += [f"wrk.body = string.rep('0123456789', {asked['size'] // 10})"] if asked["size"] else []
    (FOLDER / "wrk.lua").write_text("\n".join(script))
    command = ["wrk", "-t1", "-c1", "-d1s", "-s", FOLDER / "wrk.lua", asked["url"]]
    said = subprocess.run(list(map(str, command)), capture_output=True, text=True).stdout
    bad = re.search(r"Socket errors.*|Non-2xx.*", said)
    count = int(re.search(r"(\d+) requests in", said)[1])
    error = bad[0] if bad else "" if count > 1 else "no answer"
    return [result(status=200, error=error)] * len(requests)


def s_client(requests):
    """What is typed into `openssl s_client`, and what it prints."""
    host = requests[0]["url"].split("/")[2]
    sent = b""
    for nth, asked in enumerate(requests):
        fields = asked["fields"] | ({"Connection": "close"} if nth + 1 == len(requests) else {})
        fields |= {"Content-Length": asked["size"]} if asked["size"] else {}
        lines = [f"{asked['method']} {asked['path']} HTTP/{asked['version']}", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        sent += "\r\n".join(lines + ["", ""]).encode() + digits(asked["size"] or 0)
    command = ["openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", CERT, "-connect", host]
    # With -quiet it does not end at the end of its input, but with the connection.
    done = subprocess.run(list(map(str, command)), input=sent, capture_output=True, timeout=60)
    with tempfile.TemporaryFile() as output:
        output.write(done.stdout)
        output.seek(0)
        answers = []
        for asked in requests:
            got = http.client.HTTPResponse(SimpleNamespace(makefile=lambda _: output), method=asked["method"])
            got._close_conn = lambda: None
            got.begin()
            answers.append(result(got.status, fields_of(got.getheaders()), got.read()))
        return answers


class Chromium:
    """A page of the server under test, in which `fetch.js` runs."""

    # A page of each server that has a body and lets a script ask.
    PAGES = {"workload": "/plaintext", "tls": "/plaintext", "counter": "/none", "files": "/page.txt", "chat": "/"}

    def __init__(self):
        port = free_port()
        self.driver = f"http://127.0.0.1:{port}"
        start("chromedriver", f"--port={port}", stdout=subprocess.DEVNULL)
        wait_for(port)
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-proxy-server", "--ignore-certificate-errors"]
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": flags}}}}
        self.session = f"/session/{self.call('/session', wanted)['sessionId']}"
        self.call(f"{self.session}/timeouts", {"script": 60_000})

    def call(self, path, body, method="POST"):
        asked = urllib.request.Request(self.driver + path, json.dumps(body).encode(), method=method)
        return json.load(urllib.request.urlopen(asked, timeout=90))["value"]

    def run(self, page, script, *arguments):
        self.call(f"{self.session}/url", {"url": page})
        whole_script = f"const done = arguments[arguments.length - 1]; ({script})(arguments[0]).then(done, String)"
        return self.call(f"{self.session}/execute/async", {"script": whole_script, "args": arguments})

    def ask(self, requests):
        base, server = requests[0]["url"].removesuffix(requests[0]["path"]), requests[0]["server"]
        script = (HERE / "fetch.js").read_text().strip().rstrip(";").partition("\n")[2]
        return [result() | told for told in self.run(base + self.PAGES[server], script, requests)]

    def chat(self, base):
        script = """(url) => new Promise((resolve) => {
            const socket = new WebSocket(url);
            socket.onopen = () => socket.send("hello");
            socket.onmessage = ({ data }) => { if (data.endsWith("hello")) resolve(data); };
            socket.onerror = () => resolve("an error");
        })"""
        return self.run(base + "/", script, base.replace("http", "ws") + "/chat")

    def quit(self):
        self.call(self.session, {}, "DELETE")


def raw_chat(base):
    """A WebSocket by hand, to look through a proxy."""
    host, port = base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as peer, peer.makefile("rb") as lines:
        key = base64.b64encode(os.urandom(16)).decode()
        peer.sendall(f"GET /chat HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                     f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())  # fmt: skip
        assert b" 101 " in (line := lines.readline()), line
        while lines.readline() != b"\r\n":
            pass
        peer.sendall(b"\x81\x85\0\0\0\0hello")
        while not (text := lines.read(lines.read(2)[1])).endswith(b"hello"):
            pass
        return text.decode()


NGINX = """user root; pid nginx.pid; error_log error.log; events {}
http {
  access_log off; client_max_body_size 0; client_body_temp_path body; proxy_temp_path proxy;
  fastcgi_temp_path fastcgi; scgi_temp_path scgi; uwsgi_temp_path uwsgi;
  map $http_upgrade $hop { default upgrade; "" ""; }
  SERVERS
}"""
NGINX_SERVER = """upstream NAME { server 127.0.0.1:BEHIND; keepalive 8; }
  server { listen 127.0.0.1:FRONT; location / {
    proxy_pass SCHEME://NAME; proxy_http_version 1.1; proxy_request_buffering off; proxy_buffering off;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $hop; } }"""
HAPROXY = """defaults
  mode http
  http-reuse always
  timeout client 60s
  timeout connect 1s
  timeout server 60s
SERVERS"""
HAPROXY_SERVER = """listen NAME
  bind 127.0.0.1:FRONT
  server one 127.0.0.1:BEHIND SSL
"""


def front(template, part, command):
    """Starts a proxy before each server; curl asks through it."""

    def make(ports):
        fronts = {name: free_port() for name in ports}
        servers = ""
        for name, port in fronts.items():
            is_tls = name == "tls"
            values = {"NAME": name, "FRONT": port, "BEHIND": ports[name], "SCHEME": "https" if is_tls else "http",
                      "SSL": "ssl verify none" if is_tls else ""}  # fmt: skip
            servers += re.sub("|".join(values), lambda found: str(values[found[0]]), part) + "\n"
        (FOLDER / "proxy.cfg").write_text(template.replace("SERVERS", servers))
        start(*command, FOLDER / "proxy.cfg", cwd=FOLDER)
        wait_for(fronts["workload"])
        return SimpleNamespace(ask=curl, chat=raw_chat, fronts=fronts)

    return make


def chromium(_):
    browser = Chromium()
    return SimpleNamespace(ask=browser.ask, chat=browser.chat, quit=browser.quit)


def plain(ask):
    return lambda _: SimpleNamespace(ask=ask() if ask in (http_client, of_urllib3, of_httpx) else ask)


def typed(ports):
    return SimpleNamespace(ask=s_client, fronts=ports | {"workload": ports["tls"]}, encrypts=True)


def golang(_):
    subprocess.run(["go", "build", "-o", FOLDER / "client", HERE / "client.go"], check=True)
    return SimpleNamespace(ask=program(FOLDER / "client", CERT))


NODE = ["node", HERE / "client.mjs"]
PYTHON = [sys.executable, "-c"]
# Name: how to ask for the version, how it is made, and what it does not offer.
CLIENTS = {
    "curl": (["curl", "-V"], plain(curl), ["WebSocket"]),
    "Python http.client": ([sys.executable, "-V"], plain(http_client), ["Expect", "WebSocket"]),
    "urllib3": (PYTHON + ["import urllib3; print(urllib3.__version__)"], plain(of_urllib3),
                ["Expect", "HTTP/1.0", "WebSocket"]),
    "httpx": (PYTHON + ["import httpx; print(httpx.__version__)"], plain(of_httpx), ["Expect", "HTTP/1.0", "WebSocket"]),
    "Node fetch": (["node", "-p", "process.versions.undici"], plain(program(*NODE, "fetch")),
                   ["Expect", "HTTP/1.0", "WebSocket"]),
    "Node http": (["node", "-v"], plain(program(*NODE, "http")), ["HTTP/1.0", "WebSocket"]),
    "Go net/http": (["go", "version"], golang, ["HTTP/1.0", "WebSocket"]),
    "wrk": (["wrk", "-v"], plain(wrk), ["HEAD", "chunked upload", "trailers", "Expect", "103", "1 MiB, Range", "16 MiB up",
                                        "413 in mid-upload", "HTTP/1.0", "drained in mid-answer", "WebSocket"]),
    "Chromium": (["chromium", "--version"], chromium, ["chunked upload", "Expect", "HTTP/1.0", "Connection: close"]),
    "nginx in front": (["nginx", "-v"], front(NGINX, NGINX_SERVER, ["nginx", "-g", "daemon off;", "-p", FOLDER, "-c"]),
                       ["HTTP/1.0", "Connection: close"]),
    "HAProxy in front": (["haproxy", "-v"], front(HAPROXY, HAPROXY_SERVER, ["haproxy", "-f"]), ["Connection: close"]),
    "openssl s_client": (["openssl", "version"], typed,
                         ["kept connection", "chunked upload", "trailers", "Expect", "103", "1 MiB, Range", "16 MiB up",
                          "413 in mid-upload", "Connection: close", "drained in mid-answer", "WebSocket"]),
}  # fmt: skip
