#!/usr/bin/env python3
"""Compiles headers of include/ and src/ alone: each must include what it uses.

A header that is the first include of its own .cc file is left out: the build compiles it alone. So is one
that adapts a library that is not installed.

usage: check_headers.py COMPILER [ROOT]
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

# Warnings are the business of the build, which compiles the same lines.
FLAGS = ["-std=c++20", "-fsyntax-only", "-w", "-x", "c++"]
# Headers for programs that use another library as well, with what they include of it.
ADAPTERS = {"include/varve/codec_cereal.h": "cereal/cereal.hpp",
            "include/varve/codec_json.h": "nlohmann/json.hpp",
            "include/varve/codec_msgpack.h": "msgpack.hpp"}
# A public header must also do without src/.
FOLDERS = {"include": ["include"], "src": ["include", "src"]}


def is_first_include_of_its_source(header, folder):
    source = header.with_suffix(".cc")
    includes = re.findall(r'^#include\s+["<](.+)[">]', source.read_text(), re.M) if source.exists() else []
    return includes[:1] == [header.relative_to(folder).as_posix()]


def problem_of(compiler, root, header, include_folders):
    source = f'#include "{header.resolve()}"\n'
    library = ADAPTERS.get(header.relative_to(root).as_posix())
    if library:
        source = f"#if __has_include(<{library}>)\n{source}#endif\n"
    includes = [f"-I{root / folder}" for folder in include_folders]
    run = subprocess.run([compiler, *FLAGS, *includes, "-"], input=source, text=True,
                         stderr=subprocess.PIPE, check=False)
    return None if run.returncode == 0 else f"{header} does not compile alone:\n{run.stderr}"


def main():
    compiler = sys.argv[1]
    root = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else ".")
    headers = [(header, includes) for folder, includes in FOLDERS.items()
               for header in sorted((root / folder).rglob("*.h"))
               if not is_first_include_of_its_source(header, root / folder)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = list(pool.map(lambda item: problem_of(compiler, root, *item), headers))
    found = [problem for problem in problems if problem]
    print("\n".join(found) or f"{len(headers)} headers compile alone")
    return 1 if found or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
