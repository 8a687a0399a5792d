"""Callers and what proves who they are, as the tables keep them. For one account; nothing here is on a call's path."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from payment_kit.access.keys import new_key, read_key
from payment_kit.database.queries import sql
from payment_kit.errors import NotFound, Refused
from payment_kit.v1 import options_pb2

KEYS_MAX = 2
"""Valid keys of one caller: the one in use and, while it is replaced, the next one."""
ROLES: Mapping[str, int] = {
    name.removeprefix("ROLE_").lower(): number for name, number in options_pb2.Role.items() if number
}
"""The contract's roles by the words people use."""
NAMES: Mapping[int, str] = {number: name for name, number in ROLES.items()}
Amounts = Mapping[str, Mapping[str, int]]
"""The largest amount in minor units by role and currency: ``{"refunds": {"usd": 50000}}``."""
Connection = psycopg.AsyncConnection[Any]

_LOCK = sql("access.lock")
_SAVE = sql("access.save_caller")
_VALID = sql("access.valid_keys")
_ADD = sql("access.add_key")
_REVOKE = sql("access.revoke")
_ALLOW = sql("access.allow_certificate")
_LIST = sql("access.list")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `calls_per_second` None: as often as he likes; a role that is not in `max_amounts` has no bound."""

    name: str
    roles: frozenset[str]
    calls_per_second: float | None = None
    max_amounts: Amounts = field(default_factory=dict)

    def may(self, role: int) -> bool:
        """Whether a method of that role of the contract is open to him; one without a role is to nobody."""
        if role == options_pb2.ROLE_UNSPECIFIED:
            return False
        if "admin" in self.roles or NAMES.get(role, "") in self.roles:
            return True
        return role == options_pb2.ROLE_READER and bool(self.roles - {"events"})


ANYONE = Caller("anonymous", frozenset({"admin"}))
"""Who calls a service that asks nobody who he is."""


class Wanted(NamedTuple):
    """What a caller is to be; None leaves what he has."""

    roles: list[str] | None = None
    calls_per_second: float | None = None
    max_amounts: Amounts | None = None
    expires: datetime | None = None


async def save(connection: Connection, account: str, name: str, wanted: Wanted) -> None:
    """Make a caller, or change the one there is."""
    amounts = None if wanted.max_amounts is None else Jsonb(wanted.max_amounts)
    given: dict[str, Any] = {
        "account_id": account,
        "name": name,
        "roles": wanted.roles,
        "caller_expires": wanted.expires,
    }
    given |= {"calls_per_second": wanted.calls_per_second, "max_amounts": amounts}
    await connection.execute(_SAVE, given)


async def add_key(
    connection: Connection, account: str, name: str, *, livemode: bool, expires: datetime | None = None
) -> str:
    """A new key of a caller, which is shown to whoever makes it and to nobody after.

    Raises `Refused` KEYS_TOO_MANY when the caller has two valid ones, and `NotFound` CALLER_UNKNOWN.
    """
    async with connection.transaction():
        await _lock(connection, account, name)
        cursor = await connection.execute(_VALID, {"account_id": account, "name": name})
        valid = [row[0] for row in await cursor.fetchall()]
        if len(valid) >= KEYS_MAX:
            raise Refused(
                "KEYS_TOO_MANY",
                f"{name} has {len(valid)} valid keys: {', '.join(valid)}.",
                next_step=f"Revoke the one nobody uses any more: payment-kit keys revoke {valid[0]}",
            )
        text = new_key(livemode=livemode)
        key = read_key(text)
        assert key is not None
        given = {"id": key.id, "secret_hash": key.digest, "expires": expires}
        await connection.execute(_ADD, {"account_id": account, "name": name, **given})
    return text


async def revoke(connection: Connection, account: str, id_: str) -> str:
    """Refuse a key from now on; returns whose it was. Raises `NotFound` KEY_UNKNOWN."""
    cursor = await connection.execute(_REVOKE, {"account_id": account, "id": id_})
    row = await cursor.fetchone()
    if row is None:
        raise NotFound("KEY_UNKNOWN", f"There is no key {id_} in {account}.")
    name: str = row[0]
    return name


async def allow_certificate(connection: Connection, account: str, name: str, identity: str) -> None:
    """A client certificate with this identity stands for a caller. Raises `NotFound` CALLER_UNKNOWN."""
    async with connection.transaction():
        await _lock(connection, account, name)
        await connection.execute(_ALLOW, {"account_id": account, "name": name, "identity": identity})


async def listing(connection: Connection, account: str) -> list[dict[str, Any]]:
    """Every caller with each of his keys and certificates, without any secret."""
    cursor = await connection.execute(_LIST, {"account_id": account})
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]


async def _lock(connection: Connection, account: str, name: str) -> None:
    cursor = await connection.execute(_LOCK, {"account_id": account, "name": name})
    if await cursor.fetchone() is None:
        raise NotFound("CALLER_UNKNOWN", f"There is no caller {name} in {account}.")
