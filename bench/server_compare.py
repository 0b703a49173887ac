#!/usr/bin/env python3
"""Measures 'varve server' and redis-server side by side, and prints a table of ratios.

All servers run at the same time, each at its own port and in its own directory, and are asked in turn, round
after round, in an order that changes: so what else the machine does meets all of them. Each figure is the median
of the rounds. "CPU" is the processor time of the server's process for a request, from /proc/PID/stat, with what it
does in the background for it afterwards: before and after each measurement the server is left alone until it is idle.

Redis runs with 'appendonly yes', 'save ""' and 'appendfsync everysec'; in the rows that flush every write with
'appendfsync always', and varve with --sync. Load comes from redis-benchmark, of latency at a fixed rate from
'varve bench', which sends when a request is due and counts from then.

usage: server_compare.py [--varve NAME=PROGRAM[,OPTION...]]... [--rounds N] [--scale X] [--rows PATTERN]
                         [--dir DIR] [--memory-keys N] [--list]

  --varve     a server to measure, with options for it; several may be given, to compare builds or options
              (default: varve=build/release/varve)
  --rounds    how often each is asked (default: 5)
  --scale     requests in a round, as a factor of what each row has (default: 1)
  --rows      only rows whose name this regular expression finds
  --dir       where the servers keep their data (default: a temporary directory)
  --memory-keys  pairs in the row "memory" (default: 10000000)

Needs the package redis-tools, and two gigabytes of memory for the row "memory".
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TICK = os.sysconf("SC_CLK_TCK")
KEYS = 1_000_000
# redis-tools has the server's program under this name; which name it is called by decides what it does.
REDIS_PROGRAM = "/usr/bin/redis-check-rdb"
START_SECONDS = 60
SETTLE_SECONDS = 30

# Name, requests in a round, arguments of redis-benchmark.
BUFFERED = [
    ("SET, 50 clients", 200_000, ["-t", "set", "-c", "50"]),
    ("GET, 50 clients", 200_000, ["-t", "get", "-c", "50"]),
    ("SET, pipeline 16", 800_000, ["-t", "set", "-c", "50", "-P", "16"]),
    ("GET, pipeline 16", 800_000, ["-t", "get", "-c", "50", "-P", "16"]),
    ("SET, pipeline 64", 1_600_000, ["-t", "set", "-c", "50", "-P", "64"]),
    ("GET, pipeline 64", 1_600_000, ["-t", "get", "-c", "50", "-P", "64"]),
]
FLUSHED = [
    ("SET flushed, 50 clients", 20_000, ["-t", "set", "-c", "50"]),
    ("SET flushed, pipeline 16", 200_000, ["-t", "set", "-c", "50", "-P", "16"]),
]
LARGE = [
    ("SET of 256 KiB", 2_000, ["-t", "set", "-c", "50", "-d", "262144", "-r", "1000"]),
    ("GET of 256 KiB", 10_000, ["-t", "get", "-c", "50", "-d", "262144", "-r", "1000"]),
]
LATENCY = "p99 at half of the load"
MEMORY = "memory"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process that serves at self.port."""

    def __init__(self, name, command, directory, program=None):
        self.name = name
        self.port = free_port()
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        command = [word.format(port=self.port, dir=self.directory) for word in command]
        with open(self.directory / "output", "wb") as output:
            self.process = subprocess.Popen(command, executable=program, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    sys.exit(f"{command[0]} does not serve: see {self.directory / 'output'}")
                time.sleep(0.02)

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def settle(self):
        """Until it does nothing any more."""
        end = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < end:
            before = self.cpu_seconds()
            time.sleep(0.2)
            if self.cpu_seconds() - before <= 1 / TICK:
                return

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+)", status, re.MULTILINE).group(1)) * 1024


def start_all(arguments, fsync, directory):
    """Redis first."""
    redis = ["redis-server", "--port", "{port}", "--dir", "{dir}", "--save", "", "--appendonly", "yes",
             "--appendfsync", fsync]
    servers = [Server("redis", redis, directory / "redis", REDIS_PROGRAM)]
    for text in arguments.varve:
        name, _, rest = text.partition("=")
        program, *options = rest.split(",")
        command = [program, "server", "{dir}/store", "--port", "{port}", *options]
        if fsync == "always":
            command.append("--sync")
        servers.append(Server(name, command, directory / name))
    return servers


def redis_benchmark(server, requests, words):
    """Requests a second, and microseconds of processor time for each."""
    command = ["redis-benchmark", "-p", str(server.port), "-n", str(requests), "--csv"]
    if "-r" not in words:
        command += ["-r", str(KEYS)]
    if "-d" not in words:
        command += ["-d", "100"]
    server.settle()
    before = server.cpu_seconds()
    begin = time.monotonic()
    done = subprocess.run(command + words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    seconds = time.monotonic() - begin
    server.settle()
    cpu = server.cpu_seconds() - before
    if b'"rps"' not in done.stdout:
        sys.exit(f"redis-benchmark: {done.stdout!r} {done.stderr!r}")
    return {"rate": requests / seconds, "cpu": cpu / requests * 1e6}


def varve_bench(arguments, server, words, keys=KEYS):
    program = arguments.varve[0].partition("=")[2].split(",")[0]
    command = [program, f"redis://127.0.0.1:{server.port}", "bench", "--json", "--keys", str(keys), *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def rotated(servers, turn):
    turn %= len(servers)
    return servers[turn:] + servers[:turn]


def measure(servers, rounds, ask):
    """Server -> list of what `ask` returned of it."""
    results = {server.name: [] for server in servers}
    for turn in range(rounds):
        for server in rotated(servers, turn):
            results[server.name].append(ask(server))
    return results


def median(results, name, field):
    return statistics.median(result[field] for result in results[name])


def ratio(results, name, field):
    """The median of the rounds' ratios to Redis."""
    return statistics.median(ours[field] / theirs[field]
                             for ours, theirs in zip(results[name], results["redis"]) if theirs[field] > 0)


def print_row(row, cells):
    print("| " + " | ".join([row, *cells]) + " |", flush=True)


def print_rates(row, results, names):
    cells = [f"{median(results, 'redis', 'rate') / 1000:.1f} K/s", f"{median(results, 'redis', 'cpu'):.2f} us"]
    for name in names:
        cells += [f"{ratio(results, name, 'rate'):.2f}x", f"{median(results, name, 'cpu'):.2f} us"]
    print_row(row, cells)


def run_rates(arguments, fsync, rows, directory, fills):
    rows = [row for row in rows if re.search(arguments.rows, row[0])]
    if not rows:
        return
    servers = start_all(arguments, fsync, directory)
    try:
        for server in servers:
            if fills:
                redis_benchmark(server, 3 * KEYS, ["-t", "set", "-c", "50", "-P", "64"])
        for name, requests, words in rows:
            count = max(1000, int(requests * arguments.scale))
            results = measure(servers, arguments.rounds,
                              lambda server, count=count, words=words: redis_benchmark(server, count, words))
            print_rates(name, results, [server.name for server in servers[1:]])
    finally:
        for server in servers:
            server.stop()


def run_latency(arguments, directory):
    """All at half of what the slowest of them does in a closed loop, GET and SET in equal parts."""
    if not re.search(arguments.rows, LATENCY):
        return
    servers = start_all(arguments, "everysec", directory)
    try:
        most = {}
        for server in servers:
            redis_benchmark(server, 3 * KEYS, ["-t", "set", "-c", "50", "-P", "64"])
        for server in servers:
            closed = [varve_bench(arguments, server, ["--time", "3s"])["requests_per_second"] for _ in range(3)]
            most[server.name] = statistics.median(closed)
        rate = int(min(most.values()) / 2)

        def ask(server):
            found = varve_bench(arguments, server, ["--time", f"{max(1, int(5 * arguments.scale))}s", "--rate",
                                                    str(rate)])
            kinds = {kind["command"]: kind for kind in found["latency"]}
            return {f"{kind} {percentile}": kinds[kind][percentile + "_ns"] / 1000
                    for kind in ("get", "set") for percentile in ("p50", "p99", "p999")}

        results = measure(servers, arguments.rounds, ask)
        names = [server.name for server in servers[1:]]
        for kind in ("get", "set"):
            for percentile in ("p50", "p99", "p999"):
                field = f"{kind} {percentile}"
                cells = [f"{median(results, 'redis', field):.0f} us", ""]
                for name in names:
                    cells += [f"{ratio(results, name, field):.2f}x", f"{median(results, name, field):.0f} us"]
                print_row(f"{field} at {rate / 1000:.0f} K/s", cells)
    finally:
        for server in servers:
            server.stop()


def run_memory(arguments, directory):
    """One server after the other, in a keyspace of 16-byte keys that are all there."""
    if not re.search(arguments.rows, MEMORY):
        return
    found = {}
    for server in start_all(arguments, "everysec", directory):
        varve_bench(arguments, server, ["--fill", "--requests", "1000"], keys=arguments.memory_keys)
        time.sleep(5)
        found[server.name] = server.resident_bytes()
        server.stop()
    redis = found.pop("redis")
    cells = [f"{redis / 1e6:.0f} MB", ""]
    for after in found.values():
        cells += [f"{after / redis:.2f}x", f"{after / 1e6:.0f} MB"]
    print_row(f"{MEMORY}, {arguments.memory_keys / 1e6:g} M pairs of 16 + 100 bytes", cells)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--varve", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--rows", default="")
    parser.add_argument("--dir", type=pathlib.Path)
    parser.add_argument("--memory-keys", type=int, default=10_000_000)
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join([row[0] for row in BUFFERED + FLUSHED + LARGE] + [LATENCY, MEMORY]))
        return 0
    arguments.varve = arguments.varve or [f"varve={ROOT / 'build' / 'release' / 'varve'}"]
    if not pathlib.Path(REDIS_PROGRAM).exists() or shutil.which("redis-benchmark") is None:
        sys.exit("redis-tools is missing")
    names = [text.partition("=")[0] for text in arguments.varve]
    print_row("", ["Redis", "its CPU"] + [cell for name in names for cell in (name, "its CPU")])
    print("|" + "---|" * (3 + 2 * len(names)))
    base = pathlib.Path(tempfile.mkdtemp(prefix="server_compare.", dir=arguments.dir))
    try:
        run_rates(arguments, "everysec", BUFFERED, base / "buffered", fills=True)
        run_rates(arguments, "always", FLUSHED, base / "flushed", fills=False)
        run_rates(arguments, "everysec", LARGE, base / "large", fills=False)
        run_latency(arguments, base / "latency")
        run_memory(arguments, base / "memory")
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
