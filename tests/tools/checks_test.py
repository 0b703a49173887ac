#!/usr/bin/env python3
"""The checks of tools/ find what they are there to find: each is shown a small tree with one fault.

usage: checks_test.py TOOLS_FOLDER
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else "tools").resolve()

SOUND_TREE = {
    "CMakeLists.txt": "varve_layer(base)\nvarve_layer(env base)\nvarve_layer(cli base)\n",
    "include/varve/db.h": "#ifndef VARVE_DB_H_\n#define VARVE_DB_H_\n#include \"varve/status.h\"\n"
                          "#endif  // VARVE_DB_H_\n",
    "include/varve/status.h": "#ifndef VARVE_STATUS_H_\n#define VARVE_STATUS_H_\n#endif\n",
    "src/base/check.h": "#ifndef VARVE_BASE_CHECK_H_\n#define VARVE_BASE_CHECK_H_\n"
                        "#include <string>\ninline std::string Name() { return \"printf(\"; }\n"
                        "#endif\n",
    "src/env/env.cc": "#include <unistd.h>\n#include \"base/check.h\"\n#include \"varve/db.h\"\n",
    "src/main/varve.cc": "#include \"cli/run.h\"\nint main() {}\n",
    "src/cli/run.h": "#ifndef VARVE_CLI_RUN_H_\n#define VARVE_CLI_RUN_H_\n#endif\n",
    "tests/a_test.cc": "// rand() in a comment\n",
    "bench/a.cc": "",
}


class Check(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for path, text in SOUND_TREE.items():
            self.write(path, text)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def append(self, path, text):
        self.write(path, (self.root / path).read_text() + text)

    def run_tool(self, tool, *arguments):
        run = subprocess.run([sys.executable, str(TOOLS / tool), *arguments, str(self.root)],
                             text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return run.returncode, run.stdout

    def assert_found(self, tool, expected, *arguments):
        code, output = self.run_tool(tool, *arguments)
        self.assertEqual(code, 1, output)
        self.assertIn(expected, output)
        self.assertEqual(len(output.splitlines()), 1, output)

    def assert_sound(self, tool, *arguments):
        code, output = self.run_tool(tool, *arguments)
        self.assertEqual(code, 0, output)


class LayersTest(Check):
    def test_sound_tree_passes(self):
        self.assert_sound("check_layers.py")

    def test_include_of_an_upper_layer_is_found(self):
        self.append("src/base/check.h", '#include "env/env.h"\n')
        self.assert_found("check_layers.py", 'src/base/check.h: may not include "env/env.h"')

    def test_include_of_a_sibling_is_found(self):
        self.append("src/cli/run.h", '#include "env/env.h"\n')
        self.assert_found("check_layers.py", "src/cli/run.h")

    def test_public_header_that_includes_src_is_found(self):
        self.append("include/varve/db.h", '#include "base/check.h"\n')
        self.assert_found("check_layers.py", "include/varve/db.h")

    def test_include_of_tests_or_without_a_folder_is_found(self):
        self.append("src/env/env.cc", '#include "tests/support.h"\n')
        self.assert_found("check_layers.py", "tests/support.h")
        self.write("src/env/env.cc", '#include "check.h"\n')
        self.assert_found("check_layers.py", '"check.h"')

    def test_undeclared_folder_is_found(self):
        self.write("src/stray/a.cc", "")
        self.assert_found("check_layers.py", "src/stray: not a layer")

    def test_layers_that_include_each_other_are_found(self):
        self.append("CMakeLists.txt", "varve_layer(a b)\nvarve_layer(b a)\n")
        code, output = self.run_tool("check_layers.py")
        self.assertEqual(code, 1)
        self.assertIn("a and b include each other", output)


class TidyTest(Check):
    def test_sound_tree_passes(self):
        self.assert_sound("tidy.py")

    def test_banned_calls_are_found(self):
        for call in ("int x = rand();", "std::printf(\"x\");", "throw 1;", "std::mutex mu;",
                     "std::this_thread::sleep_for(1s);", "std::cout << 1;", "#include <fcntl.h>",
                     "std::chrono::steady_clock::now();", "std::thread t;", "assert(x);"):
            with self.subTest(call):
                self.write("src/base/a.cc", call + "\n")
                self.assert_found("tidy.py", "src/base/a.cc:1: ")

    def test_a_banned_call_may_give_its_reason(self):
        self.write("src/base/a.cc", "// tidy: libc has nothing else\nint x = rand();\n")
        self.assert_sound("tidy.py")
        self.write("src/base/a.cc", "// tidy: too far away\n\nint x = rand();\n")
        self.assert_found("tidy.py", "src/base/a.cc:3")

    def test_comments_strings_and_longer_names_are_not_calls(self):
        self.write("src/base/a.cc", '// rand()\n/* throw */ char s[] = "throw";\n'
                                    "int a = snprintf(b); grand(); x.rand();\n")
        self.assert_sound("tidy.py")

    def test_conditionals_in_public_headers_are_found(self):
        self.append("include/varve/db.h", "#ifdef __linux__\n")
        self.assert_found("tidy.py", "include/varve/db.h:5")

    def test_markers_tabs_and_trailing_space_are_found(self):
        for text in ("// TO" "DO: later\n", "\tint x;\n", "int x; \n", "int x;"):
            with self.subTest(text):
                self.write("tests/b_test.cc", text)
                self.assert_found("tidy.py", "tests/b_test.cc")

    def test_wrong_guard_is_found(self):
        self.write("src/base/b.h", "#ifndef VARVE_B_H_\n#define VARVE_B_H_\n#endif\n")
        self.assert_found("tidy.py", "src/base/b.h: the include guard is not VARVE_BASE_B_H_")

    def test_source_that_nobody_builds_is_found(self):
        built = [path for path in SOUND_TREE if path.endswith(".cc") and path != "bench/a.cc"]
        commands = [{"directory": str(self.root), "file": path} for path in built]
        self.write("commands.json", json.dumps(commands))
        arguments = ("--compile-commands", str(self.root / "commands.json"))
        self.assert_found("tidy.py", "bench/a.cc: no target builds it", *arguments)


class HeadersTest(Check):
    def run_headers(self):
        return self.run_tool("check_headers.py", "g++")

    def test_sound_tree_passes(self):
        self.assertEqual(self.run_headers()[0], 0)

    def test_header_that_lacks_an_include_is_found(self):
        self.append("src/cli/run.h", "inline std::string Run();\n")
        code, output = self.run_headers()
        self.assertEqual(code, 1)
        self.assertIn("run.h does not compile alone", output)

    def test_header_that_its_source_includes_second_is_found(self):
        self.append("src/cli/run.h", "inline std::string Run();\n")
        self.write("src/cli/run.cc", '#include <string>\n#include "cli/run.h"\n')
        self.assertEqual(self.run_headers()[0], 1)

    def test_public_header_that_needs_src_is_found(self):
        self.append("include/varve/db.h", '#include "base/check.h"\n')
        self.assertEqual(self.run_headers()[0], 1)


class ExamplesTest(Check):
    def run_examples(self, text):
        self.write("page.md", "# Page\n\n```console\n" + text + "```\n")
        run = subprocess.run([sys.executable, str(TOOLS / "check_examples.py"), "/bin",
                              str(self.root / "page.md")],
                             text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return run.returncode, run.stdout

    def test_examples_with_the_right_output_pass(self):
        text = ("$ echo a > file      # a comment\n$ cat file\na\n"
                "$ seq 9 | tail -n 3\n...\n9\n$ cat missing\n...No such file...\n")
        self.assertEqual(self.run_examples(text), (0, "4 examples run as written\n"))

    def test_wrong_missing_and_additional_output_is_found(self):
        for text in ("$ echo a\nb\n", "$ echo a\n", "$ true\na\n", "$ printf 'a\\nb\\n'\na\n"):
            with self.subTest(text):
                code, output = self.run_examples(text)
                self.assertEqual(code, 1)
                self.assertIn("page.md:4", output)

    def test_a_page_without_examples_is_found(self):
        self.assertEqual(self.run_examples("")[0], 1)


if __name__ == "__main__":
    unittest.main()
