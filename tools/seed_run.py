#!/usr/bin/env python3
"""Runs many seeds of simulated clusters ('varve torture cluster') in several processes, chunk by chunk.

usage: seed_run.py [--varve PATH] [--seed S] [--seeds K] [--chunk C] [--jobs J] [--profile NAME] [--nodes N]

Prints a line for each violation, with what replays it, and the sums in the end: seeds, simulated time, CPU and clock time,
events, requests, topologies, how many seeds were of each profile, and one hash for all events. A seed that fails does not end
the run: the rest of its chunk goes on behind it. Exit code 0: no violation; 6: some; 1: a process that failed otherwise.
"""
import argparse
import collections
import concurrent.futures
import json
import pathlib
import resource
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUMS = ("seeds", "simulated_seconds", "events", "requests", "acknowledged_writes", "answered_reads", "topologies")
VIOLATION = 6


def run(arguments, first, count):
    """The facts of each process that it took to run `count` seeds from `first` on, and the violations."""
    facts, violations = [], []
    while count > 0:
        command = [arguments.varve, "torture", "cluster", "--json", "--seed", str(first), "--seeds", str(count),
                   "--nodes", str(arguments.nodes)]
        if arguments.profile:
            command += ["--profile", arguments.profile]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in (0, VIOLATION):
            raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr.strip()}")
        facts.append(json.loads(done.stdout.splitlines()[0]))
        if done.returncode == VIOLATION:
            violations.append(facts[-1])
        first += int(facts[-1]["seeds"])
        count -= int(facts[-1]["seeds"])
    return facts, violations


def add(facts, sums, profiles):
    for name in SUMS:
        sums[name] += facts[name]
    for part in filter(None, facts["profiles"].split(", ")):
        name, number = part.split()
        profiles[name] += int(number)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "))
    parser.add_argument("--varve", default=str(ROOT / "build/release/varve"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--chunk", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--profile", default="")
    parser.add_argument("--nodes", type=int, default=5)
    arguments = parser.parse_args()

    sums, profiles, trace, found = collections.Counter(), collections.Counter(), 0, 0
    began = time.monotonic()
    end = arguments.seed + arguments.seeds
    chunks = [(first, min(arguments.chunk, end - first)) for first in range(arguments.seed, end, arguments.chunk)]
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        # In the order of the seeds, so that the hash is the same however many processes there are.
        for facts, violations in pool.map(lambda chunk: run(arguments, *chunk), chunks):
            for each in facts:
                add(each, sums, profiles)
                trace = (trace * 1000003 + int(each["trace"])) % 2**64
            for violation in violations:
                found += 1
                print(f"seed {violation['seed']}: {violation['violation']}\n  {violation['replay']}", flush=True)
            if sys.stderr.isatty():
                print(f"\r{sums['seeds']} seeds, {found} violations", end="", file=sys.stderr, flush=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    for name in SUMS:
        print(f"{name}\t{sums[name]:.0f}")
    print(f"seconds\t{time.monotonic() - began:.1f}")
    print(f"cpu_seconds\t{used.ru_utime + used.ru_stime:.1f}")
    for name, number in profiles.most_common():
        print(f"profile {name}\t{number}")
    print(f"trace\t{trace}")
    print(f"violations\t{found}")
    return VIOLATION if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:
        sys.exit(f"seed_run.py: {error}")
