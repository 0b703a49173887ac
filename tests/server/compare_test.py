#!/usr/bin/env python3
"""Sends the same random streams of commands to varve's server and to redis-server 7.0, and compares the
replies byte for byte, in both versions of the protocol.

usage: compare_test.py PROGRAM [--streams N] [--seed N] [--only COMMAND]

The seed of a stream that differs is printed; --seed with --streams 1 repeats it. VARVE_TEST_SEED and
VARVE_TEST_SCALE are looked at too. Ends with 77 where there is no redis-server.
"""
import argparse
import os
import random
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import redis_pair  # noqa: E402
from redis_commands import ABSENT, ABSENT_SUBCOMMANDS, DIFFERENCES, NEWER_COMMANDS, NOT_AFTER_WATCH, NOT_IN_MULTI, SCRIPTS, random_command  # noqa: E402
import raw_requests  # noqa: E402
import tracking_streams  # noqa: E402

SKIPPED = 77
STREAM_LENGTH = 60


def normal(command, reply):
    """The reply without what DIFFERENCES allows."""
    name = command[0].lower() if command else b""
    for names, change, _ in DIFFERENCES:
        if name in names:
            reply = change(command, reply)
    return reply


class Pair:
    """A connection to each of the two, and what a MULTI of theirs has queued."""

    def __init__(self, ours, theirs):
        self.both = (redis_pair.Connection(ours.path), redis_pair.Connection(theirs.path))
        self.queue = None

    def close(self):
        for one in self.both:
            one.close()

    def send(self, data):
        for one in self.both:
            one.send(data)

    def read(self):
        replies = []
        for one in self.both:
            try:
                replies.append(one.read())
            except redis_pair.Closed:
                replies.append(("closed", None))
        return replies

    def is_same(self, command, ours, theirs):
        name = command[0].lower() if command else b""
        if name == b"exec" and ours[0] == theirs[0] == b"*" and None not in (ours[1], theirs[1]):
            queue, self.queue = self.queue, None
            if len(ours[1]) != len(theirs[1]):
                return False
            for queued, a, b in zip(queue, ours[1], theirs[1]):
                if normal(queued, a) != normal(queued, b):
                    print(f"in EXEC, of {show(queued)}: ours {show(a)}, theirs {show(b)}")
                    return False
            return True
        if theirs == (b"+", b"QUEUED"):
            self.queue.append(command)
        elif name == b"multi" and theirs == (b"+", b"OK"):
            self.queue = []
        return normal(command, ours) == normal(command, theirs)


def show(reply):
    text = repr(reply)
    return text if len(text) < 2000 else text[:2000] + "..."


def fail(seed, history, command, ours, theirs):
    print(f"stream {seed}: different replies to\n    {show(command)}\n  ours:   {show(ours)}\n"
          f"  theirs: {show(theirs)}\n  normal: {show(normal(command, ours))}\n"
          f"          {show(normal(command, theirs))}\n  after:")
    for line in history[-12:]:
        print("    ", show(line))


class Listeners:
    """Hear what the two servers publish of their keys."""

    def __init__(self, servers):
        self.both = [redis_pair.Connection(server.path) for server in servers]
        for one in self.both:
            one.call("PSUBSCRIBE", "*")

    def close(self):
        for one in self.both:
            one.close()

    def heard(self, servers):
        lists = []
        for server, one in zip(servers, self.both):
            publisher = redis_pair.Connection(server.path)
            publisher.call("PUBLISH", "the end", "")
            publisher.close()
            messages = []
            while not messages or messages[-1][0] != b"the end":
                messages.append(tuple(part[1] for part in one.read()[1][2:]))
            # When something that was dead when it was written goes, and who notices, is each server's own.
            lists.append([m for m in messages if b"expired" not in m and b":expired" not in m[0]])
        return lists


def run_stream(seed, servers, only):
    listeners = Listeners(servers) if seed % 4 == 0 else None
    try:
        if not run_commands(seed, servers, only):
            return False
        if listeners is None:
            return True
        ours, theirs = listeners.heard(servers)
        if ours == theirs:
            return True
        at = next(i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b)
        print(f"stream {seed}: message {at} differs: ours {ours[at - 2:at + 2]}, theirs {theirs[at - 2:at + 2]}")
        return False
    finally:
        if listeners is not None:
            listeners.close()


def run_script(version, script, servers):
    """Commands with more or fewer than one reply."""
    pair = Pair(*servers)
    try:
        if version == 3:
            pair.send(redis_pair.encode([b"HELLO", b"3"]))
            pair.read()
        for line, count in script:
            command = line.split(b" ")
            pair.send(redis_pair.encode(command))
            for _ in range(count):
                ours, theirs = pair.read()
                if normal(command, ours) != normal(command, theirs):
                    fail("of a script", script, command, ours, theirs)
                    return False
        return True
    finally:
        pair.close()


def has_same_table(servers):
    """COMMAND INFO of every command that ours has, but those that Redis 7.0 has not."""
    pair = Pair(*servers)
    same = True
    try:
        for name in sorted(entry[1] for entry in pair.both[0].call("COMMAND", "LIST")[1]):
            command = [b"COMMAND", b"INFO", name]
            ours, theirs = (normal(command, one.call(*command)) for one in pair.both)
            is_newer = name.startswith(b"v.") or name in NEWER_COMMANDS
            if ours != theirs and not is_newer:
                print(f"COMMAND INFO {name}:\n  ours:   {ours}\n  theirs: {theirs}")
                same = False
    finally:
        pair.close()
    return same


def lacks_what_it_should(servers):
    """Of Redis's commands ours lacks those of the lists, and no others; and says so of each."""
    pair = Pair(*servers)
    ours, theirs = pair.both
    try:
        names = [{entry[1] for entry in one.call("COMMAND", "LIST")[1]} for one in pair.both]
        lacking = {name for name in names[1] - names[0] if b"|" not in name or name.split(b"|")[0] not in ABSENT}
        expected = ABSENT | ABSENT_SUBCOMMANDS
        same = lacking == expected
        if not same:
            print(f"lacking and not in the lists: {sorted(lacking - expected)}\nin the lists and not lacking: {sorted(expected - lacking)}")
        for name in sorted(expected):
            command = name.split(b"|") + [b"a", b"b"]
            reply = ours.call(*command)
            says = b"ERR unknown subcommand" if b"|" in name else b"ERR unknown command '" + name + b"', with args beginning with: 'a' 'b' "
            if reply[0] != b"-" or not reply[1].startswith(says):
                print(f"{command}: {reply}")
                same = False
        # What could load code, or name a file.
        for command in (b"CONFIG SET dir /tmp", b"CONFIG SET dbfilename x", b"CONFIG SET logfile x", b"CONFIG SET aclfile x", b"CONFIG SET unixsocket x",
                        b"CONFIG SET loadmodule x", b"CONFIG SET enable-module-command yes", b"CONFIG SET enable-debug-command yes",
                        b"CONFIG SET protected-mode no", b"CONFIG SET tls-cert-file x", b"CONFIG REWRITE", b"MODULE LOAD x", b"EVAL x 0"):
            reply = ours.call(*command.split(b" "))
            if reply[0] != b"-":
                print(f"{command} is not refused: {reply}")
                same = False
    finally:
        pair.close()
    return same


def run_raw(seed, servers):
    """Bytes that are not always requests: everything that comes back until the connection ends."""
    rng = random.Random(seed)
    pieces = raw_requests.make(rng)
    replies = []
    for server in servers:
        one = redis_pair.Connection(server.path)
        try:
            one.call("FLUSHALL")
            replies.append(raw_requests.exchange(one.socket, pieces))
        finally:
            one.close()
    if replies[0] == replies[1]:
        return True
    print(f"raw stream {seed}: different replies to\n    {show(pieces)}\n  ours:   {show(replies[0])}\n  theirs: {show(replies[1])}")
    return False


def run_tracking(seed, servers):
    """What a client that keeps copies is told of."""
    ours, theirs = (tracking_streams.run(random.Random(seed), server) for server in servers)
    if ours == theirs:
        return True
    for mine, other in zip(ours[1], theirs[1]):
        if mine != other:
            print(f"tracking stream {seed}, {ours[0]}: after {show(mine[0])}\n  ours:   {mine[1]}\n  theirs: {other[1]}")
            break
    return False


def run_commands(seed, servers, only):
    rng = random.Random(seed)
    count = 2 if rng.random() < 0.2 and seed % 4 != 0 else 1
    pairs = [Pair(*servers) for _ in range(count)]
    commands = [(pairs[0], [b"FLUSHALL"])]
    if rng.random() < 0.5:
        commands += [(pair, [b"HELLO", b"3"]) for pair in pairs]
    in_multi = set()
    watches = False
    for _ in range(STREAM_LENGTH):
        pair, command = rng.choice(pairs), random_command(rng, only)
        name = command[0].lower() if command else b""
        if name == b"multi":
            in_multi.add(pair)
        elif name == b"exec" or (name in (b"discard", b"reset") and len(command) == 1):
            in_multi.discard(pair)
        elif name in NOT_IN_MULTI and pair in in_multi or name in NOT_AFTER_WATCH and watches:
            command = [b"PING"]
        watches = watches or name == b"watch"
        if seed % 4 == 0 and name == b"set" and any(word.lower() in (b"exat", b"pxat") for word in command):
            command = [b"PING"]  # a key that is dead when it is set: when Redis tells of it is its own
        commands.append((pair, command))
        if name == b"quit":  # what follows would make the connection end with an error
            break
    history = []
    try:
        if count == 1:
            pairs[0].send(b"".join(redis_pair.encode(command) for _, command in commands))
        for pair, command in commands:
            if count == 2:
                pair.send(redis_pair.encode(command))
            ours, theirs = pair.read()
            if not pair.is_same(command, ours, theirs):
                fail(seed, history, command, ours, theirs)
                return False
            history.append(command)
            if "closed" in (ours[0], theirs[0]):
                break
    finally:
        for pair in pairs:
            pair.close()
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--streams", type=int)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("VARVE_TEST_SEED", "1")))
    parser.add_argument("--only")
    parser.add_argument("--keep-going", action="store_true")
    options = parser.parse_args()
    if not redis_pair.has_redis():
        print(f"SKIPPED: no redis-server 7.0 at {redis_pair.REDIS_PROGRAM}; the package is redis-tools")
        return SKIPPED
    scale = float(os.environ.get("VARVE_TEST_SCALE", "1"))
    streams = options.streams or max(1, int(2000 * scale))
    begin = time.monotonic()
    failures = 0
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="varve_compare_") as folder:
        with redis_pair.start_varve(options.program, folder + "/varve") as ours, \
                redis_pair.start_redis(folder + "/redis") as theirs:
            for server in (ours, theirs):
                limit = redis_pair.Connection(server.path)
                assert limit.call("CONFIG", "SET", "proto-max-bulk-len", "1048576") == (b"+", b"OK")
                assert limit.call("CONFIG", "SET", "notify-keyspace-events", "AKE") == (b"+", b"OK")
                limit.close()
            failures += 0 if has_same_table((ours, theirs)) else 1
            failures += 0 if lacks_what_it_should((ours, theirs)) else 1
            for seed in range(options.seed, options.seed + streams):
                failures += 0 if run_raw(seed, (ours, theirs)) else 1
            for seed in range(options.seed, options.seed + streams // 10):
                failures += 0 if run_tracking(seed, (ours, theirs)) else 1
            for version in (2, 3):
                for script in SCRIPTS:
                    failures += 0 if run_script(version, script, (ours, theirs)) else 1
            for seed in range(options.seed, options.seed + streams):
                if not run_stream(seed, (ours, theirs), options.only):
                    failures += 1
                    if not options.keep_going:
                        break
    print(f"{streams} streams from seed {options.seed} in {time.monotonic() - begin:.1f} s, "
          f"{failures} different")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
