"""State on disk: one append-only file of JSON lines, one line per finished request.

A line is handed to the kernel in one write before the answer leaves, so a SIGKILL of the process loses nothing that was
answered; a line cut short by it was never answered and is dropped at the next start. There is no fsync: a power failure
may cost the last moments, which a sandbox can bear.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson


class StateInUse(OSError):
    """Another process has this state folder open."""


class Journal:
    """The journal in `folder`, locked for this process; with None nothing is written and nothing survives."""

    def __init__(self, folder: Path | None) -> None:
        self.existed = False
        self._file = self._lock = -1
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / "journal.jsonl"
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise StateInUse(f"another process uses the sandbox state in {folder}") from None
        self.existed = self._path.exists() and self._path.stat().st_size > 0
        self._open()

    def write(self, record: dict[str, Any]) -> None:
        """Append one record."""
        if self._file < 0:
            return
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            _write_all(self._file, orjson.dumps(record) + b"\n")
        except OSError:
            # a full disk takes half a line: the next record must not be written behind it
            os.ftruncate(self._file, end)
            raise

    def replay(self) -> Iterator[dict[str, Any]]:
        """All records, oldest first; a last line without its end is no record."""
        if not self.existed:
            return
        with self._path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    yield orjson.loads(line)

    def compact(self, records: Iterable[dict[str, Any]]) -> None:
        """Replace the journal by `records`; a crash leaves the old or the new file, never a mixture."""
        if self._file < 0:
            return
        fresh = self._path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.writelines(orjson.dumps(record) + b"\n" for record in records)
        os.close(self._file)
        fresh.replace(self._path)
        self._open()

    def close(self) -> None:
        """Give the folder free."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
