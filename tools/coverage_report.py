#!/usr/bin/env python3
"""Says how much of each layer the tests have run, and which branches of decoders and recovery they never took.

usage: coverage_report.py EXPORT.json      (of `llvm-cov export -skip-functions`)

A branch is one outcome of one condition of the source, in all instantiations of a template together. Not counted: conditions
that are constants here (planted bugs, `if constexpr`), what the compiler writes, and VARVE_CHECK, of which one outcome ends the process. The condition
within a macro counts where the macro is used.

A branch that was never taken in the files of WATCHED is listed, with the reason of docs/coverage.md or "NO REASON".
That page names a file and the text of the line that decides, so that a reason outlives a change of line numbers.
Exits with 1 when a layer of AT_LEAST has less, a branch has no reason, or a reason is of no line.
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
CONSTANT = re.compile(r"!?(VARVE_D?CHECK|VARVE_PLANTED_BUG|true)\b")
WATCHED = re.compile(r"src/(format/(?!\w*builder|expiry_places).*|engine/(recovery|db_recover|log_salvage|segment_salvage|repair\w*|version_set|wal_names)\.(cc|h)$)")


def reasons():
    """(file, text of the line without spaces) -> reason."""
    text = PAGE.read_text() if PAGE.exists() else ""
    return {(file, "".join(line.replace("\\|", "|").split())): reason for file, line, reason in REASON.findall(text)}


class File:
    """One file of the export: its lines, and how often each outcome of its conditions was seen."""

    def __init__(self, path, data):
        self.path = path
        self.text = (ROOT / path).read_text().splitlines()
        self.lines = data["summary"]["lines"]
        self.outcomes = collections.Counter()  # (line, column, place within a macro, outcome) -> how often
        for branch in data["branches"]:
            self.count(branch[0], branch[1], None, branch)
        for expansion in data.get("expansions", []):
            line, column = expansion["source_region"][:2]
            for branch in expansion["branches"]:
                self.count(line, column, tuple(branch[:4]), branch)

    def count(self, line, column, within, branch):
        text = self.text[line - 1]
        here = text[column - 1:]
        # What follows on a planted bug is never asked for.
        follows = text.startswith("if (VARVE_PLANTED_BUG(", len(text) - len(text.lstrip()))
        if CONSTANT.match(here) or follows or "if constexpr" in text or text.endswith("= default;"):
            return
        is_case = within is None and re.match(r"(case|default)\b", here)
        for outcome, times in enumerate(branch[4:6]):
            if outcome == 0 or not is_case:
                self.outcomes[line, column, within, outcome] += times

    def taken(self):
        return sum(times > 0 for times in self.outcomes.values())

    def never_taken(self):
        """(line number, its text, branches never taken, branches) of the lines with such."""
        of, never = collections.Counter(), collections.Counter()
        for (line, *_), times in self.outcomes.items():
            of[line] += 1
            never[line] += times == 0
        for line in sorted(never):
            if never[line]:
                yield line, self.text[line - 1].strip(), never[line], of[line]


def read(path):
    for data in json.loads(pathlib.Path(path).read_text())["data"][0]["files"]:
        file = pathlib.Path(data["filename"])
        if ROOT / "src" in file.parents:
            yield File(str(file.relative_to(ROOT)), data)


def layers(files):
    """Layer -> [lines run, lines, branches taken, branches]."""
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])
    for file in files:
        mine = sums[file.path.split("/")[1]]
        for i, more in enumerate((file.lines["covered"], file.lines["count"], file.taken(), len(file.outcomes))):
            mine[i] += more
    return sums


def never_taken(files):
    """(file, line number, its text, branches never taken, branches) of the watched files."""
    for file in files:
        if WATCHED.match(file.path):
            for line in file.never_taken():
                yield file.path, *line


def per_cent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def main():
    files = list(read(sys.argv[1]))
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
    return 1 if failed or without else 0


if __name__ == "__main__":
    sys.exit(main())
