"""Codes of the library as exceptions."""
from __future__ import annotations


class Error(Exception):
    """What all errors of a store are. `code` is that of varve/c.h; 0: the binding's own."""
    code = 0

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    # KeyError, which NotFound also is, would show the repr.
    def __str__(self) -> str:
        return self.message


class NotFound(Error, KeyError):
    """The key is absent, or the store or namespace is."""
    code = 1


class Corruption(Error):
    """Stored bytes fail their checksum or make no sense."""
    code = 2


class IoError(Error):
    """The operating system refused; a full disk is one of these."""
    code = 3


class InvalidArgument(Error, ValueError):
    """Something outside of the documented limits."""
    code = 4


class NotSupported(Error):
    """A store of a newer version, or a feature that this library lacks."""
    code = 5


class Busy(Error):
    """Another process has the store open."""
    code = 6


class Conflict(Error):
    """A conditional write or a transaction met another writer."""
    code = 7


class Aborted(Error):
    """The store is closing, or the operation was cancelled."""
    code = 8


class TimedOut(Error, TimeoutError):
    code = 9


class Unavailable(Error):
    """Trying again may work."""
    code = 10


class OutOfMemory(Error, MemoryError):
    code = 100


class InternalError(Error):
    """A mistake in varve."""
    code = 101


class Closed(Error, ValueError):
    """The store, snapshot or transaction has been closed."""


class LibraryNotFound(ImportError):
    """There is no libvarve.so, or it cannot be loaded."""


_BY_CODE = {error.code: error for error in (
    NotFound, Corruption, IoError, InvalidArgument, NotSupported, Busy, Conflict, Aborted, TimedOut,
    Unavailable, OutOfMemory, InternalError)}


def error_of(code: int, message: str) -> Error:
    """The exception for a code, one of a newer library included."""
    error = _BY_CODE.get(code, Error)(message)
    error.code = code
    return error

# Where users find them, also in tracebacks.
for _error in (Error, Closed, LibraryNotFound, *_BY_CODE.values()):
    _error.__module__ = "varve"
