"""What tools/nightly.py runs: a night of parts, each with its share of the time, and the counts of a run that is made once.

Words in braces are filled in: {seconds} of the part, {seed} of the night, {order} of tests, from it, {out} the folder of the results, {name}
of the part.
"""
import dataclasses
import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
VARVE = "build/release/varve"
PLANTED = "build/dev/varve"


@dataclasses.dataclass
class Part:
    name: str
    percent: float        # of the time, all processors together
    command: list
    must: bool = True     # to be cut is to fail
    ends_itself: bool = False  # after {seconds}
    canary: int = 0       # it has a planted bug, and ends with this code, or the night has failed
    environment: dict = dataclasses.field(default_factory=dict)
    facts: object = None  # of its log: lines for the summary


# --- What stands in logs.

def campaign_report(text):
    return json.loads(next(line for line in text.splitlines() if line.startswith("{")))


def campaign_facts(text):
    try:
        report = campaign_report(text)
    except StopIteration:
        raise ValueError("no report") from None
    return [", ".join(f"{int(row['number']):,} {row['what']}" for row in report["counts"])]


def slowest_tests(text):
    found = re.findall(r"^\[       OK \] (\S+) \((\d+) ms\)$", text, re.MULTILINE)
    slowest = sorted(((int(ms), name) for name, ms in found), reverse=True)[:3]
    failed = re.findall(r"^\[  FAILED  \] (\S+) \(", text, re.MULTILINE)
    return [f"{len(found)} tests; the slowest: " + ", ".join(f"{name} {ms / 1000:.0f} s" for ms, name in slowest)] + failed


def planted_facts(text):
    """Raises unless all were found: a cut is no excuse."""
    ended = re.search(r"^(\d+) bugs, (\d+) survived: ?(.*)$", text, re.MULTILINE)
    if not ended or ended[2] != "0":
        raise ValueError(f"not all were found{': ' + ended[3] if ended else ''}")
    slowest = re.findall(r"^(\S+) +([\d.]+) s  (.*)$", text, re.MULTILINE)
    return [f"{ended[1]} bugs found", "the slowest:"] + [
        f"  {float(seconds):.0f} s {bug}, by {by}" for bug, seconds, by in sorted(slowest, key=lambda row: -float(row[1]))[:10]]


def fuzz_facts(text):
    units = re.search(r"^stat::number_of_executed_units: *(\d+)", text, re.MULTILINE)
    if not units:
        raise ValueError("no figures")
    return [f"{int(units[1]):,} executions"]


def coverage_facts(_):
    text = (ROOT / "build" / "coverage" / "summary.txt").read_text()
    return text.split("\n\n")[0].splitlines() + text.splitlines()[-1:]


# --- The night.

def tests(name, percent, program, scale=1.0, filters="*", seeded=True, **environment):
    order = ["--gtest_shuffle", "--gtest_random_seed={order}"] if seeded else []
    return Part(name, percent, [f"build/dev/tests/varve_{program}_test", f"--gtest_filter={filters}", "--gtest_output=json:{out}/{name}.json"] + order,
                environment={"VARVE_TEST_SCALE": str(scale), **environment}, facts=slowest_tests)


def campaign(name, percent):
    return Part(f"torture_{name}", percent, [VARVE, "torture", name, "--seconds", "{seconds}", "--seed", "{seed}", "--dir", "{out}",
                                             "--report", "{out}/{name}.html", "--json"], ends_itself=True, facts=campaign_facts)


def fuzz(target, percent):
    name = target.name.removesuffix("_fuzz")
    # What it has found in earlier nights is its corpus too, and the first of the folders takes the new.
    corpus = [f"build/nightly/corpus/{name}"] + [f"tests/testdata/fuzz/{each}" for each in (f"{name}_fuzz", name)]
    (ROOT / corpus[0]).mkdir(parents=True, exist_ok=True)
    return Part(f"fuzz_{name}", percent, [str(target), "-max_total_time={seconds}", "-print_final_stats=1", "-artifact_prefix={out}/" + name + "-"] +
                [folder for folder in corpus if (ROOT / folder).is_dir()], ends_itself=True, facts=fuzz_facts)


def fuzz_targets():
    return sorted(path for path in (ROOT / "build/fuzz/tests/fuzz").glob("*_fuzz") if path.is_file())


def remarks():
    """What the summary has to say of parts that are not there."""
    return [] if fuzz_targets() else ["fuzz: NOT RUN, there is no build of the targets"]


CAMPAIGNS = ("engine", "crash", "power", "disk-full", "io-errors", "bit-rot", "concurrency", "transactions", "ttl", "server", "cluster")

# Suites of the tests of the whole that have a part of their own: a scale, and its share.
SUITES = {
    "crash": ("CrashTest.*", 5, 2),
    "model": ("ModelTest.*", 2, 2),
    "fault": ("*/FaultTest.*", 2, 1),
    "flips": ("*/CorruptionTest.*", 5, 1),
    "kill": ("KillTest.*", 1.5, 4),
    "linearizability": ("*/LinearizabilityTest.*", 2, 4),
}
# Programs of tests, one a layer: a scale, and its share.
LAYERS = {
    "base": (4, 0.2), "env": (4, 0.3), "format": (4, 0.2), "engine": (4, 1.5), "types": (1, 1), "resp": (4, 0.2), "cluster": (4, 1.5),
    "sim": (8, 2), "tls": (1, 0.1), "net": (4, 0.2), "node": (4, 0.6), "http": (4, 0.1), "server": (4, 0.6), "client": (4, 0.2),
    "tree": (4, 0.2), "c": (1, 0.1), "cli": (4, 0.4),
    "torture": (20, 2),  # 10^6 transactions
}


def canaries():
    """What must fail, in the ways in which the rest of the night would."""
    return [Part("canary_campaign", 0.3, [PLANTED, "torture", "power", "--seeds", "30", "--dir", "{out}", "--json"], canary=6,
                 environment={"VARVE_PLANTED_BUG": "log.not_synced"}),
            Part("canary_tests", 0.2, ["build/dev/tests/varve_integration_test", "--gtest_filter=OpenErrorsTest.*"], canary=1,
                 environment={"VARVE_PLANTED_BUG": "lock.of_another_process_ignored"})]


def parts():
    night = canaries() + [Part("release_check", 0.1, ["tools/release_check.py", VARVE])]
    # What has its work to do comes first, and leaves the time that it does not need to those that go on as long as there is any.
    night += [Part("planted_bugs", 16, ["tools/planted_bugs.py", "--skip-clean", "--jobs", "1"], facts=planted_facts),
              Part("simulated_bugs", 6, ["tools/planted_bugs.py", "--simulator"]),
              Part("oracles", 2, ["tools/planted_bugs.py", "--torture", "all"]),
              Part("coverage", 8, ["scripts/coverage"], must=False, facts=coverage_facts)]
    exhaustive = {"VARVE_TEST_EXHAUSTIVE": "1"}
    for name, (filters, percent, scale) in SUITES.items():
        night.append(tests(name, percent, "integration", scale, filters, **(exhaustive if name in ("fault", "flips") else {})))
    night += [tests("integration", 3, "integration", 4, "-" + ":".join(filters for filters, _, _ in SUITES.values())),
              tests("memory", 1, "memory", **exhaustive),
              tests("sched", 2.5, "sched", 10, seeded=False)]
    night += [tests(f"{name}_tests", percent, name, scale) for name, (scale, percent) in LAYERS.items()]
    # Thousands of streams against redis-server, abusers and real clients, with a seed of tonight's.
    night.append(Part("server", 4, ["ctest", "--preset", "dev", "-R", r"^server\.(compare|abuse|process|clients)$", "--output-on-failure"],
                      environment={"VARVE_TEST_SCALE": "8", "VARVE_TEST_SEED": "{seed}"}))
    # Clusters of processes: longer under faults, and with more of them.
    night.append(Part("server_clusters", 3, ["ctest", "--preset", "dev", "-R", r"^server\.cluster", "--output-on-failure"],
                      environment={"VARVE_TEST_SCALE": "4", "VARVE_TEST_SEED": "{seed}"}))
    night += [campaign(name, 1.5) for name in CAMPAIGNS]
    targets = fuzz_targets()
    return night + [fuzz(target, 10 / len(targets)) for target in targets]


# --- What is run once, to counts.

@dataclasses.dataclass
class Count:
    name: str
    number: int
    what: str
    command: list  # of a chunk, from {seed} on
    read: object   # of a chunk's result: (what it adds, how many seeds it was)
    first_seed: int = 1
    limit: int = 7200  # seconds of a chunk
    environment: dict = dataclasses.field(default_factory=dict)


def count_of_campaign(name, number, what):
    def read(text):
        report = campaign_report(text)
        return sum(int(row["number"]) for row in report["counts"] if row["what"] == what), sum(int(row["seeds"]) for row in report["campaigns"])
    return Count(name, number, what, [VARVE, "torture", name, "--seconds", "600", "--seed", "{seed}", "--dir", "{out}", "--json"], read, 5_000_001)


def count_of_seeds(number):
    def read(text):
        seeds = int(re.search(r"^seeds\t(\d+)$", text, re.MULTILINE)[1])
        return seeds, seeds
    return Count("cluster", number, "simulated clusters", ["tools/seed_run.py", "--seed", "{seed}", "--seeds", "1000", "--jobs", "1"], read, 5_000_000)


def count_of_tests(name, program, filters, prop):
    """To exhaustion: one chunk is all."""
    def read(text):
        suites = json.loads(text)["testsuites"]
        found = sum(int(test.get(prop, 0)) for suite in suites for test in suite["testsuite"])
        return int(found > 0), 1
    return Count(name, 1, "whole sweeps", [f"build/dev/tests/varve_{program}_test", f"--gtest_filter={filters}",
                                           "--gtest_output=json:{out}/{name}.json"], read, environment={"VARVE_TEST_EXHAUSTIVE": "1"}, limit=36_000)


def count_of_fuzzing(target):
    def read(text):
        return int(re.search(r"^Done \d+ runs in (\d+) second", text, re.MULTILINE)[1]), 1
    part = fuzz(target, 1)
    command = ["-max_total_time=1200" if word.startswith("-max_total_time") else word for word in part.command]
    return Count(part.name, 3600, "seconds", command, read)


def counts():
    return [count_of_campaign("crash", 20_000, "kills"),
            count_of_campaign("power", 1_000_000, "power cuts"),
            count_of_campaign("concurrency", 100_000_000, "operations"),
            count_of_campaign("transactions", 1_000_000, "transactions checked"),
            count_of_seeds(100_000),
            count_of_tests("failed_calls", "integration", "*/FaultTest.*", "failed_calls"),
            count_of_tests("failed_allocations", "memory", "*", "failed_allocations"),
            count_of_tests("flipped_bytes", "integration", "*/CorruptionTest.Flipped*", "flipped_bytes")] + [
                count_of_fuzzing(target) for target in fuzz_targets()]
