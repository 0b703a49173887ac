#!/usr/bin/env python3
"""Installs a build to a temporary prefix and builds a program against it, through find_package and
through pkg-config. The program is the C++ example of the README, so that the example stays true.

usage: consumer_test.py SOURCE_FOLDER BUILD_FOLDER COMPILER
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD, COMPILER = sys.argv.pop(1), sys.argv.pop(1), sys.argv.pop(1)
EXAMPLE = re.compile(r"^```cpp\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} failed:\n{done.stdout}")
    return done.stdout


class ConsumerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="varve_consumer_"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        # Installed here, used from there: the package must not know its prefix.
        run("cmake", "--install", BUILD, "--prefix", cls.folder / "installed")
        cls.prefix = cls.folder / "moved"
        (cls.folder / "installed").rename(cls.prefix)
        example = EXAMPLE.search((pathlib.Path(SOURCE) / "README.md").read_text())
        cls.source = cls.folder / "consumer.cc"
        cls.source.write_text(example.group(1))

    def check_program(self, program, name):
        folder = self.folder / name
        folder.mkdir()
        self.assertEqual(run(program, cwd=folder), "apple red\npear green\n")
        # The store is there and the program that was installed reads it.
        listing = run(self.prefix / "bin/varve", "--dir", folder / "data", "scan")
        self.assertEqual(listing, "fruit/apple\tred\nfruit/pear\tgreen\n")

    def test_find_package(self):
        build = self.folder / "build"
        run("cmake", "-G", "Ninja", "-S", pathlib.Path(SOURCE) / "tests/integration/consumer", "-B", build,
            f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DCMAKE_CXX_COMPILER={COMPILER}",
            f"-DCONSUMER_SOURCE={self.source}")
        run("cmake", "--build", build)
        self.check_program(build / "consumer", "by_cmake")

    def test_pkg_config(self):
        # The library's folder depends on the distribution: lib, lib64 or lib/<architecture>.
        [package] = self.prefix.rglob("varve.pc")
        environment = {**os.environ, "PKG_CONFIG_PATH": str(package.parent)}
        flags = run("pkg-config", "--cflags", "--libs", "varve", env=environment).split()
        program = self.folder / "by_hand_program"
        run(COMPILER, "-std=c++20", self.source, "-o", program, *flags)
        self.check_program(program, "by_hand")

    def test_the_example_of_types(self):
        source = pathlib.Path(SOURCE)
        example = EXAMPLE.search((source / "docs/types.md").read_text()).group(1)
        comment, program = (source / "examples/types.cc").read_text().split("\n", 1)
        self.assertTrue(comment.startswith("// "))
        self.assertEqual(example, program)
        [package] = self.prefix.rglob("varve.pc")
        environment = {**os.environ, "PKG_CONFIG_PATH": str(package.parent)}
        flags = run("pkg-config", "--cflags", "--libs", "varve", env=environment).split()
        folder = self.folder / "types"
        folder.mkdir()
        run(COMPILER, "-std=c++20", source / "examples/types.cc", "-o", folder / "program", *flags)
        self.assertEqual(run(folder / "program", cwd=folder), (source / "examples/types.out").read_text())

    def test_the_example_of_c(self):
        # Compiled as C, without a C++ compiler, and run with the library where it was installed.
        text = (pathlib.Path(SOURCE) / "docs/c.md").read_text()
        folder = self.folder / "c"
        folder.mkdir()
        (folder / "program.c").write_text(re.search(r"^```c\n(.*?)^```$", text, re.MULTILINE | re.DOTALL).group(1))
        [package] = self.prefix.rglob("varve_c.pc")
        environment = {**os.environ, "PKG_CONFIG_PATH": str(package.parent)}
        flags = run("pkg-config", "--cflags", "--libs", "varve_c", env=environment).split()
        run("cc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", folder / "program.c", "-o",
            folder / "program", *flags)
        self.assertEqual(run(folder / "program", cwd=folder,
                             env={**os.environ, "LD_LIBRARY_PATH": str(package.parent.parent)}),
                         "apple red\npear green\n")

    def test_every_public_header_is_installed_and_nothing_else(self):
        public = pathlib.Path(SOURCE) / "include/varve"
        installed = self.prefix / "include"
        self.assertEqual(sorted(f"varve/{path.name}" for path in public.glob("*.h")),
                         sorted(str(path.relative_to(installed)) for path in installed.rglob("*.h")))


if __name__ == "__main__":
    unittest.main()
