#!/usr/bin/env python3
"""Holds the #include lines of src/ and include/ against the layers that CMakeLists.txt declares, and those of the layers
that know no outside world against the headers that bring it in.

usage: check_layers.py [ROOT]
"""
import pathlib
import re
import sys

LAYER = re.compile(r"^varve_layer\(([^)]*)\)", re.MULTILINE)
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
SYSTEM_INCLUDE = re.compile(r"^\s*#\s*include\s*<([^>]+)>", re.MULTILINE)
PUBLIC = "varve"  # include/varve: every layer may include it, and it includes nothing else
# Layers that are a function of what they are given: the same events, the same actions. What brings in clocks, threads, files,
# chance, or an order by addresses is not for them; nor is what is not the language's own, as <unistd.h> and <sys/...>.
PURE = ("cluster", "sim")
IMPURE = {"atomic", "barrier", "chrono", "condition_variable", "csetjmp", "csignal", "cstdio", "ctime", "filesystem", "fstream",
          "future", "iostream", "latch", "locale", "mutex", "random", "semaphore", "shared_mutex", "stop_token", "syncstream",
          "thread"}
MAIN = "main"     # wiring: may include every layer


def declared_layers(root):
    """Layer -> the layers it may include, itself and the public headers among them."""
    layers = {}
    for declaration in LAYER.findall((root / "CMakeLists.txt").read_text()):
        name, *below = declaration.split()
        layers[name] = {name, PUBLIC, *below}
    layers[MAIN] = {MAIN, PUBLIC, *layers}
    layers[PUBLIC] = {PUBLIC}
    return layers


def sources(folder):
    return sorted(path for path in folder.rglob("*") if path.suffix in (".h", ".cc"))


def violations(root):
    layers = declared_layers(root)
    for name, allowed in layers.items():
        for other in allowed - layers.keys():
            yield f"CMakeLists.txt: layer {name} names {other}, which is no layer"
        for other in allowed - {name}:
            if name != MAIN and name in layers.get(other, ()):
                yield f"CMakeLists.txt: layers {name} and {other} include each other"
    for folder in sorted((root / "src").iterdir()):
        if folder.is_dir() and folder.name not in layers:
            yield f"src/{folder.name}: not a layer that CMakeLists.txt declares"
    for path in sources(root / "src") + sources(root / "include"):
        relative = path.relative_to(root)
        allowed = layers.get(relative.parts[1], set())
        for target in INCLUDE.findall(path.read_text()):
            if target.split("/")[0] not in allowed or "/" not in target:
                yield f'{relative}: may not include "{target}"'
        if relative.parts[1] not in PURE:
            continue
        for target in SYSTEM_INCLUDE.findall(path.read_text()):
            if target in IMPURE or target.endswith(".h"):
                yield f"{relative}: may not include <{target}>: the layer knows no outside world"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    found = list(violations(root))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
