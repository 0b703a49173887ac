#!/usr/bin/env python3
"""Runs the tests against every bug that is planted in src/ (src/base/planted_bug.h). Each must make one fail.

Of each bug the test that has found it (docs/testing.md) goes first, then the campaign that is known to find it, then
the others, the quick ones before the slow ones. Prints the bug, the test that found it, and the seconds until then.
Before, every campaign runs once without a bug, and must pass.

usage: planted_bugs.py [--build DIR] [--list] [--check] [--simulator] [--few-seeds] [--torture] [--skip-clean] [--repeat N]
                       [--third SEED] [--seconds N] [NAME...]

  --build DIR   a build with VARVE_PLANTED_BUGS (default: build/dev)
  --list        print the names of the bugs
  --check       only see that docs/testing.md names every bug, and no other, and tests that exist
  --simulator   let simulated clusters alone find those that they can (planted_simulator.py), instead of the tests
  --few-seeds   with --simulator: those alone that take few seeds
  --torture     let the campaigns of `varve torture` alone find one bug each, in seconds; with the name "all", or names,
                those that they can (planted_torture.py)
  --skip-clean  do not run the campaigns without a bug
  --repeat N    run the campaign that is known to find a bug up to N times (default: 3)
  --jobs N      so many bugs at once (default: 1)
  --third SEED  a third of them, which the seed chooses, with the campaign alone that is known to find each: what the
                ordinary run can afford. Without those that chance finds (CHANCE), and the slow ones
  --seconds N   begin no more of them after so long, and say how many are left
  NAME          only these bugs; a part of the name will do

Exits with 1 when a bug survives.
"""
import argparse
import pathlib
import re
import sys

import planted_runs
import planted_simulator
import planted_torture

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLANT = re.compile(r'VARVE_PLANTED_BUG\(\s*"([^"]+)"\)')

# Name -> program, filter of its tests, VARVE_TEST_SCALE; or a file of Python's unittest, "", scale. The quick ones
# first.
CAMPAIGNS = {
    "format": ("format", "*-*FuzzCorpusTest*", 1),
    "open_errors": ("integration", "OpenErrorsTest.*:NewerVersionTest.*", 1),
    "regression": ("integration", "*Regression*", 1),
    "cluster": ("cluster", "*", 1),
    "ttl": ("engine", "*TtlTest.*", 1),
    "engine": ("engine", "*", 1),
    "sched": ("sched", "*-SchedulerTest.*:StoreSchedules.*", 1),
    "env": ("env", "*", 0.2),
    "http": ("http", "*", 1),
    "tls": ("tls", "*", 1),
    "sim": ("sim", "*-*ClusterTorture*", 1),
    "net": ("net", "*", 1),
    "resp": ("resp", "*-*Corpus*", 1),
    "server": ("server", "*-*CorpusTest*", 1),
    "settings": ("cli", "ServerSettings*", 1),
    "cluster_commands": ("cli", "Cluster*:Verdict*", 1),
    "ports": ("tests/cli/server_ports_test.py", "", 1),
    "process": ("tests/server/server_process_test.py", "", 1),
    "cluster_process": ("tests/server/cluster_process_test.py", "", 1),
    "cluster_fixed": ("tests/server/cluster_fixed_test.py", "", 1),
    "wire": ("integration", "*WireHistoryTest*", 1),
    "node": ("node", "*", 1),
    "backup": ("integration", "*Backup*:*Checkpoint*:*Restore*", 1),
    "corruption": ("integration", "*/CorruptionTest.*", 0.3),
    "torture": ("sim", "*ClusterTorture*", 1),
    "model": ("integration", "ModelTest.Store*", 0.1),
    "disk_full": ("integration", "DiskFullTest.*:*RealDiskFullTest.*", 0.2),
    "crash": ("integration", "CrashTest.*", 0.3),
    "fault": ("integration", "*/FaultTest.*", 0.2),
    "kill": ("integration", "KillTest.*", 0.2),
    "linearizability": ("integration", "*/LinearizabilityTest.*", 1),
    "sched, store": ("sched", "StoreSchedules.*", 1),
    "fairness": ("integration", "FairnessTest.Greedy*", 0.5),
    "crash, longer": ("integration", "CrashTest.*", 2),
    "fault, longer": ("integration", "*/FaultTest.*", 1),
    "model, longer": ("integration", "ModelTest.Store*", 1),
}

# Which campaign finds which bug soonest; of the others the order above decides.
KNOWN = {
    "acceptor.name_not_checked": "node",
    "acceptor.older_incarnation_accepted": "node",
    "acceptor.waits_for_ever": "node",
    "acceptor.without_bound": "node",
    "acl.changes_come_late": "server",
    "acl.first_key_alone": "server",
    "acl.queue_not_checked": "server",
    "acl.ranges_are_one_key": "server",
    "acl.readers_write": "server",
    "acl.wider_patterns_heard": "server",
    "async.acknowledged_before_the_sync": "engine",
    "async.looks_again_at_another_state": "engine",
    "backup.checksum_not_compared": "format",
    "backup.files_known_by_number": "backup",
    "backup.increment_trusts_what_is_not_settled": "backup",
    "backups.any_path": "server",
    "backups.replaced": "server",
    "balance.looks_once": "cluster",
    "block.checksum_not_compared": "format",
    "block_cache.frees_before_the_epoch": "sched",
    "channel.answers_without_bound": "node",
    "channel.assembly_without_bound": "node",
    "check.order_not_looked_at": "engine",
    "check.values_of_other_keys_accepted": "engine",
    "checkpoint.copy_not_synced": "backup",
    "close.waits_for_readers_that_cannot_be": "regression",
    "cluster.commits_stale_plans": "cluster_commands",
    "cluster.commits_without_conditions": "cluster_commands",
    "cluster.moves_by_old_settings": "cluster_commands",
    "cluster.one_copy_is_enough": "cluster_commands",
    "commit_lock.nobody_is_starving": "engine",
    "commit_lock.sleeps_beside_a_free_lock": "sched",
    "compact.drops_instead_of_merging": "engine",
    "compare_and_set.loses_a_race_while_it_waits": "regression",
    "current.not_synced": "crash",
    "dialer.first_failure_untold": "node",
    "dialer.no_backoff": "node",
    "dialer.silence_unnoticed": "node",
    "directory.failed_sync_tried_again": "engine",
    "directory.not_synced": "crash",
    "dots.amnesia_not_noticed": "cluster",
    "dots.given_without_a_lease": "cluster",
    "epoch.frees_what_a_guard_may_see": "sched",
    "etcd.commits_without_conditions": "node",
    "etcd.sends_a_commit_twice": "node",
    "etcd.unknown_taken_for_unavailable": "node",
    "exchange.ends_after_the_first_keys": "cluster",
    "exchange.overlooks_what_left_lacks": "cluster",
    "expiry.late_puts_unheard": "engine",
    "expiry.lost_notes_not_searched_for": "engine",
    "expiry.merges_do_not_wait": "engine",
    "expiry.tells_of_dropped_namespaces": "engine",
    "expiry.tells_of_what_was_written_again": "engine",
    "face.conflicts_hidden": "server",
    "face.slots_not_compared": "server",
    "face.unknown_said_to_have_failed": "server",
    "file_topology.commits_without_lock": "node",
    "exchange.ignores_its_pace": "cluster",
    "exchange.has_no_patience_with_its_pace": "cluster",
    "exchange.never_tells_left": "cluster",
    "fill_pace.ignores_slow_answers": "cluster",
    "filler.takes_an_exchange_that_failed": "cluster",
    "floors.ignores_hints": "cluster",
    "floors.without_exchanges": "cluster",
    "flush.full_disk_is_final": "disk_full",
    "flush.gives_up_logs_too_early": "model",
    "flush.loses_range_deletes": "engine",
    "flush.tells_of_what_was": "regression",
    "frame.checksum_not_compared": "node",
    "frame.place_not_checked": "node",
    "gate.line_handed_over_and_free": "sched",
    "get.answers_before_its_quorum": "cluster",
    "get.asks_no_others": "cluster",
    "get.linear_in_one_set": "cluster",
    "get.linear_like_quorum": "cluster",
    "get.never_asks_all": "cluster",
    "get.repairs_nobody": "cluster",
    "get.waits_under_a_stale_topology": "cluster",
    "hello.other_clusters_accepted": "node",
    "hello.required_features_ignored": "node",
    "hints.sent_once": "cluster",
    "hints.without_bound": "cluster",
    "http.anything_is_done": "http",
    "http.bodies_ignored": "http",
    "http.endless_headers": "http",
    "iterator.prev_shows_what_is_trimmed": "engine",
    "iterator.prev_skips_the_last_of_a_block": "engine",
    "kernel.delete_takes_what_it_has_not_seen": "cluster",
    "kernel.knows_its_own_dots_one_by_one": "cluster",
    "kernel.merge_brings_back": "cluster",
    "kernel.put_forgets_what_was_seen": "cluster",
    "kernel.reaps_what_not_all_have": "cluster",
    "kernel.stamp_of_the_clock_alone": "cluster",
    "kernel.trailing_bytes_accepted": "cluster",
    "lock.of_another_process_ignored": "open_errors",
    "log.claims_that_the_last_one_was_synced": "crash",
    "log.cut_when_it_cannot_be_continued": "regression",
    "log.name_not_synced": "crash",
    "log.no_reserve_for_deletes": "disk_full",
    "log.not_synced": "crash",
    "log.synced_as_far_as_it_has_grown": "sched",
    "manifest.damage_taken_for_the_end": "format",
    "manifest.edit_not_synced": "crash",
    "manifest.last_sequence_goes_back": "regression",
    "manifest.newer_version_accepted": "format",
    "mapped.blocks_not_allocated": "env",
    "member.stops_while_another_runs_it": "node",
    "memtable.leaf_not_looked_at_again": "sched",
    "memtable.split_drops_before_it_links": "sched",
    "merge.applies_range_deletes_of_the_log": "regression",
    "merge.drops_before_the_deadline": "engine",
    "merge.drops_half_covered_segments": "model",
    "merge.forgets_sequences_under_range_deletes": "model",
    "merge.hides_what_is_not_yet_visible": "regression",
    "merge.ignores_snapshots": "engine",
    "merge.ignores_transactions": "engine",
    "merge.loses_deletes": "engine",
    "merge.moved_values_not_synced": "crash",
    "merge.moves_trimmed_segments_whole": "kill",
    "merge.older_version_first": "engine",
    "merge.without_effect_for_ever": "regression",
    "message.trailing_bytes_accepted": "cluster",
    "move.aborts_too_late": "cluster",
    "move.fills_from_one_replica_too_few": "cluster",
    "move.keeps_what_reads_need": "cluster",
    "move.leaves_before_readers_are_fenced": "cluster",
    "move.reads_from_next_too_early": "cluster",
    "move.shrinks_like_it_grows": "cluster",
    "move.writes_to_current_only": "cluster",
    "mover.advances_at_once": "cluster",
    "mover.waits_for_nobody_who_leaves": "cluster",
    "namespace.forgets_its_least_quorum": "cluster",
    "namespace.policy_of_the_cluster": "cluster",
    "namespace.quorums_need_not_meet": "cluster",
    "net.accept_not_resumed": "net",
    "net.large_turns_first": "net",
    "net.output_without_pause": "net",
    "net.slow_readers_not_cut": "net",
    "net.turns_above_the_budget": "net",
    "net.unmarked_output_sent": "net",
    "node.answers_late": "cluster",
    "node.claims_what_it_has_dropped": "cluster",
    "node.comes_back_without_data": "cluster_process",
    "node.drops_by_an_old_topology": "cluster",
    "node.forgets_a_fixed_name": "cluster_fixed",
    "node.forgets_a_lease": "cluster",
    "node.makes_dots_before_it_is_filled": "cluster",
    "node.power_cuts_unnoticed": "node",
    "node.waits_for_a_lease_it_has": "cluster",
    "open.name_of_the_store_not_synced": "regression",
    "open.newer_files_accepted": "open_errors",
    "outbox.sends_what_has_expired": "node",
    "outbox.without_bound": "node",
    "packer.loses_a_piece": "node",
    "planner.changes_primaries_for_nothing": "cluster",
    "planner.moves_for_nothing": "cluster",
    "planner.racks_ignored": "cluster",
    "point_index.overflow_not_noted": "format",
    "pubsub.patterns_match_all": "server",
    "pubsub.tells_of_what_failed": "server",
    "pubsub.tells_of_what_was_refused": "server",
    "pubsub.the_gone_still_count": "server",
    "put.acknowledges_before_its_quorum": "cluster",
    "put.context_of_the_whole_state": "cluster",
    "put.counts_what_was_acknowledged_before": "cluster",
    "put.drops_hints": "cluster",
    "put.hints_count_when_nobody_asked": "cluster",
    "put.hints_to_the_same_fallback": "cluster",
    "put.leaves_hints_to_who_does_not_answer": "cluster",
    "put.made_where_not_all_is": "cluster",
    "put.tries_the_dead_last": "cluster",
    "quorum.of_the_first_set_alone": "cluster",
    "read.expired_a_little_late": "ttl",
    "read.half_a_batch_visible": "regression",
    "read_slots.does_not_look_again": "sched",
    "recovery.continued_log_taken_for_durable": "regression",
    "recovery.foreign_logs_stay": "regression",
    "recovery.logs_taken_for_durable": "regression",
    "recovery.names_taken_for_durable": "regression",
    "recovery.number_of_an_unseen_change_used_again": "regression",
    "recovery.removes_values_of_the_log": "regression",
    "recovery.sequence_used_again": "engine",
    "recovery.values_taken_for_durable": "regression",
    "repair.forgets_range_deletes": "engine",
    "repair.keeps_losses_to_itself": "engine",
    "replay.does_not_look_at_the_chain": "crash",
    "replay.drops_the_last_record": "engine",
    "replay.half_a_batch": "engine",
    "replay.records_behind_a_hole": "regression",
    "replica.acknowledges_early": "cluster",
    "replica.compares_before_its_fence_is_durable": "cluster",
    "replica.dot_leaves_before_it_is_stored": "cluster",
    "replica.queues_without_bound": "cluster",
    "replica.skips_the_fence": "cluster",
    "replica.takes_any_siblings": "cluster",
    "resp.peek_takes_half_a_request": "resp",
    "restore.file_not_synced": "backup",
    "scrub.accuses_what_is_gone": "engine",
    "scrub.not_paced": "engine",
    "segment.not_synced": "regression",
    "serve.second_signal_waits": "process",
    "server.answers_before_the_write": "wire",
    "server.append_drops_deadline": "server",
    "server.exec_is_no_transaction": "wire",
    "server.failed_run_stays_answered": "server",
    "server.forgotten_cursor_skips": "server",
    "server.keys_share_a_cursor": "server",
    "server.large_replies_cut_short": "server",
    "server.password_not_asked": "server",
    "server.protects_at_start_only": "server",
    "server.rename_keeps_source": "server",
    "server.replies_before_the_flush": "server",
    "server.runs_of_sets_wait_for_the_end": "server",
    "server.strangers_get_much": "server",
    "server.turns_take_any_time": "server",
    "server.watch_not_checked": "server",
    "session.overtakes_its_own_writes": "server",
    "settings.file_before_environment": "settings",
    "settings.secrets_printed": "settings",
    "settings.unknown_keys_ignored": "settings",
    "sim.minimises_to_what_passes": "sim",
    "sim.power_cut_takes_nothing": "sim",
    "sim.runs_know_of_each_other": "sim",
    "sim.speaks_what_peers_do_not_know": "sim",
    "sim.starts_in_the_middle_of_another_crash": "sim",
    "slot.tag_ends_at_the_last_brace": "cluster",
    "statistics.every_64th_is_timed": "engine",
    "statistics.waits_weigh_like_the_others": "engine",
    "store_builder.mark_not_synced": "backup",
    "store_builder.names_not_synced": "backup",
    "sync_group.waits_for_a_round_that_is_over": "sched",
    "sync_group.write_taken_for_sync": "engine",
    "tls.any_name_will_do": "tls",
    "tls.certificate_is_optional": "tls",
    "tls.first_certificate_stays": "ports",
    "token.of_any_key": "cluster",
    "topology.deletions_unseen": "node",
    "topology.goes_back_in_time": "node",
    "topology.old_events_applied": "node",
    "topology.other_spellings_accepted": "cluster",
    "topology.removes_who_has_data": "cluster",
    "tracking.expiry_untold": "server",
    "transaction.drops_not_checked": "engine",
    "transaction.own_writes_invisible": "engine",
    "transaction.ranges_not_validated": "engine",
    "transaction.reads_not_validated": "engine",
    "transaction.savepoint_not_rolled_back": "engine",
    "transaction.two_records": "crash",
    "value_log.checksum_not_compared": "format",
    "value_log.failed_sync_tried_again": "regression",
    "value_log.removed_before_its_put": "regression",
    "value_log.removed_while_memory_points_there": "regression",
    "wal.checksum_not_compared": "format",
    "wal.damage_taken_for_the_end": "format",
    "wal.records_of_an_earlier_use_accepted": "format",
    "watch.expiry_unseen": "server",
    "watch.outlives_exec": "server",
    "watch.second_watch_ignored": "server",
    "write.acknowledged_before_the_sync": "engine",
    "write.goes_on_after_a_failed_sync": "engine",
    "write.values_not_synced": "crash",
    "write.visible_before_inserted": "linearizability",
    "write.visible_before_synced": "regression",
}

# Campaigns that find a bug when threads or the ends of processes fall right, and bugs of others of which that is true.
# That one run does not find these says little: a third of the bugs is taken from the others.
CHANCE_CAMPAIGNS = ("kill", "linearizability", "fairness", "wire", "cluster_process")
CHANCE = ("file_topology.commits_without_lock", "flush.tells_of_what_was", "log.no_reserve_for_deletes")


def planted():
    """The names of all bugs in src/, in the order of the files."""
    names = []
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix not in (".h", ".cc") or path.name == "planted_bug.h":
            continue
        for name in PLANT.findall(path.read_text()):
            if name not in names:
                names.append(name)
    return names


def check_documents(bugs):
    text = (ROOT / "docs" / "testing.md").read_text()
    named = set(re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE))
    problems = [f"docs/testing.md: {bug} is planted and not in the table" for bug in bugs if bug not in named]
    problems += [f"docs/testing.md: {bug} is in the table and not planted" for bug in sorted(named - set(bugs))]
    problems += [f"tools/planted_bugs.py: {bug} is not planted" for bug in sorted(set(KNOWN) - set(bugs))]
    problems += planted_runs.missing_tests(bugs) + planted_simulator.wrong_names(bugs)
    problems += [f"tools/planted_torture.py: {bug} is not planted" for bug in sorted(set(planted_torture.TORTURED) - set(bugs))]
    print("\n".join(problems))
    return 1 if problems else 0


def clean_runs(runner):
    for campaign in CAMPAIGNS:
        test, seconds = runner.run(campaign, "")
        print(f"{campaign:18} {'FAILED without a bug: ' + test if test else 'passes'} {seconds:7.1f} s", flush=True)
        if test:
            return False
    return True


def third(bugs, seed):
    """What the ordinary run takes of the bugs."""
    found = planted_runs.table()
    chance = [bug for bug in bugs if bug in CHANCE or KNOWN.get(bug) in CHANCE_CAMPAIGNS]
    slow = [bug for bug in bugs if bug not in chance and found.get(bug, ("", 0))[1] > planted_runs.SLOW_SECONDS]
    sure = [bug for bug in bugs if bug not in chance and bug not in slow]
    chosen = planted_runs.sample(sure, seed, 3)
    print(f"{len(chosen)} of {len(bugs)} bugs, by seed {seed}; never among them: {len(chance)} that chance finds, {len(slow)} slow ones", flush=True)
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "dev")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--simulator", action="store_true")
    parser.add_argument("--few-seeds", action="store_true")
    parser.add_argument("--torture", action="store_true")
    parser.add_argument("--skip-clean", action="store_true")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--third", default="")
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    bugs = planted()
    build = arguments.build.resolve()
    if arguments.check:
        return check_documents(bugs)
    if arguments.simulator:
        return planted_simulator.run(build, arguments.names, arguments.few_seeds)
    if arguments.torture:
        return planted_torture.run(build, arguments.names)
    if arguments.names:  # in their order: who gives all of them in another one has chosen it
        bugs = list(dict.fromkeys(bug for name in arguments.names for bug in bugs if name in bug))
    if arguments.third:
        bugs = third(bugs, arguments.third)
    if arguments.list:
        print("\n".join(bugs))
        return 0
    runner = planted_runs.Runner(build, CAMPAIGNS, KNOWN)
    if not arguments.skip_clean and not clean_runs(runner):
        return 1
    survivors, left = runner.find_all(bugs, arguments.repeat, bool(arguments.third), arguments.jobs, arguments.seconds)
    if left:
        print(f"{len(left)} bugs were not begun: the time was up")
    print(f"{len(bugs)} bugs, {len(survivors)} survived: {' '.join(survivors)}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
