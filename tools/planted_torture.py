"""What the campaigns of `varve torture` find (docs/design/0040-torture.md): that their oracles can fail."""
import os
import shlex
import subprocess
import tempfile
import time

LIMIT_SECONDS = 300
VIOLATION = 6

# Bug -> the campaign, its first seed, and how many at most. Where nothing races the first seed alone finds it.
TORTURED = {
    "merge.loses_deletes": ("engine", 1, 5),
    "merge.older_version_first": ("engine", 1, 5),
    "flush.loses_range_deletes": ("engine", 1, 5),
    "iterator.prev_skips_the_last_of_a_block": ("engine", 1, 20),
    "log.not_synced": ("power", 1, 2),
    "write.values_not_synced": ("power", 3, 2),
    "manifest.edit_not_synced": ("power", 1, 20),
    "directory.not_synced": ("power", 1, 20),
    "replay.half_a_batch": ("power", 1, 20),
    "flush.full_disk_is_final": ("disk-full", 5, 5),
    "write.goes_on_after_a_failed_sync": ("io-errors", 1, 5),
    "write.acknowledged_before_the_sync": ("io-errors", 1, 5),
    "log.cut_when_it_cannot_be_continued": ("io-errors", 4, 5),
    "block.checksum_not_compared": ("bit-rot", 1, 20),
    "value_log.checksum_not_compared": ("bit-rot", 5, 5),
    "wal.checksum_not_compared": ("bit-rot", 1, 5),
    "transaction.reads_not_validated": ("transactions", 1, 5),
    "transaction.ranges_not_validated": ("transactions", 7, 5),
    "read.expired_a_little_late": ("ttl", 3, 5),
    "merge.drops_before_the_deadline": ("ttl", 1, 20),
    "replay.drops_the_last_record": ("crash", 1, 20),
    "server.answers_before_the_write": ("server", 1, 20),
    "server.exec_is_no_transaction": ("server", 1, 40),
    "merge.moved_values_not_synced": ("power", 18, 2),
    "write.visible_before_inserted": ("concurrency", 1, 400),
}

# A bug for each campaign, found within seconds: what the ordinary run takes.
QUICK = {
    "engine": "merge.loses_deletes",
    "power": "log.not_synced",
    "disk-full": "flush.full_disk_is_final",
    "io-errors": "write.goes_on_after_a_failed_sync",
    "bit-rot": "wal.checksum_not_compared",
    "transactions": "transaction.reads_not_validated",
    "ttl": "read.expired_a_little_late",
    "crash": "replay.drops_the_last_record",
    "server": "server.answers_before_the_write",
    # Any bug that loses a delete is also one of histories; the one above that races takes minutes.
    "concurrency": "flush.loses_range_deletes",
}


def torture(varve, bug, campaign, first, seeds):
    """(violation, seed, seconds), or None when no seed has broken the promise."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(varve), "torture", campaign, "--seed", str(first), "--seeds", str(seeds), "--whole", "--dir", folder]
        environment = {name: value for name, value in os.environ.items() if name != "VARVE_PLANTED_BUG"}
        if bug:
            environment["VARVE_PLANTED_BUG"] = bug
        begin = time.monotonic()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", timeout=LIMIT_SECONDS)
        seconds = time.monotonic() - begin
    if done.returncode == 0:
        return None
    if done.returncode != VIOLATION:  # an oracle that breaks down has found nothing
        raise RuntimeError(f"{shlex.join(command)}: exit code {done.returncode}: {done.stderr.strip()}")
    facts = dict(line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line)
    return facts["violation"], facts["seed"], seconds


def chosen(names):
    """(bug, campaign, first seed, seeds): the quick ones, or all ("all"), or those of which the name has a part."""
    if not names:
        return [(bug, campaign, *TORTURED[bug][1:]) if TORTURED[bug][0] == campaign else (bug, campaign, 1, 20)
                for campaign, bug in QUICK.items()]
    return [(bug, *how) for bug, how in TORTURED.items() if names == ["all"] or any(name in bug for name in names)]


def run(build, names):
    bugs, survivors = chosen(names), []
    for bug, campaign, first, seeds in bugs:
        found = torture(build / "varve", bug, campaign, first, seeds)
        if found:
            print(f"{bug:52} {found[2]:7.1f} s  {campaign}, seed {found[1]}: {found[0][:80]}", flush=True)
        else:
            survivors.append(bug)
            print(f"{bug:52} SURVIVED {campaign}, {seeds} seeds from {first}", flush=True)
    print(f"{len(bugs)} bugs, {len(survivors)} survived: {' '.join(survivors)}")
    return 1 if survivors else 0
