"""Which planted bugs simulated clusters find by themselves, and in which worlds (docs/design/0032-simulator.md)."""
import os
import pathlib
import re
import subprocess
import time

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "design" / "0032-simulator.md"
ROW = re.compile(r"^\| `([\w.]+)` \| (\w+) \| \d+ \|", re.MULTILINE)

# The ordinary run takes those that need no more: which seed is the first changes with all that changes worlds, and these
# are found by every few of them.
FEW_SEEDS = 50

# The profile of the worlds, and how many seeds from 0 on. Above 100 chance has its part: many times what it has taken.
SIMULATED = {
    "dots.amnesia_not_noticed": ("restored", 20),
    "dots.given_without_a_lease": ("bounds", 20),
    "exchange.ends_after_the_first_keys": ("floors", 20),
    "exchange.overlooks_what_left_lacks": ("floors", 500),
    "filler.takes_an_exchange_that_failed": ("news", 1000),
    "floors.without_exchanges": ("floors", 50),
    "get.answers_before_its_quorum": ("mixed", 20),
    "get.linear_in_one_set": ("moves", 20),
    "get.linear_like_quorum": ("moves", 1000),
    "get.repairs_nobody": ("repair", 100),
    "hints.sent_once": ("mixed", 20),
    "hints.without_bound": ("bounds", 20),
    "kernel.delete_takes_what_it_has_not_seen": ("mixed", 20),
    "kernel.knows_its_own_dots_one_by_one": ("bounds", 20),
    "kernel.merge_brings_back": ("mixed", 20),
    "kernel.put_forgets_what_was_seen": ("mixed", 20),
    "kernel.reaps_what_not_all_have": ("mixed", 20),
    "kernel.stamp_of_the_clock_alone": ("mixed", 500),
    "move.fills_from_one_replica_too_few": ("moves", 100),
    "move.leaves_before_readers_are_fenced": ("news", 1000),
    "move.reads_from_next_too_early": ("moves", 20),
    "move.shrinks_like_it_grows": ("moves", 500),
    "move.writes_to_current_only": ("moves", 20),
    "mover.advances_at_once": ("moves", 50),
    "namespace.policy_of_the_cluster": ("namespaces", 20),
    "node.answers_late": ("mixed", 20),
    "node.drops_by_an_old_topology": ("news", 2000),
    "node.makes_dots_before_it_is_filled": ("strays", 20),
    "node.waits_for_a_lease_it_has": ("strays", 4000),
    "planner.racks_ignored": ("mixed", 1000),
    "put.acknowledges_before_its_quorum": ("mixed", 20),
    "put.context_of_the_whole_state": ("mixed", 20),
    "put.counts_what_was_acknowledged_before": ("moves", 20),
    "put.drops_hints": ("hints", 200),
    "put.hints_count_when_nobody_asked": ("mixed", 20),
    "put.made_where_not_all_is": ("strays", 20),
    "quorum.of_the_first_set_alone": ("moves", 20),
    "replica.acknowledges_early": ("mixed", 20),
    "replica.compares_before_its_fence_is_durable": ("strays", 50),
    "replica.dot_leaves_before_it_is_stored": ("mixed", 20),
    "replica.queues_without_bound": ("bounds", 20),
    "replica.skips_the_fence": ("moves", 20),
    "replica.takes_any_siblings": ("bounds", 20),
}


def wrong_names(bugs):
    """What is listed here and not planted, or stands in the table of the design with another profile, or not at all."""
    table = dict(ROW.findall(PAGE.read_text()))
    problems = [f"tools/planted_simulator.py: {bug} is not planted" for bug in sorted(set(SIMULATED) - set(bugs))]
    problems += [f"{PAGE.name}: {bug} is found by {profile}, and not in the table" for bug, (profile, _) in SIMULATED.items()
                 if table.get(bug) != profile]
    return problems + [f"{PAGE.name}: {bug} is in the table and not simulated" for bug in sorted(set(table) - set(SIMULATED))]


def simulate(build, bug):
    """(what was violated, the seed, seconds), or None when no seed has found the bug."""
    profile, seeds = SIMULATED[bug]
    command = [str(build / "varve"), "torture", "cluster", "--profile", profile, "--seeds", str(seeds)]
    begin = time.monotonic()
    done = subprocess.run(command, env={**os.environ, "VARVE_PLANTED_BUG": bug}, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - begin
    if done.returncode == 0:
        return None
    facts = dict(line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line)
    if "violation" in facts:
        return facts["violation"], facts["seed"], seconds
    if done.returncode < 0:  # a check in src/cluster itself
        return (done.stderr.splitlines() or ["?"])[0], "-", seconds
    raise RuntimeError(f"{' '.join(command)} has ended with {done.returncode}: {done.stderr}")


def run(build, names, few):
    """Exit code 1: a bug survives."""
    bugs = [bug for bug in SIMULATED if not names or any(name in bug for name in names)]
    bugs = [bug for bug in bugs if not few or SIMULATED[bug][1] <= FEW_SEEDS]
    survivors = []
    for bug in bugs:
        found = simulate(build, bug)
        if found:
            print(f"{bug:52} {found[2]:7.1f} s  {SIMULATED[bug][0]}, seed {found[1]}: {found[0][:80]}", flush=True)
        else:
            survivors.append(bug)
            print(f"{bug:52} SURVIVED {SIMULATED[bug]}", flush=True)
    print(f"{len(bugs)} bugs, {len(survivors)} survived: {' '.join(survivors)}")
    return 1 if survivors or not bugs else 0
