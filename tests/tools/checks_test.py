#!/usr/bin/env python3
"""The checks of tools/ find what they are there to find: each is shown a small tree with one fault.

usage: checks_test.py TOOLS_FOLDER
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
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


    def test_the_outside_world_is_found_in_layers_that_know_none(self):
        self.append("CMakeLists.txt", "varve_layer(cluster base)\n")
        self.write("src/cluster/a.cc", "#include <map>\n#include <cstdint>\n")
        self.assert_sound("check_layers.py")
        for header in ("thread", "chrono", "mutex", "fstream", "random", "unistd.h", "sys/socket.h"):
            with self.subTest(header):
                self.write("src/cluster/a.cc", f"#include <map>\n#include <{header}>\n")
                self.assert_found("check_layers.py", f"src/cluster/a.cc: may not include <{header}>")


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


# A 'varve torture cluster' of which seed 3 fails.
TORTURE = """#!/usr/bin/env python3
import json, sys
words = dict(zip(sys.argv[4::2], sys.argv[5::2]))
first, count = int(words["--seed"]), int(words["--seeds"])
fails = first <= 3 < first + count
seeds = 4 - first if fails else count
facts = {"seeds": seeds, "simulated_seconds": 20.0 * seeds, "events": seeds, "requests": 0, "acknowledged_writes": 0,
         "answered_reads": 0, "topologies": 0, "profiles": "mixed %d" % seeds, "trace": str(first)}
if fails:
    facts |= {"seed": 3, "violation": "I1: lost", "replay": "again"}
print(json.dumps(facts))
sys.exit(6 if fails else 0)
"""


class SeedRunTest(Check):
    def run_seeds(self, *arguments, varve=TORTURE):
        self.write("varve", varve)
        (self.root / "varve").chmod(0o755)
        return subprocess.run([sys.executable, TOOLS / "seed_run.py", "--varve", self.root / "varve", *arguments],
                              capture_output=True, text=True, check=False)

    def test_all_seeds_are_run_and_counted(self):
        done = self.run_seeds("--seed", "10", "--seeds", "25", "--chunk", "10", "--jobs", "3")
        self.assertEqual(done.returncode, 0, done.stderr)
        for line in ("seeds\t25", "simulated_seconds\t500", "profile mixed\t25", "violations\t0"):
            self.assertIn(line + "\n", done.stdout)

    def test_a_violation_is_told_and_the_others_are_run(self):
        done = self.run_seeds("--seeds", "10", "--chunk", "7")
        self.assertEqual(done.returncode, 6, done.stderr)
        for line in ("seed 3: I1: lost", "  again", "seeds\t10", "violations\t1"):
            self.assertIn(line + "\n", done.stdout)

    def test_what_cannot_be_run_is_no_success(self):
        self.assertEqual(self.run_seeds(varve="#!/bin/sh\nexit 3\n").returncode, 1)


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


class CopiedCheck(Check):
    """For tools that look at the tree they lie in."""

    def run_tool(self, name, *arguments):
        for tool in TOOLS.glob("*.py"):
            self.write(f"tools/{tool.name}", tool.read_text())
        run = subprocess.run([sys.executable, str(self.root / "tools" / name), *arguments], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return run.returncode, run.stdout


class PromisesTest(CopiedCheck):
    def run_of(self, name, result, kills):
        self.write(name, json.dumps({
            "campaigns": [{"campaign": "crash", "seeds": 2, "result": result}],
            "counts": [{"campaign": "crash", "what": "kills", "number": str(kills)}]}))
        return str(self.root / name)

    def setUp(self):
        super().setUp()
        self.write("src/torture/crash.cc", 'CrashTrials() : Trials("crash", "what is acknowledged survives", 1) {}\n')
        self.write("docs/empty", "")

    def reached(self):
        page = (self.root / "docs" / "promises.md").read_text()
        return [line for line in page.splitlines() if "`crash`" in line][0]

    def test_runs_of_seeds_are_counted(self):
        self.write("src/torture/cluster.cc", 'name() const override { return "cluster"; }\n  p() const override { return "it holds"; }\n')
        printed = "".join(f"{name}\t{number}\n" for name, number in (
            ("seeds", 5), ("simulated_seconds", 100), ("events", 9), ("requests", 7), ("acknowledged_writes", 6), ("answered_reads", 4),
            ("topologies", 3), ("profile mixed", 5)))
        self.write("held.txt", printed + "violations\t0\n")
        self.write("broken.txt", "seed 1: I1: lost\n  replay\n" + printed + "violations\t1\n")
        self.assertEqual(self.run_tool("promises.py", "--add", str(self.root / "held.txt")), (0, ""))
        self.assertIn("| `cluster` | 5 | 5 clusters, 7 requests checked,", (self.root / "docs" / "promises.md").read_text())
        self.assertEqual(self.run_tool("promises.py", "--add", str(self.root / "broken.txt"))[0], 1)

    def test_runs_add_up(self):
        first, second = self.run_of("1.json", "held", 1000), self.run_of("2.json", "held", 234)
        self.assertEqual(self.run_tool("promises.py", "--add", first, second), (0, ""))
        self.assertEqual(self.reached(), "| what is acknowledged survives | `crash` | 4 | 1,234 kills |")
        self.assertEqual(self.run_tool("promises.py", "--add", self.run_of("3.json", "held", 1)), (0, ""))
        self.assertIn("| 6 | 1,235 kills |", self.reached())
        self.assertEqual(self.run_tool("promises.py", "--replace", second), (0, ""))
        self.assertIn("| 2 | 234 kills |", self.reached())

    def test_tests_and_fuzz_targets_are_counted_by_what_they_write(self):
        tests = {"testsuites": [{"testsuite": [{"classname": "A", "name": "a", "failed_calls": "700"},
                                               {"classname": "A", "name": "b", "failed_calls": "34"}]}]}
        self.write("tests.json", json.dumps(tests, indent=1))
        fuzz = "#9 DONE\nDone 9 runs in 61 second(s)\nstat::number_of_executed_units: 9000\n"
        self.write("fuzz_wal.log", fuzz)
        self.write("once_fuzz_wal-000000000002.json", fuzz)
        paths = [str(self.root / name) for name in ("tests.json", "tests.json", "fuzz_wal.log", "once_fuzz_wal-000000000002.json")]
        self.assertEqual(self.run_tool("promises.py", "--add", *paths), (0, ""))
        page = (self.root / "docs" / "promises.md").read_text()
        self.assertIn("| 734 runs in which one call failed |", page)
        self.assertIn("| `wal` | 18,000 | 122 |", page)
        self.assertIn("| not recorded yet |", page)
        tests["testsuites"][0]["testsuite"][0]["failures"] = [{"failure": "no"}]
        self.write("tests.json", json.dumps(tests))
        self.write("fuzz_resp.log", "ERROR: libFuzzer: deadly signal\n")
        for name in ("tests.json", "fuzz_resp.log"):
            self.assertEqual(self.run_tool("promises.py", "--add", str(self.root / name))[0], 1)

    def test_a_broken_run_is_not_recorded(self):
        self.assertEqual(self.run_tool("promises.py", "--add", self.run_of("1.json", "held", 1)), (0, ""))
        before = self.reached()
        self.assertEqual(self.run_tool("promises.py", "--add", self.run_of("2.json", "broken", 7))[0], 1)
        self.assertEqual(self.reached(), before)

    def test_figures_written_by_hand_are_found(self):
        self.assertEqual(self.run_tool("promises.py", "--add", self.run_of("1.json", "held", 1)), (0, ""))
        self.assertEqual(self.run_tool("promises.py", "--check"), (0, ""))
        page = self.root / "docs" / "promises.md"
        page.write_text(page.read_text().replace("1 kills", "9 kills"))
        self.assertEqual(self.run_tool("promises.py", "--check")[0], 1)


class CoverageReportTest(CopiedCheck):
    SOURCE = "int A(int b) {\n  if (b | 1) return 1;\n  return 2;\n}\n"
    REASON = "| `src/engine/recovery.cc` | `if (b \\| 1) return 1;` | a reason |\n"

    def report(self, page, run_lines, branch, more=()):
        """`branch`: how often the condition of the second line was not true."""
        self.write("docs/coverage.md", page)
        source = self.root / "src/engine/recovery.cc"
        self.write("src/engine/recovery.cc", self.SOURCE + "".join(line + "\n" for line, *_ in more))
        branches = [[2, 7, 2, 12, 1, branch, 0, 0, 4]]
        expansions = []
        for i, (_, column, macro, true, false) in enumerate(more):
            if macro:
                expansions.append({"source_region": [5 + i, column, 5 + i, column + 3, 1, 0, 1, 1],
                                   "branches": [[9, 9, 9, 12, true, false, 1, 0, 4]]})
            else:
                branches.append([5 + i, column, 5 + i, column + 3, true, false, 0, 0, 4])
        files = [{"filename": str(source), "branches": branches, "expansions": expansions,
                  "summary": {"lines": {"count": 4, "covered": run_lines}}}]
        self.write("export.json", json.dumps({"data": [{"files": files}]}))
        return self.run_tool("coverage_report.py", str(self.root / "export.json"))

    def test_branches_never_taken_are_listed_with_their_reasons(self):
        code, text = self.report("", 4, 0)
        self.assertEqual(code, 1, text)
        self.assertIn("1 lines with such branches, 1 without a reason", text)
        self.assertIn("src/engine/recovery.cc:2: 1 of 2: if (b | 1) return 1;\n      NO REASON", text)
        code, text = self.report(self.REASON, 4, 0)
        self.assertEqual(code, 0, text)
        self.assertIn("1 lines with such branches, 0 without a reason", text)
        self.assertIn("      a reason\n", text)
        self.assertEqual(self.report("", 4, 1)[0], 0)

    def test_what_is_a_branch(self):
        planted = ("  if (a && !VARVE_PLANTED_BUG(\"b\")) return;", 12, False, 0, 0)
        constant = ("  if constexpr (kA) return;", 17, False, 0, 0)
        check = ("  VARVE_CHECK(a);", 3, True, 0, 1)
        case = ("    case 1: return;", 5, False, 1, 0)
        code, text = self.report("", 4, 1, [planted, constant, check, case])
        self.assertEqual(code, 0, text)
        macro = ("  VARVE_RETURN_IF_ERROR(A(1));", 3, True, 0, 1)
        code, text = self.report("", 4, 1, [macro, ("    case 2: return;", 5, False, 0, 1)])
        self.assertEqual(code, 1, text)
        self.assertIn("src/engine/recovery.cc:5: 1 of 2: VARVE_RETURN_IF_ERROR(A(1));\n", text)
        self.assertIn("src/engine/recovery.cc:6: 1 of 1: case 2: return;\n", text)

    def test_instantiations_of_a_template_are_one(self):
        twice = [[2, 7, 2, 12, 0, 1, 0, 0, 4], [2, 7, 2, 12, 1, 0, 0, 0, 4]]
        self.report("", 4, 1)
        export = json.loads((self.root / "export.json").read_text())
        export["data"][0]["files"][0]["branches"] = twice
        self.write("export.json", json.dumps(export))
        self.assertEqual(self.run_tool("coverage_report.py", str(self.root / "export.json"))[0], 0)

    def test_a_reason_of_no_line_is_found(self):
        code, text = self.report(self.REASON + self.REASON.replace("return 1", "return 3"), 4, 1)
        self.assertEqual(code, 1)
        self.assertIn("no such line in src/engine/recovery.cc: if(b|1)return3;", text)

    def test_too_few_lines_are_found(self):
        code, text = self.report("", 3, 1)
        self.assertEqual(code, 1)
        self.assertIn("75.0 %", text)
        self.assertIn("TOO LOW", text)


class PlantedBugsTest(CopiedCheck):
    BUGS = [f"layer.bug{i}" for i in range(30)]

    def setUp(self):
        super().setUp()
        self.write("src/env/a.cc", "".join(f'if (VARVE_PLANTED_BUG("{bug}")) return;\n' for bug in self.BUGS))
        self.write("docs/testing.md", "".join(f"| `{bug}` | ATest.Finds | {i + 20} |\n" for i, bug in enumerate(self.BUGS)))

    def third(self, seed):
        code, text = self.run_tool("planted_bugs.py", "--list", "--third", seed)
        self.assertEqual(code, 0, text)
        return text.splitlines()

    def test_a_third_is_of_its_seed_and_without_the_slow_ones(self):
        # 4 of 30 are slower than 45 s.
        told, *chosen = self.third("a")
        self.assertEqual(told, "9 of 30 bugs, by seed a; never among them: 0 that chance finds, 4 slow ones")
        self.assertEqual(len(set(chosen)), 9)
        self.assertEqual(self.third("a")[1:], chosen)
        self.assertNotEqual(set(self.third("b")[1:]), set(chosen))
        self.assertLessEqual(set(chosen) | set(self.third("b")[1:]), set(self.BUGS[:26]))

    def test_bugs_are_planted_in_the_order_they_are_named_in(self):
        code, text = self.run_tool("planted_bugs.py", "--list", "layer.bug7", "layer.bug12", "layer.bug3")
        self.assertEqual((code, text.split()), (0, ["layer.bug7", "layer.bug12", "layer.bug3"]))

    def test_a_bug_that_survives_is_found(self):
        """Programs stand in for the tests: one bug is never found, another by the whole campaign only."""
        program = ("#!/bin/sh\ncase $VARVE_PLANTED_BUG$1 in layer.bug1-*) exit 0 ;; layer.bug2*ATest*) exit 0 ;; esac\n"
                   "echo '[  FAILED  ] ATest.Finds (1 ms)'; exit 1\n")
        for name in ("format", "integration", "cluster", "engine", "env", "http", "tls", "sim", "net", "resp", "server", "cli", "node"):
            self.write(f"build/dev/tests/varve_{name}_test", program)
            (self.root / f"build/dev/tests/varve_{name}_test").chmod(0o755)
        for name in ("cli/server_ports", "server/server_process", "server/cluster_process"):
            self.write(f"tests/{name}_test.py", "")
        code, text = self.run_tool("planted_bugs.py", "--skip-clean", "--jobs", "2", "layer.bug0", "layer.bug2")
        self.assertEqual(code, 0, text)
        code, text = self.run_tool("planted_bugs.py", "--skip-clean", "--jobs", "2", "layer.bug0", "layer.bug1")
        self.assertEqual(code, 1, text)

    def simulate(self, *arguments):
        """A 'varve' that finds every bug named put.*, and of the others only those that take many seeds."""
        self.write("build/dev/varve", "#!/bin/bash\ncase $VARVE_PLANTED_BUG:${@: -1} in put.*:*|*:[0-9][0-9][0-9]*) "
                                      "printf 'seed\\t7\\nviolation\\tI9: lost\\n'; exit 6 ;; esac\n")
        (self.root / "build/dev/varve").chmod(0o755)
        return self.run_tool("planted_bugs.py", "--simulator", *arguments)

    def test_a_bug_that_the_simulator_does_not_find_is_told(self):
        code, text = self.simulate("put.")
        self.assertEqual(code, 0, text)
        self.assertRegex(text, r"put.drops_hints +[\d.]+ s  hints, seed 7: I9: lost\n")
        code, text = self.simulate("put.", "replica.")
        self.assertEqual(code, 1, text)
        self.assertRegex(text, r"replica.skips_the_fence +SURVIVED")
        self.assertEqual(self.simulate("no.such")[0], 1)

    def test_those_that_take_many_seeds_are_left_to_the_nightly_run(self):
        self.assertIn("get.linear_like_quorum", self.simulate()[1])
        self.assertNotIn("get.linear_like_quorum", self.simulate("--few-seeds")[1])


class NightlyTest(Check):
    """Commands stand in for the parts: the clock, the verdicts and the summary are those of a night."""

    def night(self, parts, *arguments, seconds=600, counts="[]"):
        self.write("tools/nightly.py", (TOOLS / "nightly.py").read_text())
        real = (TOOLS / "nightly_parts.py").read_text()
        self.write("tools/nightly_parts.py", f"{real}\n\ndef parts():\n    return {parts}\n\n\ndef counts():\n    return {counts}\n")
        run = subprocess.run([sys.executable, str(self.root / "tools" / "nightly.py"), "--deadline", str(time.time() + seconds), "--seed", "7",
                              "--jobs", "2", "--out", str(self.root / "out"), *arguments],
                             text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        summary = self.root / "out" / "summary.txt"
        return run.returncode, summary.read_text() if summary.exists() else run.stdout

    @staticmethod
    def part(name, command, percent=10, more=""):
        return f"Part({name!r}, {percent}, ['sh', '-c', {command!r}], {more}),"

    def assert_fails(self, expected, *parts, seconds=600):
        code, text = self.night(f"[{''.join(parts)}]", seconds=seconds)
        self.assertEqual(code, 1, text)
        self.assertRegex(text, expected)
        return text

    def test_all_that_passes_is_told(self):
        code, text = self.night("[" + self.part("a", "echo {seed} {name} {order}; test $SCALE = 3", more="environment={'SCALE': '3'}") +
                                self.part("b", "exit 0") + "]")
        self.assertEqual(code, 0, text)
        self.assertRegex(text, r"a +0 s  passed\n")
        self.assertIn("2 parts, 0 minutes: passed", text)
        self.assertEqual((self.root / "out" / "a.log").read_text(), "7 a 8\n")

    def test_one_failure_is_told_and_loses_nothing_else(self):
        text = self.assert_fails(r"a +0 s  FAILED with 3\n", self.part("a", "exit 3"), self.part("b", "exit 0"), self.part("c", "exit 0"))
        self.assertRegex(text, r"b +0 s  passed\n")
        self.assertRegex(text, r"c +0 s  passed\n")
        self.assertIn("minutes: FAILED: a\n", text)

    def test_what_must_be_whole_fails_when_it_is_cut(self):
        text = self.assert_fails(r"a +\d s  CUT: FAILED", self.part("a", "sleep 60", 1), self.part("b", "sleep 60", 1, "must=False"), seconds=4)
        self.assertRegex(text, r"b +\d s  CUT\n")
        self.assertIn("minutes: FAILED: a\n", text)

    def test_the_deadline_holds_for_all(self):
        begin = time.monotonic()
        parts = [self.part(name, "sleep 60 & sleep 60", more="must=False") for name in "abcdef"]
        parts.append(self.part("late", "exit 0", 0.000001))
        text = self.assert_fails(r"late +0 s  NOT RUN: FAILED .the time was up", *parts, seconds=6)
        self.assertLess(time.monotonic() - begin, 30, text)

    def test_a_canary_must_fail_and_in_its_own_way(self):
        code, text = self.night("[" + self.part("canary", "exit 6", more="canary=6") + "]")
        self.assertEqual(code, 0, text)
        self.assertIn("found its planted bug", text)
        self.assert_fails("passed with a planted bug: FAILED", self.part("canary", "exit 0", more="canary=6"))
        self.assert_fails("FAILED with 5 with a planted bug: FAILED", self.part("canary", "exit 5", more="canary=6"))
        self.assert_fails("CUT with a planted bug: FAILED", self.part("canary", "sleep 60", more="canary=6"), seconds=3)
        self.assert_fails("FAILED with 127", "Part('canary', 1, ['./no such thing'], canary=6),")

    def test_logs_that_say_nothing_are_failures(self):
        self.assert_fails("nothing to be read in its log", self.part("a", "echo", more="facts=campaign_facts"))
        self.assert_fails("not all were found: x.y", self.part("a", "echo '9 bugs, 1 survived: x.y'", more="facts=planted_facts"))
        self.assert_fails("not all were found", self.part("a", "exit 0", more="facts=planted_facts"))
        code, text = self.night("[" + self.part("a", "echo '9 bugs, 0 survived: '", more="facts=planted_facts") +
                                self.part("b", """echo '{"counts": [{"number": "1234", "what": "kills"}]}'""", more="facts=campaign_facts") + "]")
        self.assertEqual(code, 0, text)
        self.assertIn("    9 bugs found\n", text)
        self.assertIn("    1,234 kills\n", text)

    def test_counts_are_reached_in_chunks_that_are_kept(self):
        report = json.dumps({"campaigns": [{"seeds": 3}], "counts": [{"what": "kills", "number": "40"}]})
        count = (f"[dataclasses.replace(count_of_campaign('crash', 100, 'kills'), command=['sh', '-c', {'echo {seed} >> {out}/seeds; cat {out}/report'!r}])]")
        self.write("out/report", report)
        code, text = self.night("[]", "--once", counts=count)
        self.assertEqual(code, 0, text)
        self.assertRegex(text, "crash +120 of 100 kills")
        self.assertEqual((self.root / "out" / "seeds").read_text().split(), ["5000001", "5000004", "5000007"])
        # Again, there is nothing to do; and what is missing is run from there on.
        self.assertEqual(self.night("[]", "--once", counts=count)[0], 0)
        self.assertEqual(len((self.root / "out" / "seeds").read_text().split()), 3)
        self.assertEqual(self.night("[]", "--once", counts=count.replace("100", "130"))[0], 0)
        self.assertEqual((self.root / "out" / "seeds").read_text().split()[3:], ["5000010"])

    def test_a_chunk_that_fails_ends_its_count(self):
        count = "[dataclasses.replace(count_of_campaign('crash', 100, 'kills'), command=['sh', '-c', 'exit 6'])]"
        code, text = self.night("[]", "--once", counts=count)
        self.assertEqual(code, 1, text)
        self.assertRegex(text, "crash +FAILED")
        self.assertEqual(list((self.root / "out").glob("once*.json")), [])

    def test_every_program_of_tests_and_every_campaign_has_its_part(self):
        root = TOOLS.parent
        listed = subprocess.run([sys.executable, str(TOOLS / "nightly.py"), "--list"], text=True, capture_output=True, check=True).stdout
        names = {line.split()[0] for line in listed.splitlines()}
        self.assertLessEqual(sum(float(line.split()[-2]) for line in listed.splitlines()), 100.01)
        programs = set(re.findall(r"^varve_test_program\((\w+)", (root / "tests" / "CMakeLists.txt").read_text(), re.MULTILINE)) | {"sched"}
        for program in programs:
            self.assertTrue({program, f"{program}_tests"} & names, program)
        campaigns = re.search(r"kCampaignNames\[\]\s*=\s*\{(.*?)\}", (root / "src/cli/campaigns.h").read_text(), re.DOTALL)[1]
        for campaign in re.findall(r'"([\w-]+)"', campaigns):
            self.assertIn(f"torture_{campaign}", names)


if __name__ == "__main__":
    unittest.main()
