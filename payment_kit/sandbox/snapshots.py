"""Named copies of a world to come back to: objects, clock, idempotency keys, endpoints, what is owed to them.

A snapshot is what the journal of that moment would say, so the same bytes serve memory and file. It belongs to the
account it was taken of, because ids, keys and secrets in it do.
"""

import os
import re
from pathlib import Path
from typing import Any

import orjson

from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.store import Store

SNAPSHOTS_MAX = 32
BYTES_MAX = 512 * 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Snapshots:
    """The snapshots of one world. With a state folder they can also be files in it, which outlive the process."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else folder / "snapshots"
        self._kept: dict[str, bytes] = {}

    def take(self, store: Store, name: str, *, file: bool = False) -> dict[str, Any]:
        """Keep the state under a name, in the place of a former one; raises `ApiError` when there are too many."""
        if not _NAME.fullmatch(name):
            raise _invalid("name", "takes up to 64 letters, digits, '_', '-' and '.'")
        data = b"".join(orjson.dumps(record) + b"\n" for record in store.snapshot())
        others = [kept for other, kept in self._kept.items() if other != name]
        if len(others) >= SNAPSHOTS_MAX or sum(map(len, others)) + len(data) > BYTES_MAX:
            raise _invalid("name", f"there may be {SNAPSHOTS_MAX} snapshots of together {BYTES_MAX} bytes; delete some")
        if file:
            _write(self._path(name), data)
        self._kept[name] = data
        return self._told(name, data)

    def restore(self, store: Store, name: str) -> dict[str, Any]:
        """Make the store what it was; raises `ApiError` for an unknown name or another account's snapshot."""
        data = self._kept.get(name)
        if data is None and _NAME.fullmatch(name) and self._folder is not None and self._path(name).exists():
            data = self._path(name).read_bytes()
        if data is None:
            there = ", ".join(one["name"] for one in self.listed()) or "none"
            raise ApiError(404, f"There is no snapshot {name}; there are: {there}.", param="name", stored=False)
        records = [orjson.loads(line) for line in data.splitlines()]
        if records[0]["meta"]["account_seed"] != store.meta["account_seed"]:
            raise _invalid("name", "this snapshot was taken of another account")
        store.restore(records)
        return self._told(name, data)

    def delete(self, name: str) -> dict[str, Any]:
        """Forget a snapshot and its file."""
        if name not in {one["name"] for one in self.listed()}:
            raise ApiError(404, f"There is no snapshot {name}.", param="name", stored=False)
        self._kept.pop(name, None)
        if self._folder is not None:
            self._path(name).unlink(missing_ok=True)
        return {"name": name, "deleted": True}

    def listed(self) -> list[dict[str, Any]]:
        """``{"name", "bytes", "file"}`` of each, by name."""
        names = set(self._kept)
        if self._folder is not None and self._folder.is_dir():
            names |= {path.stem for path in self._folder.glob("*.jsonl")}
        return [self._told(name, self._kept.get(name)) for name in sorted(names)]

    def _told(self, name: str, data: bytes | None) -> dict[str, Any]:
        on_disk = self._folder is not None and self._path(name).exists()
        size = self._path(name).stat().st_size if data is None else len(data)
        return {"name": name, "bytes": size, "file": on_disk}

    def _path(self, name: str) -> Path:
        if self._folder is None:
            raise _invalid("file", "this sandbox keeps nothing on disk; start it with a state folder")
        return self._folder / f"{name}.jsonl"


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    fresh.replace(path)


def _invalid(param: str, message: str) -> ApiError:
    return ApiError(400, f"Invalid {param}: {message}.", param=param, stored=False)
