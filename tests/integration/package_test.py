#!/usr/bin/env python3
"""Makes the Debian packages of a build and looks into them.

usage: package_test.py SOURCE_FOLDER BUILD_FOLDER
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD = (pathlib.Path(sys.argv.pop(1)).resolve() for _ in range(2))


def run(*command):
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{command} failed:\n{done.stdout}")
    return done.stdout


class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="varve_package_"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        run("cpack", "-G", "DEB", "--config", BUILD / "CPackConfig.cmake", "-B", cls.folder)
        packages = {path.name.split("_")[0]: path for path in cls.folder.glob("*.deb")}
        cls.names = set(packages)
        for name, path in packages.items():
            run("dpkg-deb", "--raw-extract", path, cls.folder / name)

    def test_the_program(self):
        self.assertEqual(self.names, {"varve", "libvarve-dev"})
        root = self.folder / "varve"
        files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
        wanted = {"usr/bin/varve", "usr/lib/systemd/system/varve.service", "usr/share/doc/varve/varve.toml",
                  "usr/share/doc/varve/LICENSE"}
        # A build of the program alone has made no documents.
        if (BUILD / "documents" / "varve.1").exists():
            wanted |= {"usr/share/man/man1/varve.1", "usr/share/bash-completion/completions/varve",
                       "usr/share/zsh/vendor-completions/_varve"}
        self.assertLessEqual(wanted, files)
        self.assertEqual({name for name in files if "/include/" in name or name.endswith(".a")}, set())
        self.assertEqual(run(root / "usr/bin/varve", "--version").split()[0], "varve")
        control = (root / "DEBIAN" / "control").read_text()
        self.assertIn("libzstd1", control)
        for script in ("postinst", "prerm", "postrm"):
            run("sh", "-n", root / "DEBIAN" / script)
            self.assertTrue(os.access(root / "DEBIAN" / script, os.X_OK))

    def test_the_image_has_what_the_program_needs(self):
        control = (self.folder / "varve" / "DEBIAN" / "control").read_text()
        depends = re.search(r"^Depends: (.*)$", control, re.MULTILINE).group(1)
        needed = {re.split(r"[ :(|]", one.strip())[0] for one in depends.split(",")}
        self.assertLessEqual({"libcurl4", "libmimalloc2.0"}, needed)
        stage = (SOURCE / "Dockerfile").read_text().split("\nFROM ")[-1]
        # These are in the image that it begins with.
        self.assertEqual(needed - set(stage.split()), {"libc6", "libgcc-s1", "libstdc++6"})

    def test_the_library(self):
        root = self.folder / "libvarve-dev"
        names = {path.name for path in root.rglob("*")}
        self.assertLessEqual({"db.h", "c.h", "libvarve.a", "libvarve.so", "varve.pc", "varveConfig.cmake"}, names)
        self.assertNotIn("bin", names)

    def test_the_unit(self):
        unit = (self.folder / "varve/usr/lib/systemd/system/varve.service").read_text()
        for line in ("Type=notify", "DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict",
                     "ExecStart=varve server /var/lib/varve"):
            self.assertIn(line + "\n", unit)
        if shutil.which("systemd-analyze") is None:
            print("skipped: systemd-analyze is absent", file=sys.stderr)
            return
        checked = self.folder / "varve.service"
        checked.write_text(unit.replace("ExecStart=varve", f"ExecStart={self.folder}/varve/usr/bin/varve")
                           .replace("Documentation=man:varve(1)\n", ""))
        # What it says of other units is not ours.
        done = subprocess.run(["systemd-analyze", "verify", checked], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        self.assertEqual([line for line in done.stdout.splitlines() if "varve.service:" in line], [])


if __name__ == "__main__":
    if shutil.which("dpkg-deb") is None or shutil.which("dpkg-shlibdeps") is None:
        print("skipped: the tools that make Debian packages are absent (dpkg, dpkg-dev)")
        sys.exit(77)
    unittest.main()
