"""Backups, restore and checkpoints."""
from __future__ import annotations

import ctypes
import os
from ctypes import byref, c_char_p, c_uint64
from typing import Any, BinaryIO, Optional, Union

from ._library import BackupOptions, BackupReader, BackupWriter, check, lib

Path = Union[str, bytes, "os.PathLike[Any]"]

# What a callback says to the library when it has raised; no code of it.
_RAISED = -1_000_000


def encode_path(path: Path) -> bytes:
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise ValueError("a path has no zeros in it")
    return encoded


def _is_path(target: Any) -> bool:
    return isinstance(target, (str, bytes, os.PathLike))


def backup(store: Any, target: Union[Path, BinaryIO], since: Optional[Path], bytes_per_second: int) -> int:
    options = BackupOptions(struct_size=ctypes.sizeof(BackupOptions),
                            since=None if since is None else encode_path(since),
                            bytes_per_second=bytes_per_second)
    sequence = c_uint64()
    if _is_path(target):
        check(lib.backup(store, encode_path(target), byref(options), byref(sequence)))  # type: ignore[arg-type]
        return sequence.value
    errors: list[BaseException] = []

    def write(_: Any, data: Any, size: int) -> int:
        try:
            rest = memoryview(ctypes.string_at(data, size))
            while rest:
                # Raw files may take less; None is what they say when they would have to wait.
                taken = target.write(rest)  # type: ignore[union-attr]
                if not taken:
                    raise BlockingIOError("the file takes no more, and does not wait")
                rest = rest[taken:]
            return 0
        except BaseException as error:  # pylint: disable=broad-except
            errors.append(error)
            return _RAISED

    code = lib.backup_stream(store, BackupWriter(write), None, byref(options), byref(sequence))
    if errors:
        raise errors[0]
    check(code)
    return sequence.value


def restore(directory: Path, *backups: Union[Path, BinaryIO]) -> None:
    """Makes the store in `directory`, which must be missing or empty, from a full backup and the increments that
    follow it, in their order; or from one file object with a full backup. Corruption when one is damaged or cut
    off: then there is no store in `directory`."""
    if not backups:
        raise TypeError("restore needs a backup")
    to = encode_path(directory)
    if all(_is_path(source) for source in backups):
        paths = [encode_path(source) for source in backups]  # type: ignore[arg-type]
        check(lib.restore((c_char_p * len(paths))(*paths), len(paths), to))
        return
    if len(backups) != 1:
        raise TypeError("increments are restored from files that have names")
    source: Any = backups[0]
    errors: list[BaseException] = []

    def read(_: Any, buffer: Any, size: int) -> int:
        try:
            data = source.read(size)
            if data is None:
                raise BlockingIOError("the file has nothing at present, and does not wait")
            ctypes.memmove(buffer, data, len(data))
            return len(data)
        except BaseException as error:  # pylint: disable=broad-except
            errors.append(error)
            return _RAISED

    code = lib.restore_stream(BackupReader(read), None, to)
    if errors:
        raise errors[0]
    check(code)


def verify_backup(path: Path) -> int:
    """Reads and checks every byte of a backup. Returns the sequence number up to which it has the changes;
    Corruption when it cannot be used."""
    sequence = c_uint64()
    check(lib.verify_backup(encode_path(path), byref(sequence)))
    return sequence.value
