#!/usr/bin/env python3
"""Writes docs/promises.md: each promise, the campaign that attacks it, and what its runs have reached.

Figures come from what `varve torture ... --json`, tools/seed_run.py, test programs (--gtest_output=json) and fuzz targets (fuzz_NAME.log)
wrote, and from nowhere else. docs/promises.json holds their sums.

usage: promises.py [--check] [--add RUN...] [--replace RUN...]

  --add      adds these runs to the sums
  --replace  forgets the runs before
  --check    only see that docs/promises.md is what the sums and src/torture give
Exits with 1 when a run has broken a promise, or the check fails.
"""
import argparse
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUMS = ROOT / "docs" / "promises.json"
PAGE = ROOT / "docs" / "promises.md"
TRIALS = re.compile(r'Trials\(\s*"([a-z-]+)",\s*"([^"]+)",\s*\d+\)')
# What tests count (RecordProperty), and the fuzz targets: promise, figure.
TESTS = {
    "failed_calls": ("errors of any call are reported, and nothing acknowledged is lost", "runs in which one call failed"),
    "failed_allocations": ("running out of memory loses nothing", "runs in which one allocation failed"),
    "flipped_bytes": ("of any changed byte of a small store of each kind nothing wrong is read", "changed bytes"),
    "schedules": ("structures that threads share hold in every order of their steps", "schedules"),
    "checked_transactions": ("the checker of transactions judges large histories", "transactions in one history"),
    "option_sets": ("one list of operations gives one answer under any options", "sets of options"),
}
FUZZ = re.compile(r"^stat::number_of_executed_units: *(\d+)$", re.MULTILINE)
FUZZ_DONE = re.compile(r"^Done \d+ runs in (\d+) second", re.MULTILINE)
FUZZ_TARGET = re.compile(r"fuzz_([a-z_]+?)(?:-\d+)?\.\w+$")
CLUSTER = re.compile(r'name\(\) const override \{ return "([a-z-]+)"; \}.*?return "([^"]+)";', re.DOTALL)

HEAD = """# Promises

What varve promises that a campaign of `varve torture` attacks ([design/0040](design/0040-torture.md)), and what the recorded runs have reached: so much was
tried, and nothing was broken. `tools/promises.py` writes this page from the JSON of runs; [testing.md](testing.md) has the tests beside them, and all other promises.

| promise | campaign | seeds | reached |
|---|---|---|---|
"""

TESTS_HEAD = """
What tests have reached in one run, by their own counts (the JSON of gtest):

| promise | reached |
|---|---|
"""
FUZZ_HEAD = """
Fuzz targets, in all recorded runs:

| target | inputs | seconds |
|---|---|---|
"""


def campaigns():
    """Name -> promise, as src/torture says."""
    found = {}
    for path in sorted((ROOT / "src" / "torture").glob("*.cc")):
        text = path.read_text()
        for pattern in (TRIALS, CLUSTER):
            for name, promise in pattern.findall(text):
                found[name] = promise
    return found


def add_tests(sums, suites):
    """Adds the figures of a test program (gtest's JSON); the tests that have failed."""
    tests = [test for suite in suites for test in suite["testsuite"]]
    failed = [f"{test['classname']}.{test['name']}" for test in tests if test.get("failures")]
    for name in [] if failed else TESTS:
        # Of what is run again, the same is tried again: the most of any run counts.
        reached = sum(int(test.get(name, 0)) for test in tests)
        mine = sums.setdefault("tests", {})
        mine[name] = max(mine.get(name, 0), reached)
    return failed


def add_fuzzing(sums, target, text):
    """Adds a run of a fuzz target; its name when that has not come to its end."""
    units, seconds = FUZZ.search(text), FUZZ_DONE.search(text)
    if not units or not seconds:
        return [f"fuzz target {target}"]
    mine = sums.setdefault("fuzz", {}).setdefault(target, {"seconds": 0, "inputs": 0})
    mine["seconds"] += int(seconds[1])
    mine["inputs"] += int(units[1])
    return []


def add(sums, run):
    """Adds a run; the names of campaigns that it has broken."""
    if "testsuites" in run:
        return add_tests(sums, run["testsuites"])
    if "fuzz" in run:
        return add_fuzzing(sums, run["fuzz"], run["text"])
    broken = []
    for row in run["campaigns"]:
        if row["result"] != "held":
            broken.append(row["campaign"])
        mine = sums.setdefault(row["campaign"], {"seeds": 0, "counts": {}})
        mine["seeds"] += int(row["seeds"])
    for row in run["counts"]:
        counts = sums[row["campaign"]]["counts"]
        counts[row["what"]] = counts.get(row["what"], 0) + int(row["number"])
    return broken


def read_run(path):
    """A run as `varve torture` or a test program writes it; what seed_run.py and fuzz targets print is made into one."""
    text = pathlib.Path(path).read_text(errors="replace")
    if text.startswith("{"):
        return json.loads(text.splitlines()[0] if text.startswith('{"campaigns"') else text)
    if target := FUZZ_TARGET.search(str(path)):
        return {"fuzz": target[1], "text": text}
    facts = dict(line.split("\t") for line in text.splitlines() if "\t" in line)
    whats = {"clusters": "seeds", "requests checked": "requests", "acknowledged writes": "acknowledged_writes",
             "answered reads": "answered_reads", "topologies": "topologies"}
    counts = [{"campaign": "cluster", "what": what, "number": int(facts[name])} for what, name in whats.items()]
    counts.append({"campaign": "cluster", "what": "simulated milliseconds", "number": 1000 * int(facts["simulated_seconds"])})
    return {"campaigns": [{"campaign": "cluster", "seeds": int(facts["seeds"]), "result": "held" if facts["violations"] == "0" else "broken"}],
            "counts": counts}


def page(sums):
    text = HEAD
    for name, promise in sorted(campaigns().items()):
        mine = sums.get(name, {"seeds": 0, "counts": {}})
        counts = ", ".join(f"{number:,} {what}" for what, number in mine["counts"].items())
        text += f"| {promise} | `{name}` | {mine['seeds']:,} | {counts or 'not run yet'} |\n"
    text += TESTS_HEAD
    for name, (promise, what) in TESTS.items():
        number = sums.get("tests", {}).get(name, 0)
        text += f"| {promise} | {f'{number:,} {what}' if number else 'not recorded yet'} |\n"
    if sums.get("fuzz"):
        text += FUZZ_HEAD
    for target, mine in sorted(sums.get("fuzz", {}).items()):
        text += f"| `{target}` | {mine['inputs']:,} | {mine['seconds']:,} |\n"
    return text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--add", nargs="+", default=[])
    parser.add_argument("--replace", nargs="+", default=[])
    options = parser.parse_args()
    sums = json.loads(SUMS.read_text()) if SUMS.exists() and not options.replace else {}
    broken = []
    for path in options.add + options.replace:
        broken += add(sums, read_run(path))
    if broken:
        print("broken, and not recorded: " + ", ".join(broken))
        return 1
    if options.check:
        if PAGE.exists() and PAGE.read_text() == page(sums):
            return 0
        print("docs/promises.md is not what docs/promises.json and src/torture give: run tools/promises.py")
        return 1
    SUMS.write_text(json.dumps(sums, indent=1) + "\n")
    PAGE.write_text(page(sums))
    return 0


if __name__ == "__main__":
    sys.exit(main())
