"""Random commands, and where our replies may differ from those of redis-server 7.0. For compare_test.py."""
import re
import time

KEYS = [b"a", b"b", b"c", b"key:1", b"key:2", b"k{tag}", b"", b"\x00\xff\r\n", b"n1", b"n2", b"n3", b"bits"]
INTEGERS = [b"0", b"1", b"-1", b"2", b"7", b"10", b"-10", b"63", b"64", b"100", b"4294967295", b"4294967296",
            b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808", b"-9223372036854775809",
            b"2147483647", b"2147483648", b"-2147483648", b"-2147483649",
            b"99999999999999999999", b"01", b"-0", b"+1", b" 1", b"1 ", b"", b"abc", b"1.5", b"1e3", b"0x10"]
FLOATS = [b"0.1", b"-0.1", b"1.5", b"3.0e3", b"1e308", b"-1e308", b"1e4000", b"1e-400", b"inf", b"-inf", b"nan", b"0x1p3",
          b"5.0000000000000000001", b"1e17", b".5", b"5.", b"-", b"1,5", b" 1.0", b"1.0 ", b"123456789.123456789"]
TEXTS = [b"", b"x", b"hello", b"Hello World", b"10", b"-5", b"3.14", b"\x00", b"\xff\xfe\x80", b"ohmytext",
         b"mynewtext", b"a" * 44, b"a" * 45, b"foobar", b"*", b"9223372036854775806", b"  spaces ", b"12345678901234567890"]
PATTERNS = [b"*", b"a", b"k*", b"key:?", b"[a-c]", b"[^a]", b"n[1-2]", b"\\*", b"*1", b"", b"[", b"[a", b"k**", b"?", b"[c-a]",
            b"key:[\\1]", b"k\\", b"*{*}"]


def key(r):
    return r.choice(KEYS)


def text(r):
    if r.random() < 0.03:
        return r.randbytes(r.choice([100, 5000, 60000]))
    return r.choice(TEXTS)


def integer(r):
    if r.random() < 0.5:
        return b"%d" % r.randint(-20, 20)
    return r.choice(INTEGERS)


def small(r):
    return b"%d" % r.randint(-20, 20) if r.random() < 0.9 else r.choice(INTEGERS)


def number(r):
    return r.choice(FLOATS) if r.random() < 0.6 else integer(r)


def database(r):
    return r.choice([b"0", b"0", b"1", b"2", b"15", b"16", b"-1", b"x", b"9999999999"])


# Times: never one that passes while a test runs.
def seconds(r):
    return r.choice([b"1000", b"100000", b"5000", b"0", b"-1", b"9223372036854775807", b"9223372036854775",
                     b"9223372036854776", b"9223370000000000", b"-9223372036854775808", b"abc", b"1.5", b"", b"10000000000"])


def millis(r):
    return r.choice([b"1000000", b"100000000", b"5000000", b"0", b"-1", b"9223372036854775807",
                     b"9223370000000000000", b"-9223372036854775808", b"abc", b"10000000000000"])


def at_seconds(r):
    return r.choice([b"4102444800", b"4102444801", b"33177117420", b"1", b"0", b"-1", b"1000000000", b"9223372036854775807",
                     b"9223372036854775", b"9223372036854776", b"abc"])


def at_millis(r):
    return r.choice([b"4102444800000", b"4102444800001", b"33177117420000", b"1", b"0", b"-1",
                     b"1000000000000", b"9223372036854775807", b"abc"])


def many(item, least=1, most=4):
    return lambda r: [item(r) for _ in range(r.randint(least, most))]


def options(*choices, most=3):
    """Up to `most` of these, each a list of words and functions."""
    def make(r):
        out = []
        for _ in range(r.choice([0, 1, 1, 2, most])):
            for part in r.choice(choices):
                out.append(part(r) if callable(part) else part)
        return out
    return make


def pairs(r):
    return [f(r) for _ in range(r.randint(1, 3)) for f in (key, text)]


TIMES = ([b"EX", seconds], [b"PX", millis], [b"EXAT", at_seconds], [b"PXAT", at_millis])
CONDITIONS = options([b"NX"], [b"XX"], [b"GT"], [b"LT"], [b"foo"], most=2)
BIT_TYPES = [b"u8", b"i8", b"u4", b"i5", b"u63", b"i64", b"u64", b"i0", b"i65", b"u1", b"i1", b"x8", b"8", b"", b"u", b"i16", b"u32", b"i33"]


def bit_offset(r):
    return r.choice([b"0", b"1", b"7", b"8", b"9", b"31", b"100", b"#0", b"#1", b"#3", b"-1", b"8388607", b"8388608",
                     b"#4294967296", b"abc", b"#", b"", b"#-1", b"9223372036854775807", b"#9223372036854775807"][:r.choice([10, 20])])


def offset(r):
    return r.choice([b"0", b"1", b"7", b"8", b"9", b"31", b"100", b"-1", b"1048575", b"1048576", b"8388607", b"8388608",
                     b"abc", b"", b"9223372036854775807"][:r.choice([7, 15])])


def bit_operations(r):
    out = []
    for _ in range(r.randint(0, 3)):
        kind = r.random()
        if kind < 0.3:
            out += [b"GET", r.choice(BIT_TYPES), bit_offset(r)]
        elif kind < 0.6:
            out += [b"SET", r.choice(BIT_TYPES), bit_offset(r), integer(r)]
        elif kind < 0.85:
            out += [b"INCRBY", r.choice(BIT_TYPES), bit_offset(r), integer(r)]
        elif kind < 0.97:
            out += [b"OVERFLOW", r.choice([b"WRAP", b"SAT", b"FAIL", b"bad"])]
        else:
            out += [r.choice([b"GET", b"bad", b"SET"])]
    return out


def command_line(r):
    return random_plain(r)


def word(*words):
    return lambda r: r.choice(words)


NAMES = word(b"get", b"SET", b"mset", b"config", b"config|get", b"nosuch", b"client|nosuch", b"object|encoding", b"incr",
             b"bitop", b"copy", b"rename", b"append", b"setex", b"exec", b"watch", b"expire", b"ttl", b"persist", b"flushall",
             b"dbsize", b"scan", b"hello", b"auth", b"ping", b"echo", b"select", b"swapdb", b"getex", b"getdel", b"getset",
             b"setnx", b"setrange", b"getrange", b"substr", b"strlen", b"mget", b"msetnx", b"decr", b"decrby", b"incrby",
             b"incrbyfloat", b"lcs", b"setbit", b"getbit", b"bitcount", b"bitpos", b"bitfield", b"bitfield_ro", b"del",
             b"unlink", b"exists", b"touch", b"type", b"renamenx", b"move", b"psetex", b"randomkey", b"keys", b"time",
             b"multi", b"discard", b"unwatch", b"quit", b"reset", b"pexpire", b"expireat", b"pexpireat", b"pttl",
             b"expiretime", b"pexpiretime", b"role", b"lastsave", b"wait", b"flushdb", b"object|freq")

# What Redis made of numbers, texts and compressed texts; then what is damaged.
DUMPS = [bytes.fromhex(text) for text in (
    "00c0050a00632f5f66832fb351", "00c1d4fe0a00c6c48623febede2e", "00c2701101000a0001a408fe953095a5",
    "000568656c6c6f0a006372df766534200a", "00000a005d9b5c400f7fa2da",
    "00c3142f0c68656c6c6f20776f726c642068e0170b016c640a0012cacc2b5baf55ba",
    "00c31243e8016161e0ff00e0ff00e0ff00e0c3000161610a0086c212db54819e3c",
    "00c0060a00632f5f66832fb351", "00c0050b00632f5f66832fb351", "0005", "")]

# Name, weight, the arguments: words, and functions that give an argument or a list of them.
COMMANDS = [
    (b"GET", 4, [key]),
    (b"SET", 10, [key, text, options([b"NX"], [b"XX"], [b"GET"], [b"KEEPTTL"], [b"junk"], *TIMES)]),
    (b"SET", 4, [key, integer]),
    (b"SETNX", 2, [key, text]), (b"SETEX", 2, [key, seconds, text]), (b"PSETEX", 2, [key, millis, text]),
    (b"GETSET", 2, [key, text]), (b"GETDEL", 2, [key]),
    (b"GETEX", 4, [key, options([b"PERSIST"], [b"junk"], [b"KEEPTTL"], *TIMES, most=2)]),
    (b"MGET", 2, [many(key)]), (b"MSET", 3, [pairs]), (b"MSETNX", 2, [pairs]),
    (b"APPEND", 3, [key, text]), (b"STRLEN", 2, [key]),
    (b"GETRANGE", 3, [key, small, small]), (b"SUBSTR", 1, [key, small, small]),
    (b"SETRANGE", 3, [key, offset, text]),
    (b"INCR", 3, [key]), (b"DECR", 2, [key]), (b"INCRBY", 3, [key, integer]), (b"DECRBY", 3, [key, integer]),
    (b"INCRBYFLOAT", 3, [key, number]),
    (b"LCS", 3, [key, key, options([b"LEN"], [b"IDX"], [b"WITHMATCHLEN"], [b"MINMATCHLEN", small], [b"junk"])]),
    (b"SETBIT", 3, [key, offset, word(b"0", b"1", b"1", b"2", b"x")]), (b"GETBIT", 2, [key, offset]),
    (b"BITCOUNT", 3, [key, options([small, small], [small], [small, small, word(b"BYTE", b"BIT", b"bad")], most=1)]),
    (b"BITPOS", 3, [key, word(b"0", b"1", b"1", b"2", b"x"), options([small], [small, small],
                                                                    [small, small, word(b"BYTE", b"BIT", b"bad")], most=1)]),
    (b"BITOP", 3, [word(b"AND", b"OR", b"XOR", b"NOT", b"bad"), key, many(key, 1, 3)]),
    (b"BITFIELD", 4, [key, bit_operations]), (b"BITFIELD_RO", 2, [key, bit_operations]),
    (b"DEL", 2, [many(key)]), (b"UNLINK", 1, [many(key)]), (b"EXISTS", 2, [many(key)]), (b"TOUCH", 1, [many(key)]),
    (b"TYPE", 1, [key]), (b"RENAME", 2, [key, key]), (b"RENAMENX", 2, [key, key]),
    (b"COPY", 2, [key, key, options([b"REPLACE"], [b"DB", database], [b"junk"], most=2)]),
    (b"MOVE", 2, [key, database]), (b"RANDOMKEY", 1, []), (b"KEYS", 2, [word(*PATTERNS)]), (b"DBSIZE", 1, []),
    (b"SCAN", 2, [word(b"0", b"0", b"0", b"abc", b"-1x", b"", b" 0", b"99999999999999999999"), options([b"MATCH", word(*PATTERNS)], [b"COUNT", b"1000"],
                  [b"COUNT", word(b"0", b"-1", b"x", b"1000")], [b"TYPE", word(b"string", b"STRING", b"list", b"bad")], [b"junk"], [b"MATCH"]), b"COUNT", b"1000"]),
    (b"EXPIRE", 3, [key, seconds, CONDITIONS]), (b"PEXPIRE", 3, [key, millis, CONDITIONS]),
    (b"EXPIREAT", 3, [key, at_seconds, CONDITIONS]), (b"PEXPIREAT", 3, [key, at_millis, CONDITIONS]),
    (b"TTL", 2, [key]), (b"PTTL", 2, [key]), (b"EXPIRETIME", 2, [key]), (b"PEXPIRETIME", 2, [key]), (b"PERSIST", 2, [key]),
    (b"OBJECT", 2, [word(b"ENCODING", b"REFCOUNT", b"IDLETIME", b"FREQ", b"nosuch"), key]),
    (b"FLUSHDB", 0.3, [options([b"ASYNC"], [b"SYNC"], [b"junk"], most=2)]), (b"FLUSHALL", 0.3, [options([b"ASYNC"], [b"SYNC"], [b"junk"], most=2)]),
    (b"SWAPDB", 0.5, [database, database]), (b"SELECT", 1, [database]),
    (b"PING", 1, [options([text], most=2)]), (b"ECHO", 1, [text]), (b"TIME", 0.3, []),
    (b"RESET", 0.1, []), (b"QUIT", 0.02, [options([text], most=1)]),
    (b"HELLO", 0.5, [options([b"2"], [b"3"], [b"3"], [b"4"], [b"x"], most=1),
                     options([b"SETNAME", word(b"me", b"bad name", b"")], [b"AUTH", b"default", b"pw"], [b"AUTH", b"nobody", b"pw"], [b"junk"], most=2)]),
    (b"AUTH", 0.3, [many(text, 1, 3)]),
    (b"MULTI", 3, []), (b"EXEC", 4, []), (b"DISCARD", 0.7, []), (b"WATCH", 1, [many(key, 1, 2)]), (b"UNWATCH", 0.5, []),
    (b"CLIENT", 2, [word(b"GETNAME", b"ID", b"INFO", b"LIST", b"GETREDIR", b"TRACKINGINFO", b"nosuch")]),
    (b"CLIENT", 1, [b"SETNAME", word(b"me", b"a b", b"", b"x\n", b"you")]),
    (b"CLIENT", 0.7, [b"KILL", options([b"ID", integer], [b"TYPE", word(b"normal", b"bad")], [b"ADDR", b"1.2.3.4:5"], [b"LADDR", b"1.2.3.4:5"],
                                       [b"USER", word(b"nobody", b"default")], [b"SKIPME", b"bad"], [b"1.2.3.4:5"], [b"junk"], most=2), b"LADDR", b"9.9.9.9:9"]),
    (b"CLIENT", 0.5, [b"LIST", options([b"TYPE", word(b"normal", b"pubsub", b"bad", b"master")], [b"ID", integer], [b"junk"], most=2)]),
    (b"CLIENT", 0.5, [b"PAUSE", word(b"0", b"-1", b"x"), options([b"WRITE"], [b"ALL"], [b"bad"], most=2)]),
    (b"CLIENT", 0.3, [b"UNPAUSE"]), (b"CLIENT", 0.5, [b"NO-EVICT", word(b"on", b"off", b"bad")]),
    (b"CLIENT", 0.5, [b"UNBLOCK", integer, options([b"TIMEOUT"], [b"ERROR"], [b"bad"], most=2)]),
    (b"CLIENT", 0.2, [b"REPLY", b"bad"]),
    (b"COMMAND", 1, [b"INFO", many(NAMES, 1, 3)]), (b"COMMAND", 0.5, [b"DOCS", many(NAMES, 1, 2)]),
    (b"COMMAND", 1.5, [word(b"GETKEYS", b"GETKEYSANDFLAGS"), command_line]),
    (b"COMMAND", 0.5, [b"LIST", options([b"FILTERBY", word(b"MODULE", b"bad"), b"x"], [b"FILTERBY"], [b"junk", b"b"], most=1)]),
    (b"CONFIG", 1, [b"GET", many(word(b"maxmemory", b"databases", b"proto-max-bulk-len", b"nosuch", b"max?emory", b"DATABASES", b"maxmemory-policy"), 1, 3)]),
    (b"CONFIG", 0.7, [b"SET", many(word(b"nosuch", b"databases", b"proto-max-bulk-len", b"x", b"1048576"), 1, 4)]),
    (b"CONFIG", 0.2, [word(b"RESETSTAT", b"REWRITE", b"nosuch")]),
    (b"ACL", 1, [b"SETUSER", word(b"u", b"v"), many(word(b"on", b"off", b">x", b"<x", b"nopass", b"resetpass", b"~k*", b"%R~r*", b"resetkeys", b"allkeys", b"&c",
                                                          b"allchannels", b"resetchannels", b"+get", b"-get", b"+config|get", b"+select|1", b"reset", b"junk", b"(+get", b"~x)",
                                                          b"(~y %W~z)", b"clearselectors", b"sanitize-payload", b""), 0, 5)]),
    (b"ACL", 0.7, [word(b"GETUSER", b"DELUSER"), word(b"u", b"v", b"nosuch")]), (b"ACL", 0.3, [b"LIST"]), (b"ACL", 0.2, [b"WHOAMI"]),
    (b"ACL", 0.7, [b"DRYRUN", word(b"u", b"v", b"default"), command_line]),
    (b"AUTH", 0.2, [word(b"u", b"v"), word(b"x", b"y")]),
    (b"WAIT", 0.5, [word(b"0"), small]), (b"ROLE", 0.2, []), (b"LASTSAVE", 0.2, []),
    (b"INFO", 0.5, [options([word(b"server", b"all", b"nosuch", b"keyspace", b"default")])]),
    (b"SHUTDOWN", 0.3, [word(b"ABORT", b"junk"), options([b"SAVE"], [b"junk"], most=1)]),
    (b"DUMP", 1, [key]),
    (b"RESTORE", 2, [key, word(b"0", b"0", b"-1", b"x", b"5000000"), word(*DUMPS),
                     options([b"REPLACE"], [b"ABSTTL"], [b"IDLETIME", small], [b"FREQ", small], [b"junk"], most=3)]),
    (b"NOSUCH", 0.5, [many(text, 0, 4)]), (b"", 0.1, []), (b"x" * 200, 0.1, [many(text, 0, 4)]),
    (b"OBJECT", 0.1, []), (b"CLIENT", 0.1, []), (b"CONFIG", 0.1, []),
]
WEIGHTS = [weight for _, weight, _ in COMMANDS]


def build(r, entry):
    command = [entry[0]]
    for part in entry[2]:
        made = part(r) if callable(part) else part
        command += made if isinstance(made, list) else [made]
    return command


def random_plain(r, only=None):
    entries = [e for e in COMMANDS if only and e[0].lower() == only.lower().encode()]
    entry = r.choice(entries) if entries and r.random() < 0.7 else r.choices(COMMANDS, WEIGHTS)[0]
    return build(r, entry)


def random_command(r, only=None):
    command = random_plain(r, only)
    chance = r.random()
    if chance < 0.03 and len(command) > 1:
        command.pop(r.randrange(1, len(command)))
    elif chance < 0.06:
        command.insert(r.randrange(1, len(command) + 1), r.choice(TEXTS + KEYS + INTEGERS))
    if r.random() < 0.3:
        command = [w.lower() if i != 0 or r.random() < 0.5 else w.title() for i, w in enumerate(command)]
    # These must not happen whatever has been dropped or added.
    name = command[0].lower()
    if name == b"shutdown" and b"abort" not in [w.lower() for w in command] and b"junk" not in [w.lower() for w in command]:
        return [b"PING"]
    if name == b"client" and len(command) > 2 and command[1].lower() == b"pause" and command[2] not in (b"0", b"-1", b"x"):
        return [b"PING"]
    if b"expire" in name and {b"gt", b"lt"} & {w.lower() for w in command}:
        try:
            unit = 1000 if name.startswith(b"p") else 1
            if int(command[2]) > 9_000_000_000 * unit:
                return [b"PING"]  # see round_time
            if not name.endswith(b"at"):  # never one that was there, but for a millisecond
                command[2] = b"%d" % (r.randint(2000_000, 3000_000) * unit // 1000)
        except (ValueError, IndexError):
            pass
    # The limit stays: Redis takes any, and then asks for as much memory; ours is at most 512 MiB.
    lower = [w.lower() for w in command]
    if name == b"config" and b"set" in lower and any(
            word == b"proto-max-bulk-len" and lower[i + 1:i + 2] not in ([b"1048576"], [b"x"])
            for i, word in enumerate(lower)):
        return [b"PING"]
    # Redis takes a number as small as this for one that is too large when it saturates a narrow field.
    if name == b"bitfield" and b"-9223372036854775808" in command:
        return [b"PING"]
    if name == b"wait" and (len(command) != 3 or command[1] != b"0"):
        return command if len(command) != 3 else [b"PING"]
    return command


# --- Differences that are meant to be.

def sort_elements(command, reply):
    if reply[0] == b"*" and reply[1] is not None:
        return (b"*", sorted(reply[1], key=repr))
    return reply


def sort_scan(command, reply):
    if reply[0] == b"*" and len(reply[1]) == 2:
        return (b"*", [reply[1][0], sort_elements(command, reply[1][1])])
    return reply


def round_time(command, reply):
    """A time to go, or a moment, that both took from their own clocks. Moments after 2262 are one."""
    if reply[0] != b":" or int(reply[1]) < 0:
        return reply
    name = command[0].lower()
    value = int(reply[1]) / (1000 if name.startswith(b"p") else 1)
    to_go = value - time.time() if name.endswith(b"expiretime") else value
    if to_go > 7_000_000_000:
        return (b":", b"after 2262")
    if 1900 < to_go < 3010:
        return (b":", b"2000 to 3000 s")
    for about in (1000, 5000, 100_000):
        if abs(to_go - about) < 400:
            return (b":", b"about %d s" % about)
    # A moment that the command named.
    return reply if name.endswith(b"expiretime") else (b":", b"%d" % ((to_go + time.time()) // 3600))


def only_kind(command, reply):
    return (reply[0], b"" if reply[1] is not None else None)


def only_kind_of_value(command, reply):
    return only_kind(command, reply) if reply[0] not in (b"-",) else reply


def dump(command, reply):
    # Behind the kind of value: a compressed string, or one that could be (more than 20 bytes).
    text = reply[1] or b""
    return only_kind(command, reply) if len(text) > 11 + 21 or text[1:2] == b"\xc3" else reply


def hello(command, reply):
    if reply[0] not in (b"*", b"%") or reply[1] is None:
        return reply
    fields = list(zip(reply[1][::2], reply[1][1::2]))
    kept = [(k, v if k[1] != b"id" else b"") for k, v in fields if k[1] != b"varve_version"]
    return (reply[0], kept)


def client(command, reply):
    sub = command[1].lower() if len(command) > 1 else b""
    return only_kind_of_value(command, reply) if sub in (b"id", b"list", b"info") else reply


def acl(command, reply):
    sub = command[1].lower() if len(command) > 1 else b""
    if sub == b"genpass" and reply[0] == b"$":
        return (reply[0], len(reply[1]))
    if sub == b"log" and reply[0] == b"*":
        # Without the age and the line of the client.
        return (reply[0], [(entry[0], entry[1][:10]) for entry in reply[1]])
    return sorted_rules(reply)


def info(command, reply):
    sections = [word.lower() for word in command[1:]]
    if sections == [b"errorstats"]:
        return reply
    if sections == [b"commandstats"]:
        return (reply[0], sorted(re.sub(rb"usec=.*?,usec_per_call=.*?,", b"", line) for line in reply[1].split(b"\r\n")))
    return only_kind_of_value(command, reply)


def debug(command, reply):
    if reply[0] == b"+" and reply[1].startswith(b"Value at:"):
        return (reply[0], re.sub(rb"(at|lru|lru_seconds_idle):[0-9a-fx]+", b"", reply[1]))
    return reply


def sorted_rules(reply):
    """Rules of single commands come in the order in which they were given; Redis has an order of its own."""
    if isinstance(reply[1], list):
        return (reply[0], [sorted_rules(item) for item in reply[1]])
    if reply[0] == b"$" and reply[1] and reply[1].startswith((b"user ", b"-@all ", b"+@all ")):
        return (reply[0], sorted(reply[1].replace(b"(", b"( ").replace(b")", b" )").split(b" ")))
    return reply


def object_(command, reply):
    return only_kind_of_value(command, reply)


def without_docs(reply):
    """COMMAND DOCS has texts of our own, and no history, complexity or arguments."""
    kind, items = reply
    if items is None:
        return reply
    return (kind, sorted(item[1] for item in items[::2]))


def command_command(command, reply):
    sub = command[1].lower() if len(command) > 1 else b""
    if reply[0] in (b"-", b"+"):
        return reply
    if sub == b"docs" and len(command) == 2:
        return only_kind(command, reply)
    if sub == b"docs":
        return without_docs(reply)
    if sub == b"info" and len(command) > 2:
        return (reply[0], [described(item) for item in reply[1]])
    return only_kind(command, reply) if sub not in (b"getkeys", b"getkeysandflags") else reply


def described(item):
    if not isinstance(item[1], list) or len(item[1]) != 10:
        return item
    fields = list(item[1])
    for i in (2, 6):
        fields[i] = (fields[i][0], sorted(fields[i][1]))
    # Containers have sub-commands that the other does not, and words for keys carry notes.
    fields[9] = (fields[9][0], b"")
    fields[8] = (fields[8][0], [without_notes(spec) for spec in fields[8][1]])
    return (item[0], fields)


def without_notes(spec):
    flat = list(zip(spec[1][::2], spec[1][1::2]))
    return [(k, v) for k, v in flat if k[1] != b"notes"]


def shutdown(command, reply):
    return reply


def empty_key(command, reply):
    return reply


def config(command, reply):
    sub = command[1].lower() if len(command) > 1 else b""
    if sub == b"get" and reply[0] in (b"*", b"%"):
        if any(b"*" in word or b"[" in word for word in command):
            return only_kind(command, reply)
        return (reply[0], sorted(zip(reply[1][::2], reply[1][1::2])))
    return reply


# Redis's commands that ours has not: they are of types that a store of strings has not, of scripts, of replication by another server
# (a cluster of ours is another thing), and of modules.
ABSENT = set(
    b"blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin eval eval_ro evalsha evalsha_ro failover fcall fcall_ro function geoadd "
    b"geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch geosearchstore hdel hexists hget hgetall hincrby "
    b"hincrbyfloat hkeys hlen hmget hmset hrandfield hscan hset hsetnx hstrlen hvals lindex linsert llen lmove lmpop lpop lpos lpush lpushx "
    b"lrange lrem lset ltrim migrate pfadd pfcount pfdebug pfmerge pfselftest psync replconf replicaof restore-asking rpop rpoplpush rpush rpushx "
    b"sadd scard script sdiff sdiffstore sinter sintercard sinterstore sismember slaveof smembers smismember smove sort sort_ro spop srandmember srem "
    b"sscan sunion sunionstore sync xack xadd xautoclaim xclaim xdel xgroup xinfo xlen xpending xrange xread xreadgroup xrevrange xsetid xtrim "
    b"zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard zinterstore zlexcount zmpop zmscore zpopmax zpopmin zrandmember zrange "
    b"zrangebylex zrangebyscore zrangestore zrank zrem zremrangebylex zremrangebyrank zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank "
    b"zscan zscore zunion zunionstore".split())
ABSENT_SUBCOMMANDS = {b"memory|malloc-stats", b"module|load", b"module|loadex", b"module|unload"}


# Names of commands, what is done to both replies before they are compared, and why.
DIFFERENCES = [
    ((b"keys",), sort_elements, "the order of keys: ours are sorted"),
    ((b"scan",), sort_scan, "the order of keys: ours are sorted"),
    ((b"ttl", b"pttl", b"expiretime", b"pexpiretime"), round_time,
     "each server takes now from its own clock; ours knows no times after 2262, and takes those for then"),
    ((b"randomkey", b"time", b"lastsave", b"lolwut"), only_kind, "chance and clocks"),
    ((b"dump",), dump, "ours is never compressed; what Redis compresses, RESTORE takes"),
    ((b"dbsize",), only_kind, "Redis counts keys that have expired until it has looked at them; KEYS shows as much"),
    ((b"info",), info, "what INFO says of the server"),
    ((b"hello",), hello, "the number of the connection; varve_version is added"),
    ((b"client",), client, "the number and the age of the connection"),
    ((b"acl",), acl, "chance, clocks, what is said of a connection, and the order of rules"),
    ((b"debug",), debug, "addresses and times"),
    ((b"object",), object_, "how a value is kept: ours follows from the value, without history"),
    ((b"command",), command_command, "texts of our own, other commands, and notes"),
    ((b"config",), config, "the order of parameters, and which there are"),
]

# What ours does not take within MULTI: which database is which cannot change within a transaction.
NOT_IN_MULTI = (b"swapdb",)
# What touches watched keys that it does not change: for us, deleting everything touches also those that are
# absent, and exchanging databases touches none (a watch is of the database that held the name then).
NOT_AFTER_WATCH = (b"flushdb", b"flushall", b"swapdb")

# Lines of words, and how many replies each has.
SCRIPTS = [
    # What is counted of commands and errors, without their times.
    [(line, 1) for line in (
        b"CONFIG RESETSTAT", b"GET x", b"SET x", b"SET x y", b"NOSUCH", b"CONFIG SET x y", b"INCR x", b"MULTI", b"GET", b"EXEC", b"MULTI", b"INCR x",
        b"GET x", b"EXEC", b"EXEC", b"AUTH a b", b"INFO commandstats", b"INFO errorstats", b"FLUSHALL", b"CONFIG RESETSTAT", b"INFO errorstats")],
    [(b"SUBSCRIBE a b a", 3), (b"GET x", 1), (b"PING", 1), (b"PING hi", 1), (b"PSUBSCRIBE p*", 1),
     (b"UNSUBSCRIBE a b nosuch", 3), (b"SUBSCRIBE", 1), (b"PUNSUBSCRIBE", 1), (b"UNSUBSCRIBE", 1), (b"PUNSUBSCRIBE", 1),
     (b"GET x", 1), (b"PING", 1)],
    [(b"SSUBSCRIBE s", 1), (b"GET x", 1), (b"SUBSCRIBE c", 1), (b"SUNSUBSCRIBE", 1), (b"SUNSUBSCRIBE", 1), (b"RESET", 1), (b"GET x", 1)],
    [(b"SUBSCRIBE c", 1), (b"PUBSUB CHANNELS", 1), (b"PUBSUB NUMSUB c d", 1), (b"PUBSUB NUMPAT", 1), (b"PUBSUB CHANNELS x*", 1),
     (b"PUBSUB NUMSUB", 1), (b"PUBSUB SHARDCHANNELS", 1), (b"PUBSUB SHARDNUMSUB c", 1), (b"PUBSUB NOSUCH", 1),
     (b"PUBSUB CHANNELS a b", 1), (b"UNSUBSCRIBE c", 1), (b"PUBSUB CHANNELS", 1), (b"PUBLISH c x", 1), (b"SPUBLISH c x", 1), (b"QUIT", 1)],
    [(b"MULTI", 1), (b"PUBLISH c x", 1), (b"PING", 1), (b"EXEC", 1)],
    # Copies that clients keep: what is refused, and how.
    [(line, 1) for line in (
        b"CLIENT TRACKINGINFO", b"CLIENT GETREDIR", b"CLIENT CACHING YES", b"CLIENT TRACKING", b"CLIENT TRACKING x", b"CLIENT TRACKING on PREFIX a",
        b"CLIENT TRACKING on REDIRECT", b"CLIENT TRACKING on REDIRECT x", b"CLIENT TRACKING on REDIRECT 99999999", b"CLIENT TRACKING on REDIRECT 0",
        b"CLIENT TRACKING on BCAST OPTIN", b"CLIENT TRACKING on OPTIN OPTOUT", b"CLIENT TRACKING on NOSUCH", b"CLIENT TRACKING off NOSUCH",
        b"CLIENT TRACKING on BCAST PREFIX ab PREFIX a", b"CLIENT TRACKING on BCAST PREFIX b PREFIX a", b"CLIENT TRACKINGINFO", b"CLIENT GETREDIR",
        b"CLIENT TRACKING on BCAST PREFIX ax", b"CLIENT TRACKING on BCAST PREFIX c NOLOOP", b"CLIENT TRACKINGINFO", b"CLIENT TRACKING on", b"CLIENT CACHING YES",
        b"CLIENT CACHING NO", b"CLIENT TRACKING off", b"CLIENT TRACKINGINFO", b"CLIENT TRACKING on BCAST", b"CLIENT TRACKINGINFO",
        b"CLIENT TRACKING on BCAST PREFIX z", b"CLIENT TRACKING off", b"CLIENT TRACKING on OPTIN", b"CLIENT CACHING NO", b"CLIENT CACHING x",
        b"CLIENT CACHING YES", b"CLIENT TRACKINGINFO", b"GET nosuch", b"CLIENT TRACKINGINFO", b"CLIENT TRACKING on OPTOUT", b"CLIENT TRACKING off",
        b"CLIENT TRACKING on OPTOUT NOLOOP", b"CLIENT CACHING YES", b"CLIENT CACHING NO", b"MULTI", b"CLIENT TRACKINGINFO", b"EXEC", b"CLIENT TRACKINGINFO",
        b"RESET", b"CLIENT TRACKINGINFO")],
    [(b"CONFIG GET notify-keyspace-events", 1), (b"CONFIG SET notify-keyspace-events bad!", 1), (b"CONFIG SET notify-keyspace-events KElg", 1),
     (b"CONFIG GET notify-keyspace-events", 1), (b"CONFIG SET notify-keyspace-events xKEmtdn", 1), (b"CONFIG GET notify-keyspace-events", 1),
     (b"CONFIG SET notify-keyspace-events KEA", 1), (b"CONFIG GET notify-keyspace-events", 1)],
    [(b"SLOWLOG RESET", 1), (b"SLOWLOG LEN", 1), (b"SLOWLOG GET", 1), (b"SLOWLOG GET -2", 1), (b"SLOWLOG GET x", 1), (b"SLOWLOG GET 1 2", 1),
     (b"SLOWLOG NOSUCH", 1), (b"CONFIG GET slowlog-max-len slowlog-log-slower-than", 1)],
    [(b"LATENCY LATEST", 1), (b"LATENCY HISTORY x", 1), (b"LATENCY RESET x", 1), (b"LATENCY RESET", 1), (b"LATENCY HISTOGRAM nosuch", 1),
     (b"CONFIG SET latency-monitor-threshold -1", 1), (b"CONFIG SET latency-monitor-threshold x", 1), (b"CONFIG SET latency-monitor-threshold 0", 1),
     (b"CONFIG GET latency-monitor-threshold", 1), (b"LATENCY GRAPH x", 1), (b"LATENCY NOSUCH", 1)],
    [(b"MEMORY USAGE nosuch", 1), (b"MEMORY USAGE k SAMPLES x", 1), (b"MEMORY USAGE k SAMPLES", 1), (b"MEMORY USAGE k SAMPLES -1", 1), (b"MEMORY PURGE", 1),
     (b"MEMORY NOSUCH", 1), (b"MODULE LIST", 1), (b"ACL WHOAMI", 1), (b"ACL USERS", 1), (b"ACL CAT nosuch", 1), (b"ACL CAT a b", 1), (b"ACL CAT", 1),
     (b"ACL NOSUCH", 1)],
    [(line, 1) for line in (
        b"ACL LOG RESET", b"ACL SETUSER u", b"ACL GETUSER u", b"ACL LIST", b"ACL GETUSER nosuch", b"ACL USERS",
        b"ACL SETUSER u on >pw ~k* %R~r* %W~w* %RW~rw* %r~x %W~x &ch* +get", b"ACL GETUSER u", b"ACL LIST",
        b"ACL SETUSER u +GET|x", b"ACL SETUSER u +nosuch", b"ACL SETUSER u +@nosuch", b"ACL SETUSER u junk",
        b"ACL SETUSER u ~* ~x", b"ACL SETUSER u &* &x", b"ACL SETUSER u <x", b"ACL SETUSER u !x", b"ACL SETUSER u #x",
        b"ACL SETUSER u #" + b"0" * 64, b"ACL SETUSER u !" + b"1" * 64, b"ACL SETUSER u !" + b"0" * 64, b"ACL GETUSER u",
        b"ACL SETUSER u %X~x", b"ACL SETUSER u %~x", b"ACL SETUSER u %R", b"ACL SETUSER u %", b"ACL SETUSER u %RR~x", b"ACL LIST",
        b"ACL SETUSER u +config|nosuch", b"ACL SETUSER u -get|x", b"ACL SETUSER u +config|get|x", b"ACL SETUSER u +get|",
        b"ACL SETUSER u +", b"ACL SETUSER u -", b"ACL SETUSER u +@", b"ACL SETUSER u (", b"ACL SETUSER u (+get", b"ACL SETUSER u (on)",
        b"ACL SETUSER u (+get ~* ~x)", b"ACL SETUSER u (+get ~x) (+set %R~y &z)", b"ACL GETUSER u", b"ACL LIST",
        b"ACL SETUSER u clearselectors", b"ACL LIST", b"ACL SETUSER u reset", b"ACL LIST",
        b"ACL SETUSER u allkeys allchannels allcommands nopass on", b"ACL LIST", b"ACL GETUSER u",
        b"ACL SETUSER u nocommands resetkeys resetchannels off resetpass", b"ACL LIST",
        b"ACL SETUSER u >a >b >a", b"ACL SETUSER u <a", b"ACL GETUSER u", b"ACL SETUSER u skip-sanitize-payload", b"ACL GETUSER u",
        b"ACL SETUSER u +@all +get", b"ACL LIST", b"ACL SETUSER u -@all -get", b"ACL LIST", b"ACL SETUSER u +select|0 +SELECT|1", b"ACL LIST",
        b"ACL SETUSER u +select", b"ACL LIST", b"ACL SETUSER u -select +config|get", b"ACL LIST", b"ACL SETUSER u -config", b"ACL LIST",
        b"ACL DRYRUN nosuch get x", b"ACL DRYRUN u nosuch x", b"ACL DRYRUN u get", b"ACL DRYRUN u get x", b"ACL SETUSER u +get +publish +psubscribe",
        b"ACL DRYRUN u get x", b"ACL DRYRUN u publish c x", b"ACL DRYRUN u psubscribe c", b"ACL DRYRUN u config nosuch", b"ACL DRYRUN u config get x",
        b"ACL GENPASS", b"ACL GENPASS 5", b"ACL GENPASS 0", b"ACL GENPASS 4097", b"ACL GENPASS x", b"ACL GENPASS 1 2",
        b"ACL LOG x", b"ACL LOG -1", b"ACL LOG 1 2", b"ACL DELUSER default", b"ACL DELUSER u default", b"ACL DELUSER u v", b"ACL DELUSER u", b"ACL SETUSER", b"ACL GETUSER",
        b"ACL DELUSER", b"ACL DRYRUN a", b"AUTH u x", b"AUTH default x", b"HELLO 3 AUTH u x", b"CONFIG GET acllog-max-len", b"ACL LOG", b"ACL LOG RESET")],
    [(line, 1) for line in (
        b"SAVE x", b"BGSAVE x", b"BGSAVE SCHEDULE x", b"BGREWRITEAOF x", b"SAVE", b"CLUSTER INFO", b"CLUSTER NODES", b"CLUSTER NOSUCH", b"CLUSTER",
        b"CLUSTER KEYSLOT a", b"CLUSTER RESET x y z", b"CLUSTER ADDSLOTS", b"CLUSTER HELP", b"ASKING", b"READONLY", b"READWRITE", b"READONLY x",
        b"SET k hello", b"OBJECT FREQ k", b"OBJECT FREQ nosuch", b"OBJECT IDLETIME k", b"OBJECT IDLETIME nosuch", b"OBJECT IDLETIME", b"OBJECT NOSUCH k",
        b"DEBUG", b"DEBUG NOSUCH", b"DEBUG OBJECT nosuch", b"DEBUG OBJECT k", b"SET k 12", b"DEBUG OBJECT k", b"DEBUG SLEEP x", b"DEBUG SLEEP", b"DEBUG SLEEP 0.001",
        b"DEBUG SET-ACTIVE-EXPIRE 1", b"DEBUG STRINGMATCH-LEN 10 a*", b"DEBUG JMAP", b"DEBUG PROTOCOL string", b"DEBUG PROTOCOL integer",
        b"DEBUG PROTOCOL double", b"DEBUG PROTOCOL null", b"DEBUG PROTOCOL array", b"DEBUG PROTOCOL set", b"DEBUG PROTOCOL map",
        b"DEBUG PROTOCOL verbatim", b"DEBUG PROTOCOL true", b"DEBUG PROTOCOL false", b"DEBUG PROTOCOL x", b"DEBUG ERROR Xy", b"FLUSHALL")],
    # As a user who may do little.
    [(line, 1) for line in (
        b"ACL LOG RESET", b"ACL SETUSER u on >pw ~k* %R~r* %W~w* &ch* -@all +@string +@read +@pubsub +@transaction +acl|whoami -append",
        b"AUTH u no", b"AUTH u pw", b"ACL WHOAMI", b"GET k", b"GET x", b"SET k v", b"SET r v", b"SET w v", b"SET w v GET", b"GETSET w v", b"GETRANGE w 0 1",
        b"STRLEN w", b"STRLEN x", b"EXISTS x k", b"MGET k r x", b"MSET k 1 r 2", b"BITFIELD r GET u8 0", b"BITFIELD r SET u8 0 1", b"COPY r w", b"COPY k x",
        b"APPEND k x", b"CONFIG GET x", b"ACL LIST", b"PING", b"NOSUCH", b"GET", b"LCS r k", b"OBJECT ENCODING x", b"EXPIRE k 100",
        b"PUBLISH chx m", b"PUBLISH x m", b"SPUBLISH x m", b"SUBSCRIBE x", b"PSUBSCRIBE ch*", b"PUNSUBSCRIBE ch*", b"PSUBSCRIBE c*",
        b"PSUBSCRIBE chx", b"UNSUBSCRIBE x", b"MULTI", b"GET x", b"GET k", b"EXEC", b"MULTI", b"GET k", b"EXEC", b"WATCH x", b"WATCH k",
        b"MULTI", b"CONFIG GET x", b"DISCARD", b"RESET", b"ACL WHOAMI", b"ACL LOG", b"ACL LOG 3", b"FLUSHALL", b"ACL DELUSER u", b"ACL LOG RESET")],
]

# Commands of later versions of Redis.
NEWER_COMMANDS = (b"client|setinfo", b"waitaof")
