"""What goes into the library: bytes, times, durability and compression."""
from __future__ import annotations

import ctypes
import datetime
import enum
import math
from typing import Optional, Union

from ._library import WriteOptions

Bytes = Union[bytes, bytearray, memoryview]
Seconds = Union[int, float, datetime.timedelta]
Moment = Union[int, float, datetime.datetime]

# More than 30,000 years.
_MAX_SECONDS = 10**12


class Durability(enum.IntEnum):
    """What an acknowledged write survives."""
    PROCESS = 1  # the end of the process, kill -9 included; the default
    SYNC = 2     # loss of power
    NONE = 3     # nothing but an orderly close


class Compression(enum.IntEnum):
    NONE = 1
    LZ4 = 2
    ZSTD = 3
    AUTO = 4


def to_bytes(value: Bytes) -> bytes:
    if type(value) is bytes:  # pylint: disable=unidiomatic-typecheck
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    hint = "; encode it, as in 'text'.encode()" if isinstance(value, str) else ""
    raise TypeError(f"keys and values are bytes, not {type(value).__name__}{hint}")


def to_name(name: Union[str, Bytes]) -> bytes:
    return name.encode() if isinstance(name, str) else to_bytes(name)


def to_millis(seconds: Seconds) -> int:
    if isinstance(seconds, datetime.timedelta):
        seconds = seconds.total_seconds()
    if math.isnan(seconds):
        raise ValueError("a time is a number of seconds, not NaN")
    millis = round(max(-_MAX_SECONDS, min(_MAX_SECONDS, seconds)) * 1000)
    # A time to live that is not over is not 0.
    return 1 if millis == 0 and seconds > 0 else millis


def to_epoch_millis(moment: Moment) -> int:
    if isinstance(moment, datetime.datetime):
        # A moment without a zone is local time, as everywhere in Python.
        moment = moment.timestamp()
    return to_millis(moment)


def write_options(durability: Optional[Durability] = None, ttl: Optional[Seconds] = None,
                  expire_at: Optional[Moment] = None) -> Optional[WriteOptions]:
    if durability is None and ttl is None and expire_at is None:
        return None
    options = WriteOptions(struct_size=ctypes.sizeof(WriteOptions), durability=int(durability or 0))
    # 0 says "none given" in C: what is over already is that with a number of its own.
    if ttl is not None:
        options.ttl_ms = to_millis(ttl) or -1
    if expire_at is not None:
        options.expire_at_ms = to_epoch_millis(expire_at) or 1
    return options


def after_prefix(prefix: bytes) -> Optional[bytes]:
    """The smallest key greater than all keys with `prefix`; None: there is none."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else None
