#!/usr/bin/env python3
"""Says how much of each layer the tests have run, and which branches of decoders and recovery they never took.

usage: coverage_report.py GCOVR.json

A branch that was never taken in the files of WATCHED is listed, with the reason of docs/coverage.md or "NO REASON".
That page names a file and the text of the line that decides, so that a reason outlives a change of line numbers.
Exits with 1 when a layer of AT_LEAST has less, or a reason is of no line.
"""
import collections
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "coverage.md"
REASON = re.compile(r"^\| `(src/[\w/.]+)` \| `(.+?)` \| (.+?) \|$", re.MULTILINE)
AT_LEAST = {"engine": 90.0, "format": 90.0}  # per cent of lines
# Decoders (what builds files is none), and what reads a store that may be damaged.
WATCHED = re.compile(r"src/(format/(?!\w*builder|expiry_places).*|engine/(recovery|db_recover|log_salvage|segment_salvage|repair\w*|version_set|wal_names)\.(cc|h)$)")


def reasons():
    """(file, text of the line without spaces) -> reason."""
    text = PAGE.read_text() if PAGE.exists() else ""
    return {(file, "".join(line.replace("\\|", "|").split())): reason for file, line, reason in REASON.findall(text)}


def counted(lines):
    return [line for line in lines if not line.get("gcovr/noncode")]


def layers(files):
    """Layer -> [lines run, lines, branches taken, branches]."""
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])
    for file in files:
        mine = sums[file["file"].split("/")[1]]
        for line in counted(file["lines"]):
            mine[0] += line["count"] > 0
            mine[1] += 1
            mine[2] += sum(branch["count"] > 0 for branch in line["branches"])
            mine[3] += len(line["branches"])
    return sums


def never_taken(files):
    """(file, line number, its text, branches never taken, branches) of the watched files."""
    for file in files:
        if not WATCHED.match(file["file"]):
            continue
        text = (ROOT / file["file"]).read_text().splitlines()
        for line in counted(file["lines"]):
            never = sum(branch["count"] == 0 for branch in line["branches"])
            if never:
                yield file["file"], line["line_number"], text[line["line_number"] - 1].strip(), never, len(line["branches"])


def per_cent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def main():
    files = json.loads(pathlib.Path(sys.argv[1]).read_text())["files"]
    failed = False
    print("layer          lines  of which run    branches  of which taken")
    for layer, (run, lines, taken, branches) in sorted(layers(files).items()):
        low = per_cent(run, lines) < AT_LEAST.get(layer, 0)
        failed = failed or low
        print(f"{layer:10} {lines:9} {per_cent(run, lines):12.1f} % {branches:11} {per_cent(taken, branches):13.1f} %{'  TOO LOW' if low else ''}")
    known, used, lines, without = reasons(), set(), 0, 0
    print("\nbranches of decoders and recovery that were never taken:")
    for file, number, text, never, of in never_taken(files):
        key = (file, "".join(text.split()))
        used.add(key)
        lines += 1
        without += key not in known
        print(f"  {file}:{number}: {never} of {of}: {text}\n      {known.get(key, 'NO REASON')}")
    for file, text in sorted(set(known) - used):
        # Chance and machines decide some; only a line that is gone makes a reason wrong.
        if text not in "".join((ROOT / file).read_text().split()):
            print(f"  docs/coverage.md: there is no such line in {file}: {text}")
            failed = True
    print(f"\n{lines} lines with such branches, {without} without a reason")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
