"""How tools/planted_bugs.py runs tests against planted bugs: which first, how many at once, and how long."""
import concurrent.futures
import hashlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "testing.md"
ROW = re.compile(r"^\| `([\w.]+)` \| ([\w.]+) \| ([\d.]+) \|", re.MULTILINE)
FAILED = re.compile(r"^\[  FAILED  \] ([\w/.]+)", re.MULTILINE)
PYTHON_FAILED = re.compile(r"^(?:FAIL|ERROR): (\w+) \(\w+\.(\w+)", re.MULTILINE)
BEGUN = re.compile(r"^\[ RUN      \] ([\w/.]+)", re.MULTILINE)

LIMIT_SECONDS = 300
# A bug that has taken longer than this is not for the ordinary run.
SLOW_SECONDS = 45


def table():
    """Bug -> (the test that has found it, the seconds until then), as docs/testing.md says."""
    return {bug: (test, float(seconds)) for bug, test, seconds in ROW.findall(PAGE.read_text())}


def sample(bugs, seed, part):
    """One of `part` of the bugs, in an order of the seed's own."""
    order = sorted(bugs, key=lambda bug: hashlib.sha256(f"{seed}:{bug}".encode()).digest())
    return order[:-(-len(order) // part)]


def missing_tests(bugs):
    """What the table says of tests that do not exist."""
    text = "".join(path.read_text() for pattern in ("*.cc", "*.py") for path in (ROOT / "tests").rglob(pattern))
    problems = []
    for bug, (test, _) in table().items():
        suite, _, name = test.partition(".")
        cpp = rf"TEST(?:_F|_P)?\(\s*{suite},\s*{name}\)"
        if bug in bugs and not re.search(cpp, text) and f"def {name}(self" not in text:
            problems.append(f"docs/testing.md: {bug} is found by {test}, which does not exist")
    return problems


class Runner:
    """Runs tests of a build. Safe for several threads; what runs ends with this process."""

    def __init__(self, build, campaigns, known):
        self.build, self.campaigns, self.known = build, campaigns, known
        self.table = table()
        self.running, self.lock = set(), threading.Lock()
        signal.signal(signal.SIGTERM, self.ended)
        signal.signal(signal.SIGINT, self.ended)

    def ended(self, number, _):
        for process in list(self.running):  # without the lock, which this thread may have
            os.killpg(process.pid, signal.SIGKILL)
        os._exit(128 + number)

    def command(self, campaign, test):
        program, tests, _ = self.campaigns[campaign]
        if program.endswith(".py"):
            if not (ROOT / program).exists():
                raise FileNotFoundError(program)  # which would look like a test that fails
            # --failfast: the first failure is enough.
            return [sys.executable, str(ROOT / program), str(self.build / "varve"), "--failfast"] + ([test] if test else [])
        # A test is in the table without the names of its instances.
        names = f"{test}:{test}/*:*/{test}:*/{test}/*" if test else tests
        return [str(self.build / "tests" / f"varve_{program}_test"), f"--gtest_filter={names}", "--gtest_fail_fast"]

    def run(self, campaign, bug, test=""):
        """(name of the failed test or "", seconds), of a whole campaign or of one test."""
        environment = {**os.environ, "VARVE_TEST_SCALE": str(self.campaigns[campaign][2])}
        environment.pop("VARVE_PLANTED_BUG", None)
        if bug:
            environment["VARVE_PLANTED_BUG"] = bug
        begin = time.monotonic()
        with self.lock:
            process = subprocess.Popen(self.command(campaign, test), env=environment, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)
            self.running.add(process)
        try:
            output, _ = process.communicate(timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()  # not for the output: what it has started may still hold it
            process.stdout.close()
            return "", time.monotonic() - begin  # a slow machine, or a bug; a test that means this says so itself
        finally:
            with self.lock:
                self.running.discard(process)
        seconds = time.monotonic() - begin
        if process.returncode == 0:
            return "", seconds
        end = f" (signal {-process.returncode})" if process.returncode < 0 else ""
        text = output.decode(errors="replace")
        failed = [f"{suite}.{name}" for name, suite in PYTHON_FAILED.findall(text)]
        failed = failed or FAILED.findall(text) or BEGUN.findall(text)[-1:] or ["?"]
        return failed[0] + end, seconds

    def find(self, bug, repeat, known_only=False):
        """(campaign, test, seconds) of what found the bug, or None. Its own test goes first, then its campaign."""
        known = self.known.get(bug)
        order = [(known, self.table[bug][0])] if known and bug in self.table else []
        order += [(known, "")] * repeat if known else []
        if not known_only or not known:
            order += [(name, "") for name in self.campaigns if name != known]
        total = 0.0
        for campaign, test in order:
            failed, seconds = self.run(campaign, bug, test)
            total += seconds
            if failed:
                return campaign, failed, total
        return None

    def find_all(self, bugs, repeat, known_only, jobs, seconds):
        """Prints what finds each; (the survivors, those that were not begun within the seconds)."""
        begin, times, survivors, left = time.monotonic(), [], [], []

        def one(bug):
            if seconds and time.monotonic() - begin > seconds:
                left.append(bug)
                return
            found = self.find(bug, repeat, known_only)
            if found:
                times.append((found[2], bug, found[1]))
                print(f"{bug:52} {found[2]:7.1f} s  {found[0]}: {found[1]}", flush=True)
            else:
                survivors.append(bug)
                print(f"{bug:52} SURVIVED", flush=True)

        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for done in [pool.submit(one, bug) for bug in bugs]:
                done.result()
        print("the slowest ten:")
        for taken, bug, test in sorted(times, reverse=True)[:10]:
            print(f"  {taken:7.1f} s  {bug}, by {test}")
        return survivors, left
