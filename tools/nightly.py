#!/usr/bin/env python3
"""Runs the parts of tools/nightly_parts.py, as many at once as there are processors, until a deadline.

usage: nightly.py [--deadline EPOCH] [--seed S] [--out DIR] [--jobs N] [--only WORD] [--list]
       nightly.py --once [--out DIR] [--jobs N] [--only WORD]

Each part has its share of the time that is left when it begins. A part that is cut has failed, unless it may be cut; so has one that the
deadline leaves out; so has a canary that passes: it holds a planted bug, and is there to fail. DIR/summary.txt has a line for each.

--once runs to counts instead (COUNTS), in chunks that are kept in DIR: what is there already counts, so it can be stopped and begun again.
tools/promises.py --add DIR/*.json records both.

Exits with 1 when anything failed.
"""
import argparse
import concurrent.futures
import datetime
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

import nightly_parts

ROOT = pathlib.Path(__file__).resolve().parent.parent
GRACE_SECONDS = 120  # for what ends by itself after its seconds
MUST_FACTOR = 2      # what must be whole may take so many times its share


class Runner:
    def __init__(self, out, jobs, deadline):
        self.out, self.jobs, self.deadline = out, jobs, deadline
        self.running, self.lock = {}, threading.Lock()
        signal.signal(signal.SIGTERM, self.ended)
        signal.signal(signal.SIGINT, self.ended)

    def ended(self, number, _):
        for process in list(self.running):  # without the lock, which this thread may have
            os.killpg(process.pid, signal.SIGKILL)
        self.note(f"ENDED by signal {number}: FAILED")
        os._exit(1)

    def note(self, text):
        print(text, flush=True)
        with open(self.out / "summary.txt", "a", encoding="utf-8") as file:
            file.write(text + "\n")

    def free_seconds(self):
        """What the lanes have until the deadline, when those that run now take all that they may."""
        now = time.time()
        ends = list(self.running.values()) + [now] * (self.jobs - len(self.running))
        return sum(max(0.0, self.deadline - max(now, end)) for end in ends)

    def run(self, name, command, environment, limit):
        """(exit code or None when it was cut, seconds). Its output is in NAME.log."""
        begin = time.time()
        with open(self.out / f"{name}.log", "wb") as log:
            with self.lock:
                try:
                    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=subprocess.STDOUT,
                                               stdin=subprocess.DEVNULL, start_new_session=True)
                except OSError as error:
                    log.write(str(error).encode())
                    return 127, 0.0
                self.running[process] = begin + limit
            try:
                code = process.wait(limit)
            except subprocess.TimeoutExpired:
                code = None
            try:
                os.killpg(process.pid, signal.SIGKILL)  # and what it has started
            except ProcessLookupError:
                pass
            process.wait()
            with self.lock:
                del self.running[process]
        return code, time.time() - begin


def filled(part, values):
    fill = lambda text: re.sub(r"\{(\w+)\}", lambda found: str(values[found[1]]), text)
    return [fill(word) for word in part.command], {name: fill(value) for name, value in part.environment.items()}


class Night(Runner):
    def __init__(self, arguments, parts):
        super().__init__(arguments.out, arguments.jobs, arguments.deadline)
        self.seed, self.left, self.failed = arguments.seed, list(parts), []

    def one(self):
        with self.lock:
            part = self.left.pop(0)
            share = self.free_seconds() * part.percent / (part.percent + sum(other.percent for other in self.left))
        until = self.deadline - time.time()
        seconds = int(min(share, until))
        limit = min(share * (MUST_FACTOR if part.must else 1) + (GRACE_SECONDS if part.ends_itself else 0), until)
        if seconds < 1:
            return self.judge(part, "NOT RUN", 0, "(the time was up)")
        command, environment = filled(part, {"seconds": seconds, "seed": self.seed, "order": self.seed % 99_999 + 1, "out": self.out,
                                             "name": part.name})
        print(f"==> {part.name}, at most {limit:.0f} s", flush=True)
        code, took = self.run(part.name, command, environment, limit)
        verdict = "passed" if code == 0 else "CUT" if code is None else f"FAILED with {code}"
        why = ""
        if part.facts and not part.canary:
            try:
                lines = part.facts((self.out / f"{part.name}.log").read_text(errors="replace"))
            except (OSError, ValueError, KeyError) as error:  # nobody knows what it has come to
                lines, verdict = [], f"{verdict}, FAILED: nothing to be read in its log ({error})"
            why = "".join(f"\n    {line}" for line in lines)
        self.judge(part, verdict, took, why)

    def judge(self, part, verdict, took, why):
        good = verdict == "passed" or (verdict == "CUT" and not part.must)
        if part.canary:
            good = verdict == f"FAILED with {part.canary}"
            verdict = "found its planted bug" if good else f"{verdict} with a planted bug: FAILED"
        elif not good and "FAILED" not in verdict:
            verdict += ": FAILED"
        with self.lock:
            if not good:
                self.failed.append(part.name)
            self.note(f"{part.name:24} {took:7.0f} s  {verdict}{' ' if why.startswith('(') else ''}{why}")

    def all(self):
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            for done in [pool.submit(self.one) for _ in list(self.left)]:
                done.result()
        return self.failed


def reached(out, count):
    """(what the chunks of a count add up to, the number of the next seed)."""
    total, seed = 0, count.first_seed
    for path in sorted(out.glob(f"once_{count.name}-*.json")):
        found, seeds = count.read(path.read_text())
        total, seed = total + found, seed + seeds
    return total, seed


class Once(Runner):
    def one(self, count):
        while True:
            total, seed = reached(self.out, count)
            if total >= count.number:
                return total
            chunk = f"once_{count.name}-{seed:012}"
            command, environment = filled(count, {"seed": seed, "out": self.out, "name": chunk})
            code, took = self.run(chunk, command, environment, count.limit)
            print(f"{count.name}: {total:,} of {count.number:,} {count.what}; then {took:.0f} s, exit code {code}", flush=True)
            if code != 0:
                return None
            result = self.out / f"{chunk}.json"
            if not result.exists():  # gtest writes it itself
                result.write_text((self.out / f"{chunk}.log").read_text(errors="replace"))
            if reached(self.out, count)[0] <= total:
                return None

    def all(self, counts):
        failed = []
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            for count, done in [(count, pool.submit(self.one, count)) for count in counts]:
                total = done.result()
                if total is None:
                    failed.append(count.name)
                word = "FAILED" if total is None else f"{total:,} of {count.number:,} {count.what}"
                self.note(f"{count.name:24} {word}")
        return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deadline", type=float, default=time.time() + 6 * 3600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/nightly"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--once", action="store_true")
    arguments = parser.parse_args()
    parts = nightly_parts.counts() if arguments.once else nightly_parts.parts()
    parts = [part for part in parts if arguments.only in part.name]
    if arguments.list:
        for part in parts:
            print(f"{part.name:24} {f'{part.number:,} {part.what}' if arguments.once else f'{part.percent:.1f} %'}")
        return 0
    os.chdir(ROOT)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "summary.txt").write_text("")
    begin = time.time()
    if arguments.once:
        runner = Once(arguments.out, arguments.jobs, float("inf"))
        failed = runner.all(parts)
    else:
        runner = Night(arguments, parts)
        commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False).stdout.strip()
        runner.note(f"nightly of {datetime.datetime.now(datetime.timezone.utc):%F %H:%M} at {commit or '?'}, seed {arguments.seed}, "
                    f"{arguments.jobs} at once\n")
        for remark in nightly_parts.remarks():
            runner.note(remark)
        failed = runner.all()
    verdict = f"FAILED: {', '.join(failed)}" if failed else "passed"
    runner.note(f"\n{len(parts)} parts, {(time.time() - begin) / 60:.0f} minutes: {verdict}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
