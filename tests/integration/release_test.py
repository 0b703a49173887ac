#!/usr/bin/env python3
"""No planted bug gets into a release: CMake refuses it, and without the option the compiler leaves nothing of them.

usage: release_test.py SOURCE_FOLDER BUILD_FOLDER COMPILER

Where the release was built (build/release), its program and libraries are looked at too.
"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD = (pathlib.Path(sys.argv.pop(1)).resolve() for _ in range(2))
COMPILER = sys.argv.pop(1)
PLANTED_SOURCE = """#include "base/planted_bug.h"
bool IsAccepted() { return VARVE_PLANTED_BUG("open.newer_files_accepted"); }
"""


def run(*command):
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


class ReleaseTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def check(self, *files):
        return run(sys.executable, SOURCE / "tools/release_check.py", *files)

    def compiled(self, *flags):
        source, program = self.folder / "planted.cc", self.folder / "planted.o"
        source.write_text(PLANTED_SOURCE)
        code, text = run(COMPILER, "-std=c++20", "-O2", f"-I{SOURCE}/src", *flags, "-c", source, "-o", program)
        self.assertEqual(code, 0, text)
        return program

    def test_nothing_of_them_is_compiled_without_the_option(self):
        code, text = self.check(self.compiled())
        self.assertEqual(code, 0, text)

    def test_the_check_finds_them(self):
        code, text = self.check(self.compiled("-DVARVE_PLANTED_BUGS"))
        self.assertEqual(code, 1, text)
        self.assertIn("open.newer_files_accepted", text)
        self.assertEqual(self.check()[0], 1)

    def test_cmake_refuses_them_in_a_release(self):
        code, text = run("cmake", "--preset", "release", "-S", SOURCE, "-B", self.folder / "build", f"-DCMAKE_CXX_COMPILER={COMPILER}",
                         "-DVARVE_PLANTED_BUGS=ON")
        self.assertNotEqual(code, 0, text)
        self.assertIn("planted bugs are for builds of type Debug", " ".join(text.split()))

    def test_the_release_has_none(self):
        release = SOURCE / "build/release"
        files = [path for path in (release / "varve", *release.glob("libvarve*")) if path.is_file()]
        if not files:
            self.skipTest("the release is not built")
        code, text = self.check(*files)
        self.assertEqual(code, 0, text)


if __name__ == "__main__":
    unittest.main()
