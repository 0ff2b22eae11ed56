"""Processor time of a request at the client. All ask the server `raw`."""

import json
import subprocess

from common import Server

CLIENTS = {
    "session": ["load"],
    "HttpClient": ["load", "--client"],
    "hyper-util": ["client_hyper"],
    "reqwest": ["client_reqwest"],
    "awc": ["client_awc"],
}
# Path, requests at once, requests a second that is asked for. `HttpClient::request` of `load` holds a whole body, so
# the large one is not for it.
WORKLOADS = {
    "GET, one at a time": ("/plaintext", 1, 8_000),
    "GET, 64 at once": ("/plaintext", 64, 30_000),
    "GET, 256 MiB": ("/bytes/268435456", 1, 4),
}


def ask(folders, name, server, workload, seconds):
    """Returns what a client says of itself."""
    path, concurrency, a_second = WORKLOADS[workload]
    requests = a_second * seconds
    program, *flags = CLIENTS[name]
    folder = folders["ours" if program == "load" else "peers"]
    url = f"http://127.0.0.1:{server.port}{path}"
    flags += ["--url", url, "--concurrency", concurrency, "--requests", requests, "--warmup", max(1, requests // 20)]
    command = ["taskset", "-c", "0", folder / program, *map(str, flags)]
    done = subprocess.run(command, capture_output=True, text=True)
    said = json.loads(done.stdout or "{}")
    if done.returncode or said.get("errors") != 0:
        raise RuntimeError(f"{name}: {done.stdout}{done.stderr}")
    return said


def measure(folders, workload, rounds, seconds):
    """Returns for each client the microseconds of a request in each round: its own, and the kernel's for it."""
    names = [name for name in CLIENTS if name != "HttpClient" or "MiB" not in workload]
    own, kernel = {name: [] for name in names}, {name: [] for name in names}
    with Server(folders["peers"] / "raw", before=["taskset", "-c", "1"]) as server:
        for _ in range(rounds):
            for name in names:
                said = ask(folders, name, server, workload, seconds)
                own[name].append(said["user_us"])
                kernel[name].append(said["sys_us"])
    return own, kernel
