"""Byte strings that are requests, nearly requests, and no requests at all: inline commands with quotes and escapes, arrays with
lengths that are wrong, and requests with bytes changed, inserted and left out."""
import socket
import time

from redis_pair import encode

LINES = [
    b"PING", b"  PING  ", b"ping\r", b"", b"\r", b" ", b"ECHO hi", b"ECHO \"hi there\"", b"ECHO 'it''s'", b"ECHO 'it\\'s'", b"ECHO \"\\x41\\n\\t\\\"\"",
    b"ECHO \"\\x4\"", b"ECHO \"\\q\"", b"ECHO \"", b"ECHO '", b"ECHO \"a\"b", b"ECHO 'a'b", b"ECHO a\"b\"", b"ECHO \"a\" \"b\"", b"ECHO a b", b"NOSUCH a b",
    b"SET k v", b"GET k", b"GET", b"STRLEN k", b"APPEND k \x80\xff", b"INCR n", b"ECHO \x00hidden", b"ECHO a\tb", b"ECHO \x0b\x0c", b"+OK", b"$3", b":1", b"-1",
]
ARRAYS = [
    b"*1\r\n$4\r\nPING\r\n", b"*0\r\n", b"*-1\r\n", b"*-10\r\n", b"*x\r\n", b"*\r\n", b"* 1\r\n", b"*1 \r\n", b"*01\r\n", b"*+1\r\n", b"*1048577\r\n",
    b"*2147483648\r\n", b"*99999999999999999999\r\n", b"*9223372036854775808\r\n", b"*1\n$4\nPING\n", b"*1\r\n$-1\r\n", b"*1\r\n$0\r\n\r\n", b"*1\r\n$x\r\n", b"*1\r\n$\r\n",
    b"*1\r\n4\r\nPING\r\n", b"*1\r\n\x00\r\n", b"*1\r\n\r\n", b"*1\r\n$4\r\nPINGxx", b"*1\r\n$3\r\nPING\r\n", b"*1\r\n$5\r\nPING\r\n", b"*1\r\n$1048577\r\n", b"*1\r\n$2147483648\r\n",
    b"*1\r\n$99999999999999999999\r\n", b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", b"*2\r\n$4\r\nECHO\r\n*1\r\n$2\r\nhi\r\n", b"*1\r\n*1\r\n$4\r\nPING\r\n", b"*1\rx$4\r\nPING\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n",
]
REQUESTS = [[b"PING"], [b"ECHO", b"hi"], [b"SET", b"k", b"v"], [b"GET", b"k"], [b"INCR", b"n"], [b"APPEND", b"k", b"x" * 40], [b"MGET", b"k", b"n", b"k"],
            [b"MULTI"], [b"EXEC"], [b"GET"], [b"NOSUCH", b"x"], [b"STRLEN", b"k"]]
BYTES = [b"\r", b"\n", b"\r\n", b"$", b"*", b"-", b"0", b"1", b"9", b" ", b"\"", b"'", b"\\", b"\x00", b"\xff", b"a", b"+"]


def mutated(rng, data):
    data = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(data))
        what = rng.random()
        if what < 0.4:
            data[at:at] = rng.choice(BYTES)
        elif what < 0.7:
            data[at:at + 1] = rng.choice(BYTES)
        else:
            del data[at:at + rng.randint(1, 3)]
    return bytes(data)


def one(rng):
    kind = rng.random()
    if kind < 0.3:
        return rng.choice(LINES) + rng.choice((b"\n", b"\r\n"))
    if kind < 0.5:
        return rng.choice(ARRAYS)
    whole = encode(rng.choice(REQUESTS)) if rng.random() < 0.7 else rng.choice(LINES) + b"\r\n"
    return whole if kind < 0.75 else mutated(rng, whole)


def make(rng):
    """Pieces in which they are sent."""
    data = b"".join(one(rng) for _ in range(rng.randint(1, 8)))
    if rng.random() < 0.75 or len(data) < 2:
        return [data]
    at = rng.randint(1, len(data) - 1)
    return [data[:at], data[at:]]


def exchange(connection, pieces):
    """What is answered until the end of the connection."""
    received = b""
    try:
        for i, piece in enumerate(pieces):
            if i > 0:
                time.sleep(0.002)
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # closed for what came before
    try:
        while True:
            chunk = connection.recv(1 << 16)
            if not chunk:
                return received
            received += chunk
    except ConnectionResetError:
        return received
