"""Handles of the library, and who frees them when."""
from __future__ import annotations

import itertools
from ctypes import byref, c_void_p
from typing import Any, Callable, Optional

from ._errors import Closed
from ._library import check


class Owner:
    """What must be freed before something else is. Knows the pointers and not the objects: whatever the order in
    which the garbage collector takes these, nothing is freed twice or too late."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self.open: dict[int, tuple[Any, Callable[[Any], None]]] = {}

    def adopt(self, pointer: Any, free: Callable[[Any], None], what: str) -> Handle:
        return Handle(pointer, free, what, self)

    def add(self, pointer: Any, free: Callable[[Any], None]) -> int:
        number = next(self._numbers)
        self.open[number] = (pointer, free)
        return number

    def close_all(self) -> None:
        while self.open:
            try:
                _, (pointer, free) = self.open.popitem()
            except KeyError:  # another thread took the last one
                return
            free(pointer)


class Handle:
    """A pointer that is freed by close(), by its owner's end, or when nobody refers to it any more."""
    __slots__ = ("_pointer", "_what", "_owner", "_number")

    def __init__(self, pointer: Any, free: Callable[[Any], None], what: str,
                 owner: Optional[Owner] = None) -> None:
        self._pointer = pointer
        self._what = what
        self._owner = owner or Owner()
        self._number = self._owner.add(pointer, free)

    @property
    def is_open(self) -> bool:
        return self._number in self._owner.open

    @property
    def pointer(self) -> Any:
        if self._number not in self._owner.open:
            raise Closed(f"the {self._what} is closed")
        return self._pointer

    def close(self) -> None:
        entry = self._owner.open.pop(self._number, None)
        if entry is not None:
            entry[1](entry[0])

    def __del__(self) -> None:
        self.close()


def new_pointer(function: Callable[..., int], *arguments: Any) -> Any:
    """What a function gives through its last argument."""
    pointer = c_void_p()
    check(function(*arguments, byref(pointer)))
    return pointer.value
