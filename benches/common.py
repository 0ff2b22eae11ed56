"""What the scripts of the benchmarks have in common: programs, servers, counters, tables of docs/performance.md."""

import json
import os
import re
import resource
import signal
import socket
import statistics
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "benches/peers"
DOCUMENT = ROOT / "docs/performance.md"

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br",
    "Connection": "keep-alive",
    "Upgrade-Insecure-Requests": "1",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "none",
    "Cache-Control": "max-age=0",
    "Cookie": "session=0123456789abcdef; theme=dark",
}


def build():
    """Returns the folder of our programs."""
    subprocess.run(["cargo", "build", "--release", "--locked", "-p", "http-actors-cost"], cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"), "release")


def build_peers():
    """Returns the folder of the programs of the others."""
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=PEERS, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", PEERS / "target"), "release")


def allow_many_files():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Server:
    """A program that prints where it listens. What goes before it in the command must run it in the same process."""

    def __init__(self, program, *flags, before=("taskset", "-c", "0")):
        command = [*map(str, before), program, *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.port = int(self.process.stdout.readline().rsplit(b":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def threads(self):
        """Microseconds of processor time that each thread has taken so far."""
        threads = sorted(Path(f"/proc/{self.process.pid}/task").iterdir())
        return [int((thread / "schedstat").read_text().split()[0]) / 1_000 for thread in threads]

    def micros(self):
        return sum(self.threads())

    def ticks(self):
        """The same in ticks of 10 ms, of the program and of the kernel."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]), int(fields[12])

    def memory(self, what="VmRSS"):
        """Bytes that are resident, or were at most: VmHWM."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{what}:\s+(\d+)", status)[1]) * 1024


def head(line, fields=()):
    lines = [f"{line} HTTP/1.1", "Host: 127.0.0.1:8080", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode()


def answer(connection):
    """Reads one answer, and returns its length: the others to the same request have the same."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = connection.recv(1 << 16)
        assert more, "the connection was closed"
        answer += more
    at = answer.index(b"\r\n\r\n") + 4
    length = re.search(rb"content-length: (\d+)", answer[:at].lower())
    while not (len(answer) == at + int(length[1]) if length else answer.endswith(b"\r\n0\r\n\r\n")):
        answer += connection.recv(1 << 16)
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:99]
    return len(answer)


def callgrind(out, *flags):
    return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *flags]


def instructions(out):
    """The sum in a file of callgrind."""
    return int(re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.M)[1])


def middle(samples):
    """The median, and half of what the middle half differs by."""
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive") if len(samples) > 1 else samples * 3
    return statistics.median(samples), (high - low) / 2


def machine():
    """Where and of what this is measured."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    rust = subprocess.run(["rustc", "--version"], capture_output=True, text=True)
    return {
        "processor": model[1] if model else "unknown",
        "cores": os.cpu_count(),
        "kernel": os.uname().release,
        "rust": rust.stdout.strip(),
        "commit": commit.stdout.strip(),
        "load": os.getloadavg()[0],
    }


def versions(*names):
    """Of packages that the peers are built from."""
    packages = tomllib.loads((PEERS / "Cargo.lock").read_text())["package"]
    return {package["name"]: package["version"] for package in packages if package["name"] in names}


def save(path, data):
    Path(path).write_text(json.dumps(data, indent=1) + "\n")


def table(*rows):
    """A table of Markdown; the first row is its head, the first column to the left."""
    first, *rest = rows
    lines = [first, ["---", *["---:"] * (len(first) - 1)], *rest]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def publish(name, text, write):
    """Prints what belongs into the document, and writes it there between the comments of that name."""
    print(f"\n{text}\n", flush=True)
    if write:
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, rest = DOCUMENT.read_text().split(begin)
        _, after = rest.split(end)
        DOCUMENT.write_text(f"{before}{begin}{text}\n{end}{after}")
