#!/usr/bin/env python3
"""Measures a cluster of 'varve server' processes on this machine, and prints ratios.

All parts work in rounds, and what is compared is asked in turn within each, so that what else the machine does meets
both. Each figure is the median of the rounds, of ratios: the median of the rounds' ratios. Where writes meet, the
later one stays (lww), as in a server alone. Load comes from 'varve bench' with 50 connections, keys of 16 and values of
100 bytes. "CPU" is the processor time of all servers for a request, from
/proc/PID/stat. What shares the processors with the servers is the load itself.

  throughput  three nodes (N=3, R=W=2), of which one is asked, beside one server alone, at equal load
  down        three nodes: a node is killed (kill -9) while requests go on; their failures; p99 before and after
  start       five nodes with their topology in etcd (or in a file, where etcd is absent): from the start to green
  join        a node joins three nodes with a million keys: p99 at a fixed rate before and while data move

usage: cluster_measure.py [--varve PROGRAM] [--rounds N] [--scale X] [--keys N] [--rate N] [PART...]

  --varve   the program (default: build/release/varve)
  --rounds  of throughput and down (default: 7)
  --scale   requests in a round, as a factor of 40,000 (default: 1)
  --keys    of join (default: 1,000,000)
  --rate    requests a second of join (default: 2,000)
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "server"))
import etcd_process  # noqa: E402
import redis_pair  # noqa: E402
from cluster_nodes import CLIENT_PORT, Cluster, host_of  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
REQUESTS = 40_000
DETECTION = 5  # seconds after which every node knows that another is away
MILLI = 1e6  # nanoseconds


def median(values):
    return statistics.median(values)


def cpu_seconds(servers):
    total = 0
    for server in servers:
        fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


class Measurement:
    def __init__(self, options):
        self.program = str(pathlib.Path(options.varve).resolve())
        self.options = options
        self.requests = int(REQUESTS * options.scale)

    def bench(self, host, *args):
        """What 'varve bench' says, with its errors and the worst p99 of its commands beside."""
        done = subprocess.run([self.program, "bench", "--host", host, "--port", str(CLIENT_PORT), "--json", *map(str, args)],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise SystemExit(done.stdout)
        told = json.loads(done.stdout.splitlines()[-1])
        told["errors"] = sum(row["errors"] for row in told["latency"])
        told["p99"] = max(row["p99_ns"] for row in told["latency"])
        return told

    def closed(self, host, servers, what):
        before = cpu_seconds(servers)
        told = self.bench(host, *what, "--requests", self.requests)
        told["cpu"] = (cpu_seconds(servers) - before) / self.requests
        return told

    def throughput(self, folder):
        host = host_of(200)
        alone = redis_pair.Server(
            [self.program, "server", f"{folder}/alone", "--port", str(CLIENT_PORT), "--bind", host, "--unixsocket", f"{folder}/alone.sock"],
            f"{folder}/alone.sock", log=f"{folder}/alone.log")
        cluster = Cluster(self.program, folder, 3, "--partitions", "256", "--conflicts", "lww")
        try:
            nodes = [node.server for node in cluster.nodes.values()]
            for place in (host, host_of(1)):
                self.bench(place, "--fill", "--requests", 1000)
            print("| | alone | cluster | ratio | target | p99 alone | p99 cluster | ratio | CPU alone | CPU cluster | ratio |")
            print("|---|---|---|---|---|---|---|---|---|---|---|")
            for what, target, asked in (("SET", "0.30", (["--mix", "set"],) * 2),
                                        ("V.PUT (alone: SET)", "0.30", (["--mix", "set"], ["--command", "V.PUT __key__ __value__"])),
                                        ("GET", "0.40", (["--mix", "get"],) * 2)):
                rounds = []
                for i in range(self.options.rounds):
                    pair = {}
                    for which in ((0, 1) if i % 2 == 0 else (1, 0)):
                        pair[which] = self.closed(*((host, [alone]), (host_of(1), nodes))[which], asked[which])
                    rounds.append((pair[0], pair[1]))
                self.show_throughput(what, target, rounds)
        finally:
            cluster.end()
            alone.kill()

    @staticmethod
    def show_throughput(what, target, rounds):
        def both(name, scale):
            return [median(pair[which][name] for pair in rounds) * scale for which in (0, 1)] + \
                   [median(pair[1][name] / max(pair[0][name], 1e-9) for pair in rounds)]
        rate = both("requests_per_second", 1)
        p99 = both("p99", 1 / MILLI)
        cpu = both("cpu", 1e6)
        assert all(told["errors"] == 0 for pair in rounds for told in pair), "requests failed"
        print(f"| {what} | {rate[0]:,.0f}/s | {rate[1]:,.0f}/s | {rate[2]:.2f} | {target} | {p99[0]:.2f} ms | {p99[1]:.2f} ms | "
              f"{p99[2]:.1f} | {cpu[0]:.1f} us | {cpu[1]:.1f} us | {cpu[2]:.1f} |", flush=True)

    def down(self, folder):
        cluster = Cluster(self.program, folder, 3, "--partitions", "256", "--conflicts", "lww")
        try:
            self.bench(host_of(1), "--fill", "--requests", 1000)
            ratios, failures, asked, longest = [], 0, 0, []
            for i in range(self.options.rounds):
                victim = cluster.nodes[2 + i % 2]
                healthy = self.bench(host_of(1), "--requests", self.requests)
                watcher = Watcher(cluster.nodes[1].server.path)
                time.sleep(0.5)
                victim.kill()
                time.sleep(DETECTION)
                alone = self.bench(host_of(1), "--requests", self.requests)
                watcher.stop()
                failures += watcher.failed + healthy["errors"] + alone["errors"]
                asked += watcher.asked + 2 * self.requests
                longest.append(watcher.longest)
                ratios.append(alone["p99"] / healthy["p99"])
                victim.start()
                cluster.await_color("green")
            print(f"a replica down: {failures} of {asked} requests failed, the longest took {max(longest) * 1000:.0f} ms "
                  f"(median of rounds {median(longest) * 1000:.0f} ms); p99 after detection / before: {median(ratios):.2f} "
                  f"(target 2), in rounds {', '.join(f'{ratio:.2f}' for ratio in ratios)}", flush=True)
        finally:
            cluster.end()

    def start(self, folder):
        times = []
        for i in range(5):
            with tempfile.TemporaryDirectory(dir=folder) as own:
                etcd = etcd_process.Etcd(own) if etcd_process.is_there() else None
                cluster = TimedCluster(self.program, own, etcd.topology if etcd else None)
                times.append(cluster.seconds)
                cluster.end()
                if etcd:
                    etcd.kill()
        print(f"five nodes, topology in {'etcd' if etcd_process.is_there() else 'a file'}: green after {median(times):.1f} s, "
              f"{min(times):.1f} to {max(times):.1f} (target 10)", flush=True)

    def join(self, folder):
        keys = self.options.keys
        cluster = Cluster(self.program, folder, 3, "--partitions", "256", "--conflicts", "lww")
        try:
            filling = time.monotonic()
            self.bench(host_of(1), "--fill", "--keys", keys, "--requests", 1000)
            print(f"filled with {keys:,} keys in {time.monotonic() - filling:.0f} s", flush=True)
            load = ("--keys", keys, "--rate", self.options.rate, "--time", "3s")
            before = [self.bench(host_of(1), *load) for _ in range(5)]
            cluster.admin("join", cluster.place(4), "--yes")
            begin = time.monotonic()
            cluster.start(4)
            during = []
            while True:
                during.append(self.bench(host_of(1), *load))
                if cluster.admin("status", code=None).startswith("green"):
                    break
            seconds = time.monotonic() - begin
            after = [self.bench(host_of(1), *load) for _ in range(5)]
            errors = sum(told["errors"] for told in before + during + after)
            quiet = median(told["p99"] for told in before + after)
            busy = median(told["p99"] for told in during)
            print(f"join with {keys:,} keys: green after {seconds:.0f} s; p99 of {self.options.rate}/s: {quiet / MILLI:.2f} ms, "
                  f"while data move {busy / MILLI:.2f} ms, ratio {busy / quiet:.2f} (target 2); p50 "
                  f"{self.p50(before + after):.2f} and {self.p50(during):.2f} ms; {errors} errors; p99 in pieces of 3 s: "
                  + ", ".join(f"{told['p99'] / MILLI:.1f}" for told in before) + " | "
                  + ", ".join(f"{told['p99'] / MILLI:.1f}" for told in during) + " | "
                  + ", ".join(f"{told['p99'] / MILLI:.1f}" for told in after), flush=True)
        finally:
            cluster.end()

    @staticmethod
    def p50(tolds):
        return median(max(row["p50_ns"] for row in told["latency"]) for told in tolds) / MILLI


class Watcher(threading.Thread):
    """Writes and reads, one after the other, and counts what does not succeed."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.connection = redis_pair.Connection(path)
        self.asked = self.failed = 0
        self.longest = 0.0
        self.is_stopping = False
        self.start()

    def run(self):
        while not self.is_stopping:
            value = str(self.asked).encode()
            for request, reply in ((("SET", "watched", value), (b"+", b"OK")), (("GET", "watched"), (b"$", value))):
                begin = time.monotonic()
                self.failed += self.connection.call(*request) != reply
                self.longest = max(self.longest, time.monotonic() - begin)
                self.asked += 1

    def stop(self):
        self.is_stopping = True
        self.join()
        self.connection.close()


class TimedCluster(Cluster):
    """Five nodes that start at once."""

    def __init__(self, program, folder, topology):
        self.program, self.folder, self.options, self.nodes = program, pathlib.Path(folder), (), {}
        self.topology = topology or f"file:{folder}/topology.json"
        self.admin("init", *[self.place(n) for n in range(1, 6)])
        begin = time.monotonic()
        threads = [threading.Thread(target=self.start, args=(n,)) for n in range(1, 6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.await_color("green")
        self.seconds = time.monotonic() - begin


def main():
    parts = ("throughput", "down", "start", "join")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts))
    parser.add_argument("--varve", default=str(ROOT / "build/release/varve"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=2_000)
    options = parser.parse_args()
    if set(options.parts) - set(parts):
        parser.error("the parts are " + ", ".join(parts))
    os.environ.pop("VARVE_CLUSTER_TOPOLOGY", None)  # a server alone would be a node
    for part in options.parts or parts:
        print(f"## {part} (load of the machine: {os.getloadavg()[0]:.1f})", flush=True)
        with tempfile.TemporaryDirectory(prefix="varve_measure_") as folder:
            getattr(Measurement(options), part)(folder)


if __name__ == "__main__":
    main()
