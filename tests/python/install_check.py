#!/usr/bin/env python3
"""Installs the binding by pip, without a network, and uses it from there.

usage: install_check.py SOURCE_FOLDER LIBRARY
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE, LIBRARY = pathlib.Path(sys.argv.pop(1)), pathlib.Path(sys.argv.pop(1))
PROGRAM = "import varve, sys\nwith varve.open(sys.argv[1]) as db:\n  db[b'k'] = b'v'\n  print(db[b'k'])\n"
MODULE = "bindings/python"


class InstallTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="varve_pip_"))
        self.addCleanup(shutil.rmtree, self.folder)
        # Of a copy: building leaves files in the source.
        self.source = self.folder / "source"
        shutil.copytree(SOURCE / MODULE, self.source, ignore=shutil.ignore_patterns("__pycache__"))

    def install(self):
        target = self.folder / "installed"
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--no-build-isolation", "--no-index", "--no-deps", "--quiet",
             "--target", str(target), str(self.source)], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False,
            env={**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                 "PIP_ROOT_USER_ACTION": "ignore"})
        self.assertEqual(done.returncode, 0, done.stdout)
        return target

    def run_program(self, target, **environment):
        clean = {name: value for name, value in os.environ.items() if name != "VARVE_LIBRARY"}
        return subprocess.run([sys.executable, "-c", PROGRAM, str(self.folder / "db")], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, cwd=self.folder,
                              env={**clean, "PYTHONPATH": str(target), **environment})

    def test_with_the_library_in_the_package(self):
        shutil.copy(LIBRARY, self.source / "varve/libvarve.so")
        target = self.install()
        self.assertTrue((target / "varve/py.typed").exists())
        done = self.run_program(target)
        self.assertEqual((done.stdout, done.stderr), ("b'v'\n", ""))

    def test_with_the_library_elsewhere(self):
        target = self.install()
        done = self.run_program(target, VARVE_LIBRARY=str(LIBRARY))
        self.assertEqual((done.stdout, done.stderr), ("b'v'\n", ""))
        # A library that is not one says so, and what to do.
        done = self.run_program(target, VARVE_LIBRARY=str(self.folder / "absent.so"))
        self.assertNotEqual(done.returncode, 0)
        for part in ("absent.so", "VARVE_LIBRARY", "--target varve_shared", "LibraryNotFound"):
            self.assertIn(part, done.stderr)
        # Another library is not one, either.
        done = self.run_program(target, VARVE_LIBRARY="libc.so.6")
        self.assertIn("libc.so.6 has no varve_open", done.stderr)

    def test_with_the_library_where_the_loader_looks(self):
        target = self.install()
        (self.folder / "libvarve.so.0").symlink_to(LIBRARY)
        done = self.run_program(target, LD_LIBRARY_PATH=str(self.folder))
        self.assertEqual((done.stdout, done.stderr), ("b'v'\n", ""))


if __name__ == "__main__":
    unittest.main()
