#!/usr/bin/env python3
"""House rules that the compiler does not know. Prints each violation with its place.

A banned call that is right where it stands says so, on its line or the one above: "// tidy: <why>".

usage: tidy.py [--compile-commands FILE] [ROOT]

With the compile commands of a build, also finds sources that nobody builds.
"""
import argparse
import json
import pathlib
import re
import sys

SUFFIXES = (".h", ".cc")
FOLDERS = ("include", "src", "tests", "bench")

# Split so that this file does not find itself.
MARKERS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")

# (pattern, folders it is banned in, folders or files that may, what to do instead)
BANNED = [
    (r"(?<![\w.>:])s?rand\s*\(", ["src", "include"], [], "base/random.h"),
    (r"\bstd::random_device\b", ["src", "include"], ["src/env"], "Env::RandomSeed"),
    (r"\b(system_clock|steady_clock|high_resolution_clock)::now\b", ["src", "include"],
     ["src/env", "src/main"], "a Clock by constructor"),
    (r"\b(sleep_for|sleep_until|usleep|nanosleep)\s*\(", ["src", "include", "tests"],
     ["src/env"], "Clock::SleepNanos; in tests, wait for a condition"),
    (r"(?<!\w)(std::)?f?printf\s*\(", ["src", "include"], ["src/base/check.cc"],
     "a Status, or the console of src/cli"),
    (r"\bstd::(cout|cerr|cin)\b", ["src", "include"], ["src/main"], "the console of src/cli"),
    (r"\bstd::(thread|jthread|async)\b(?!::)", ["src", "include"], ["src/env"],
     "Env::StartThread"),
    (r"\bstd::(mutex|condition_variable)\b", ["src", "include"], ["src/base/mutex.h"],
     "base/mutex.h, whose locks the compiler checks"),
    (r"\bthrow\b(?!\()", ["src", "include"], [], "a Status; Db::At alone throws"),
    (r"\b(assert|abort)\s*\(", ["src", "include"], ["src/base/check.cc"], "VARVE_CHECK"),
    (r"#\s*include\s*<(unistd\.h|fcntl\.h|sys/.*|poll\.h|pthread\.h|dirent\.h|filesystem)>",
     ["src", "include"], ["src/env", "src/net", "src/main"],
     "src/env, or src/net for sockets: no other layer makes a system call"),
    (r"#\s*include\s*<(regex|ranges)>", ["src", "include"], [], "plain code"),
    (r"#\s*if(?!ndef VARVE_\w+_H_$)\w*", ["include"], [], "no #if in public headers"),
]

# Db::At throws by contract.
ALLOWED_LINES = {r"\bthrow\b(?!\()": re.compile(r"throw (KeyNotFound|std::runtime_error)\(")}

EXCUSE = re.compile(r"// tidy: \w")
COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|R"\w*\(.*?\)\w*"|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def without_comments(text):
    """The text with comments and strings blanked, except the names in #include lines."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    return COMMENT_OR_STRING.sub(blank, text)


def under(path, prefixes):
    return any(path == prefix or path.startswith(prefix + "/") for prefix in prefixes)


def banned_calls(path, text):
    code = without_comments(text).splitlines()
    lines = text.splitlines()
    for pattern, folders, exempt, instead in BANNED:
        if not under(path, folders) or under(path, exempt):
            continue
        allowed = ALLOWED_LINES.get(pattern)
        for number, line in enumerate(code, 1):
            found = re.search(pattern, line)
            if not found or (allowed and allowed.search(line)):
                continue
            if not any(EXCUSE.search(near) for near in lines[max(0, number - 2):number]):
                yield f"{path}:{number}: {found.group().strip()}: use {instead}"


def expected_guard(path):
    parts = pathlib.PurePath(path).parts
    # Includes of src/ and include/ start below these folders, and so do guards.
    parts = parts[1:] if parts[0] in ("src", "include") else parts
    name = re.sub(r"[^A-Z0-9]", "_", "/".join(parts).upper()) + "_"
    return name if name.startswith("VARVE_") else "VARVE_" + name


def layout(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if "\t" in line:
            yield f"{path}:{number}: a tab; indent with spaces"
        if line != line.rstrip():
            yield f"{path}:{number}: space at the end of the line"
        if MARKERS.search(line):
            yield f"{path}:{number}: {MARKERS.search(line).group()}: do it, or file it"
    if text and not text.endswith("\n"):
        yield f"{path}: no newline at the end"
    guard = expected_guard(path)
    if path.endswith(".h") and not re.search(rf"^#ifndef {guard}\n#define {guard}$", text, re.M):
        yield f"{path}: the include guard is not {guard}"


def unbuilt(root, compile_commands, left_out):
    built = set()
    for entry in json.loads(compile_commands.read_text()):
        source = pathlib.Path(entry["directory"], entry["file"]).resolve()
        built.add(str(source))
        if source.parent.parent.name == "unity":  # cmake/unity.cmake: a list of sources
            built.update(str((source.parent / path).resolve()) for path in re.findall(r'^#include "(.+\.cc)"$', source.read_text(), re.M))
    # Fuzz targets are built by their own preset, with clang.
    for folder in ("src", "tests", "bench"):
        for path in sorted((root / folder).rglob("*.cc")):
            relative = path.relative_to(root)
            expected = relative.parts[:2] != ("tests", "fuzz") and not relative.as_posix().startswith(tuple(left_out))
            if expected and str(path.resolve()) not in built:
                yield f"{relative}: no target builds it"


def violations(root, compile_commands, left_out=()):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in SUFFIXES:
                continue
            relative = path.relative_to(root).as_posix()
            text = path.read_text()
            yield from layout(relative, text)
            yield from banned_calls(relative, text)
    if compile_commands:
        yield from unbuilt(root, compile_commands, left_out)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compile-commands", type=pathlib.Path)
    parser.add_argument("--left-out", action="append", default=[], metavar="PREFIX",
                        help="sources that this build cannot build, for what they need is not installed")
    parser.add_argument("root", nargs="?", default=".", type=pathlib.Path)
    arguments = parser.parse_args()
    found = list(violations(arguments.root, arguments.compile_commands, arguments.left_out))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
