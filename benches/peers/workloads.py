"""The servers, what is asked of them, and the processor time that it takes."""

import contextlib
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import partial

from common import BROWSER, Server

SERVERS = {
    "ours": ["workload"],
    "hyper": ["hyper"],
    "hyper-flush": ["hyper", "--pipeline-flush"],
    "actix-web": ["actix_web"],
    "ntex": ["ntex"],
    "raw": ["raw"],
}
GENERATOR = ["taskset", "-c", "1"]
PIPELINE = "init = function(args) request = function() return many end many = string.rep(wrk.format(), 16) end"
POST = 'wrk.method = "POST" wrk.body = string.rep("x", 1024)'


@dataclass
class Wrk:
    """What wrk asks for so many seconds."""

    path: str = "/plaintext"
    connections: int = 64
    fields: dict = field(default_factory=dict)
    script: str = ""
    tls: bool = False

    def ask(self, server, folder, seconds):
        """Returns the number of answers, and the microseconds that 99 % of them took at most."""
        command = [*GENERATOR, "wrk", "--latency", "-t", "1", "-c", str(self.connections), "-d", f"{seconds}s"]
        for name, value in self.fields.items():
            command += ["-H", f"{name}: {value}"]
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
            file.write(self.script)
            file.flush()
            command += ["-s", file.name] if self.script else []
            url = f"http{'s' * self.tls}://127.0.0.1:{server.port}{self.path}"
            done = subprocess.run([*command, url], capture_output=True, text=True)
        answers = int(re.search(r"(\d+) requests in|$", done.stdout)[1] or 0)
        if done.returncode or not answers or "Non-2xx" in done.stdout:
            raise RuntimeError(f"{url}: {done.stdout}{done.stderr}")
        time, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", done.stdout).groups()
        return answers, float(time) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


@dataclass
class Transfer:
    """Large bodies by four connections; so many on each a second that is asked for."""

    way: str
    length: int
    a_second: int

    def ask(self, server, folder, seconds):
        requests = self.a_second * seconds
        flags = [str(flag) for flag in (server.port, self.way, self.length, 4, requests)]
        done = subprocess.run([*GENERATOR, folder / "transfer", *flags], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{self.way}: {done.stderr}")
        return 4 * requests, None


WORKLOADS = {
    "GET": Wrk(),
    "GET, 12 fields": Wrk(fields=BROWSER),
    "pipeline of 16": Wrk(script=PIPELINE),
    "GET, 512 connections": Wrk(connections=512),
    "POST, echo of 1 KiB": Wrk(path="/echo", script=POST),
    "GET, 64 chunks of 1 KiB": Wrk(path="/chunks/64/1024"),
    "GET, 1 MiB": Wrk(path="/bytes/1048576"),
    "GET, 256 MiB": Transfer("download", 256 << 20, 2),
    "upload, 16 MiB": Transfer("upload", 16 << 20, 30),
    "upload, 16 MiB chunked": Transfer("chunked", 16 << 20, 30),
    "GET, a connection each": Wrk(fields={"Connection": "close"}),
    "GET over TLS": Wrk(tls=True),
}
# All have the same rustls there, with the same settings, so its price is left.
OVER_TLS = ["ours", "hyper"]


def certificate(folder):
    """Flags for a server with a certificate of its own."""
    cert, key = f"{folder}/cert.pem", f"{folder}/key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=localhost", "-days", "2", "-out", cert, "-keyout", key]
    subprocess.run(command, check=True, capture_output=True)
    return ["--cert", cert, "--key", key]


def measure(folders, names, workload, rounds, warm_up, seconds):
    """Returns for each server and round the microseconds of a request, its 99th percentile, and the kernel's share."""
    workload = WORKLOADS[workload]
    tls = isinstance(workload, Wrk) and workload.tls
    names = [name for name in names if not tls or name in OVER_TLS]
    micros, late, kernel = ({name: [] for name in names} for _ in range(3))
    # New servers for each, so that what one workload leaves does not count for the next.
    with contextlib.ExitStack() as stack:
        flags = certificate(stack.enter_context(tempfile.TemporaryDirectory())) if tls else []
        start = partial(start_server, folders, flags)
        servers = {name: stack.enter_context(start(name)) for name in names}
        for nth in range(warm_up + rounds):
            for name, server in servers.items():
                before, ticks = server.micros(), server.ticks()
                try:
                    requests, percentile = workload.ask(server, folders["peers"], seconds)
                except RuntimeError as failed:
                    raise RuntimeError(f"{name}, round {nth}: {failed}") from failed
                if nth >= warm_up:
                    micros[name].append((server.micros() - before) / requests)
                    late[name].append(percentile)
                    own, system = (more - less for less, more in zip(ticks, server.ticks()))
                    kernel[name].append(system / max(own + system, 1))
    return micros, late, kernel


def start_server(folders, flags, name):
    program, *own = SERVERS[name]
    folder = folders["ours" if name == "ours" else "peers"]
    return Server(folder / program, *own, *flags)
