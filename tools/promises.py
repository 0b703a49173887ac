#!/usr/bin/env python3
"""Writes docs/promises.md: each promise, the campaign that attacks it, and what its runs have reached.

Figures come from what `varve torture ... --json` or tools/seed_run.py printed, and from nowhere else. docs/promises.json holds their sums.

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
CLUSTER = re.compile(r'name\(\) const override \{ return "([a-z-]+)"; \}.*?return "([^"]+)";', re.DOTALL)

HEAD = """# Promises

What varve promises that a campaign of `varve torture` attacks ([design/0040](design/0040-torture.md)), and what the recorded runs have reached: so much was
tried, and nothing was broken. `tools/promises.py` writes this page from the JSON of runs; [testing.md](testing.md) has the tests beside them, and all other promises.

| promise | campaign | seeds | reached |
|---|---|---|---|
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


def add(sums, run):
    """Adds a run; the names of campaigns that it has broken."""
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
    """A run as `varve torture` writes it; what seed_run.py prints is made into one."""
    text = pathlib.Path(path).read_text()
    if text.startswith("{"):
        return json.loads(text)
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
