#!/usr/bin/env python3
"""libvarve.so shows the functions that varve/c.h declares, and nothing else.

usage: symbols_test.py LIBRARY HEADER
"""
import pathlib
import re
import subprocess
import sys


def main():
    library, header = sys.argv[1:3]
    listing = subprocess.run(["nm", "-D", "--defined-only", library], text=True, check=True,
                             stdout=subprocess.PIPE).stdout
    shown = {line.split()[-1] for line in listing.splitlines()}
    text = re.sub(r"/\*.*?\*/", "", pathlib.Path(header).read_text(), flags=re.DOTALL)
    text = re.sub(r"typedef[^;{]*;", "", text)
    declared = set(re.findall(r"\b(varve_\w+)\(", text))
    for name in sorted(declared - shown):
        print(f"{name} is declared and not there")
    for name in sorted(shown - declared):
        print(f"{name} is there and not declared")
    print(f"{len(declared)} functions")
    return 0 if declared and declared == shown else 1


if __name__ == "__main__":
    sys.exit(main())
