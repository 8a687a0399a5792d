"""How many objects both sides have, month by month, and one hash of each month that anybody can compute again.

A bucket's hash is the SHA-256 of its lines ``<id>:<digest>\\n`` in the order of their ids (bytes), where a digest is
that of the object's canonical JSON (`writer.digest`). Tombstones are in no bucket.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.evidence import UNLISTED, UNSHOWN

ROWS_AT_ONCE = 5000
HASH_SECONDS_MAX = 3600


@dataclass(frozen=True, slots=True)
class Side:
    """What one side holds of a bucket; `sha256` is None where not every object was compared field by field."""

    count: int
    sha256: str | None


async def stripe_buckets(connection: psycopg.AsyncConnection[Any], name: str, *, hashed: bool) -> dict[str, Side]:
    """What Stripe showed of a kind."""
    query = """
        select coalesce(bucket, 'all'), id, digest from shown
        where object = %(object)s and not gone
        order by coalesce(bucket, 'all') collate "C", id collate "C"
    """
    return await _sides(connection, query, {"object": name}, hashed=hashed)


async def mirror_buckets(
    connection: psycopg.AsyncConnection[Any], account_id: str, name: str, *, hashed: bool
) -> dict[str, Side]:
    """What the rows of a kind hold, with the digest of what is really in them."""
    created = """
        case when jsonb_typeof(stored.raw->'created') = 'number' and stored.raw->>'created' ~ '^[0-9]{1,11}$'
            then to_char(to_timestamp((stored.raw->>'created')::bigint) at time zone 'UTC', 'YYYY-MM')
            else 'all' end
    """
    bucket = f"case when shown.bucket in ('{UNLISTED}', '{UNSHOWN}') then shown.bucket else {created} end"
    query = f"""
        select {bucket} collate "C" as bucket, stored.id, coalesce(actual.digest, stored.digest)
        from stripe.{CATALOGUE[name].table} as stored
        left join actual on actual.object = %(object)s and actual.id = stored.id
        left join shown on shown.object = %(object)s and shown.id = stored.id
        where stored.account_id = %(account_id)s and stored.deleted_at is null
        order by bucket, stored.id collate "C"
    """
    return await _sides(connection, query, {"object": name, "account_id": account_id}, hashed=hashed)


async def _sides(
    connection: psycopg.AsyncConnection[Any], query: str, given: dict[str, Any], *, hashed: bool
) -> dict[str, Side]:
    found: dict[str, Side] = {}
    async with connection.transaction():
        await connection.execute(f"set local statement_timeout = '{HASH_SECONDS_MAX}s'".encode())
        async with connection.cursor(name="buckets") as cursor:
            await cursor.execute(query.encode(), given)
            bucket, count, sha = "", 0, hashlib.sha256()
            while rows := await cursor.fetchmany(ROWS_AT_ONCE):
                for name, object_id, digest in rows:
                    if name != bucket:
                        _close(found, bucket, count, sha.hexdigest() if hashed else None)
                        bucket, count, sha = name, 0, hashlib.sha256()
                    count += 1
                    sha.update(f"{object_id}:{digest.hex() if digest else ''}\n".encode())
            _close(found, bucket, count, sha.hexdigest() if hashed else None)
    return found


def _close(found: dict[str, Side], bucket: str, count: int, sha256: str | None) -> None:
    if count:
        found[bucket] = Side(count, sha256)


def unequal(stripe: dict[str, Side], mirror: dict[str, Side]) -> Sequence[str]:
    """The buckets in which both sides differ, in order; those Stripe shows in no list any more are not compared."""
    both = {*stripe, *mirror} - {UNSHOWN}
    return sorted(one for one in both if stripe.get(one) != mirror.get(one))
