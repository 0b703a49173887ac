#!/usr/bin/env python3
"""Runs the examples of documents: fenced blocks of kind "console".

usage: check_examples.py PROGRAM_FOLDER DOCUMENT...

A line "$ command" is run by bash, with PROGRAM_FOLDER first in PATH; the lines after it are what the
command must print, standard error included. "..." stands for any text, lines included. All examples of
a document run in one empty folder, one after another.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PROMPT = "$ "


def examples_of(document):
    """(line number, command, expected output) of each example."""
    examples = []
    is_inside = False
    for number, line in enumerate(document.read_text().splitlines(), 1):
        if line.startswith("```"):
            is_inside = not is_inside and line == "```console"
        elif is_inside and line.startswith(PROMPT):
            examples.append([number, line[len(PROMPT):], ""])
        elif is_inside:
            examples[-1][2] += line + "\n"
    return examples


def matches(output, expected):
    # A line of dots alone may also stand for no line at all.
    pattern = re.escape(expected).replace(r"\.\.\.\n", r"(?:.*\n)?").replace(r"\.\.\.", ".*")
    return re.fullmatch(pattern, output, re.DOTALL) is not None


def run(command, folder, environment):
    done = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    # `get` prints no newline of its own; a document cannot show that.
    output = done.stdout
    return output if not output or output.endswith("\n") else output + "\n"


def problems_of(document, examples, environment):
    with tempfile.TemporaryDirectory() as folder:
        for number, command, expected in examples:
            output = run(command, folder, environment)
            if not matches(output, expected):
                yield f"{document}:{number}: $ {command}\nexpected:\n{expected}printed:\n{output}"


def main():
    program_folder = pathlib.Path(sys.argv[1]).resolve()
    environment = {**os.environ, "PATH": f"{program_folder}:{os.environ['PATH']}"}
    environment.pop("VARVE_DIR", None)
    found = []
    count = 0
    for document in map(pathlib.Path, sys.argv[2:]):
        examples = examples_of(document)
        count += len(examples)
        if not examples:
            found.append(f"{document}: no examples; is the kind of the fence \"console\"?")
        found += problems_of(document, examples, environment)
    print("\n".join(found) or f"{count} examples run as written")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
