"""Streams of two connections: one keeps copies of what it reads (CLIENT TRACKING), the other changes keys; and which keys the
first is told of after each change."""
import redis_pair

KEYS = [b"a1", b"a2", b"b1", b"b2", b"c1"]
MARKER = b"a-marker"  # read and changed around each step, so that it is known when all has been told
MODES = [(), (b"OPTIN",), (b"OPTOUT",), (b"NOLOOP",), (b"BCAST",), (b"BCAST", b"PREFIX", b"a"), (b"BCAST", b"PREFIX", b"a", b"PREFIX", b"b1"), (b"BCAST", b"NOLOOP")]


def read_command(rng):
    key = rng.choice(KEYS)
    return rng.choice(([b"GET", key], [b"MGET", key, rng.choice(KEYS)], [b"STRLEN", key], [b"EXISTS", key], [b"TTL", key], [b"GETRANGE", key, b"0", b"1"],
                       [b"BITCOUNT", key], [b"TYPE", key], [b"DBSIZE"], [b"OBJECT", b"ENCODING", key]))


def change_commands(rng):
    key, other = rng.choice(KEYS), rng.choice(KEYS)
    one = rng.choice((
        [b"SET", key, b"1"], [b"SET", key, b"1", b"NX"], [b"SET", key, b"1", b"XX", b"EX", b"1000"], [b"DEL", key, other], [b"UNLINK", key], [b"APPEND", key, b"2"],
        [b"INCR", key], [b"INCRBYFLOAT", key, b"1.5"], [b"EXPIRE", key, b"1000"], [b"EXPIRE", key, b"-1"], [b"PERSIST", key], [b"RENAME", key, other],
        [b"RENAMENX", key, other], [b"COPY", key, other, b"REPLACE"], [b"MSET", key, b"1", other, b"2"], [b"MSETNX", key, b"1", other, b"2"], [b"GETDEL", key],
        [b"GETSET", key, b"3"], [b"GETEX", key, b"EX", b"100"], [b"GETEX", key, b"PERSIST"], [b"SETRANGE", key, b"1", b"x"], [b"SETRANGE", key, b"1", b""],
        [b"SETBIT", key, b"1", b"1"], [b"BITOP", b"AND", key, other, other], [b"BITFIELD", key, b"SET", b"u8", b"0", b"1"], [b"MOVE", key, b"1"], [b"GET", key]))
    if rng.random() < 0.2:
        return [[b"MULTI"], one, [b"SET", other, b"4"], [b"EXEC"]]
    return [[b"FLUSHALL"]] if rng.random() < 0.05 else [one]


def read_all(connection, count):
    """So many replies, and what is told between them."""
    told = []
    while count > 0:
        reply = connection.read()
        if reply[0] == b">":
            told.append(reply)
        else:
            count -= 1
    return told


def keys_of(push):
    return None if push[1][1][0] == b"_" else [key[1] for key in push[1][1][1]]


def run(rng, server):
    """The keys that were told of, step by step."""
    tracker, writer = redis_pair.Connection(server.path), redis_pair.Connection(server.path)
    steps = []
    try:
        mode = rng.choice(MODES)
        writer.call("FLUSHALL")
        tracker.call("HELLO", "3")
        tracker.call("CLIENT", "TRACKING", "ON", *mode)
        told = []
        for _ in range(30):
            commands = []
            if b"OPTIN" in mode:
                commands.append([b"CLIENT", b"CACHING", b"YES"])
            commands.append([b"GET", MARKER])
            for _ in range(rng.randint(0, 2)):
                if b"OPTIN" in mode and rng.random() < 0.5:
                    commands.append([b"CLIENT", b"CACHING", b"YES"])
                if b"OPTOUT" in mode and rng.random() < 0.3:
                    commands.append([b"CLIENT", b"CACHING", b"NO"])
                commands.append(read_command(rng))
            own = change_commands(rng) if rng.random() < 0.3 else []
            if own == [[b"FLUSHALL"]]:
                own = []
            tracker.send(b"".join(redis_pair.encode(command) for command in commands + own))
            told += read_all(tracker, len(commands) + len(own))
            changes = change_commands(rng)
            for command in changes:
                writer.call(*command)
            is_flush = changes == [[b"FLUSHALL"]]
            if not is_flush:
                writer.call("SET", MARKER, "x")
            end = None if is_flush else MARKER
            while True:
                found = [key for push in told for key in (keys_of(push) or [None])]
                if end in found:
                    break
                told.append(tracker.read())
            steps.append((changes, sorted(found, key=lambda key: key or b"")))
            told = []
    finally:
        tracker.close()
        writer.close()
    return mode, steps
