"""The mapping interface that stores, namespaces, snapshots and transactions share."""
from __future__ import annotations

import ctypes
from ctypes import byref, c_size_t, c_void_p
from typing import Any, Callable, Generic, Iterator, Optional, Tuple, TypeVar, Union

from ._errors import NotFound
from ._handles import Handle
from ._library import IteratorOptions, check, lib
from ._options import Bytes, to_bytes

T = TypeVar("T")
Item = Tuple[bytes, bytes]


def _key(pointer: Any, size: c_size_t) -> bytes:
    address = lib.iterator_key(pointer, byref(size))
    return ctypes.string_at(address, size.value)


def _value(pointer: Any, size: c_size_t) -> bytes:
    address = c_void_p()
    check(lib.iterator_value(pointer, byref(address), byref(size)))
    return ctypes.string_at(address, size.value)


def _item(pointer: Any, size: c_size_t) -> Item:
    return _key(pointer, size), _value(pointer, size)


def _walk(handle: Handle, read: Callable[[Any, c_size_t], T], reverse: bool, _mapping: Reads) -> Iterator[T]:
    """What `read` sees at each key of an iterator, which is freed at the end. Keeps its mapping, and so the store."""
    size = c_size_t()
    seek, move = ((lib.iterator_seek_to_last, lib.iterator_prev) if reverse else
                  (lib.iterator_seek_to_first, lib.iterator_next))
    try:
        is_valid = seek(handle.pointer)
        while is_valid:
            yield read(handle.pointer, size)
            is_valid = move(handle.pointer)
        check(lib.iterator_status(handle.pointer))
    finally:
        handle.close()


def iterator_options(prefix: bytes, start: Optional[bytes], stop: Optional[bytes],
                     snapshot: Optional[Any]) -> IteratorOptions:
    return IteratorOptions(
        struct_size=ctypes.sizeof(IteratorOptions), prefix=prefix, prefix_size=len(prefix), lower=start,
        lower_size=len(start or b""), upper=stop, upper_size=len(stop or b""), snapshot=snapshot)


def _bound(value: Optional[Bytes]) -> Optional[bytes]:
    return None if value is None else to_bytes(value)


class Range(Generic[T]):
    """Keys, values or items of a part of a mapping, in order. Each iteration sees one state, that at its beginning.
    `reversed` goes from the last to the first."""

    def __init__(self, mapping: Reads, read: Callable[[Any, c_size_t], T], prefix: Bytes = b"",
                 start: Optional[Bytes] = None, stop: Optional[Bytes] = None, reverse: bool = False) -> None:
        self._mapping = mapping
        self._read = read
        self._bounds = to_bytes(prefix), _bound(start), _bound(stop)
        self._reverse = reverse

    def _walk(self, reverse: bool) -> Iterator[T]:
        return _walk(self._mapping._open_iterator(*self._bounds), self._read, reverse, self._mapping)

    def __iter__(self) -> Iterator[T]:
        return self._walk(self._reverse)

    def __reversed__(self) -> Iterator[T]:
        return self._walk(not self._reverse)


class Reads:
    """What reads. There is no len(): it would have to count."""

    def _get(self, key: bytes) -> Optional[bytes]:
        raise NotImplementedError

    def _open_iterator(self, prefix: bytes, start: Optional[bytes], stop: Optional[bytes]) -> Handle:
        raise NotImplementedError

    def __getitem__(self, key: Union[Bytes, slice]) -> Any:
        """A value; NotFound, which is a KeyError, when there is none. Of a slice of keys: a Range of items."""
        if isinstance(key, slice):
            if key.step is not None:
                raise TypeError("a slice of keys has no step; reversed(db[a:b]) goes backwards")
            return self.items(start=key.start, stop=key.stop)
        key = to_bytes(key)
        value = self._get(key)
        if value is None:
            raise NotFound(f"key not found: {key!r}")
        return value

    def get(self, key: Bytes, default: Any = None) -> Any:
        value = self._get(to_bytes(key))
        return default if value is None else value

    def __contains__(self, key: object) -> bool:
        return self._get(to_bytes(key)) is not None  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.keys())

    def __reversed__(self) -> Iterator[bytes]:
        return reversed(self.keys())

    def keys(self, prefix: Bytes = b"", start: Optional[Bytes] = None, stop: Optional[Bytes] = None,
             reverse: bool = False) -> Range[bytes]:
        """Keys from `start` on and before `stop` that begin with `prefix`; all that is given counts."""
        return Range(self, _key, prefix, start, stop, reverse)

    def values(self, prefix: Bytes = b"", start: Optional[Bytes] = None, stop: Optional[Bytes] = None,
               reverse: bool = False) -> Range[bytes]:
        return Range(self, _value, prefix, start, stop, reverse)

    def items(self, prefix: Bytes = b"", start: Optional[Bytes] = None, stop: Optional[Bytes] = None,
              reverse: bool = False) -> Range[Item]:
        return Range(self, _item, prefix, start, stop, reverse)
