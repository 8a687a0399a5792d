"""The account as a whole: its clock, its keys and faults; reset, snapshots, worlds."""

from typing import Any

from payment_kit.sandbox import clock, ids, keys, requests, signing, versions
from payment_kit.sandbox.billing import standing
from payment_kit.sandbox.controls.desk import Desk, Operation, invalid, number, only, text, truth, whole
from payment_kit.sandbox.faults import Faults
from payment_kit.sandbox.kinds import KINDS
from payment_kit.sandbox.pace import SPEED_MAX
from payment_kit.sandbox.world import fresh_meta

NOW_MAX = 4_102_444_800  # 2100-01-01


def move_clock(desk: Desk) -> dict[str, Any]:
    """POST clock"""
    only(desk.given, "advance_to", "advance_seconds", "speed")
    world, given = desk.world, desk.given
    if ("advance_to" in given) + ("advance_seconds" in given) + ("speed" in given) != 1:
        raise invalid("advance_to", "send one of advance_to, advance_seconds and speed")
    if "speed" in given:
        world.pace.run_at(number(given, "speed", 0, SPEED_MAX, default=0))
    else:
        name = "advance_to" if "advance_to" in given else "advance_seconds"
        to = given[name]
        if isinstance(to, bool) or not isinstance(to, int):
            raise invalid(name, "must be whole seconds")
        now = world.store.now
        to += 0 if name == "advance_to" else now
        if not now <= to <= now + clock.STEP_SECONDS_MAX:
            raise invalid(name, f"must not be before now ({now}) nor more than 31 days after it")
        world.delivery.add(clock.advance(world.store, to))
    return read_clock(desk)


def read_clock(desk: Desk) -> dict[str, Any]:
    """GET clock"""
    return {"now": desk.world.store.now, "speed": desk.world.pace.speed}


def stats(desk: Desk) -> dict[str, Any]:
    """GET stats"""
    world, store = desk.world, desk.store
    delivery = world.delivery
    return {
        "account": store.meta.get("account") or ids.account(store.meta["account_seed"]),
        "delivery": {**delivery.counts, "retrying": delivery.parked, "waiting": delivery.waiting},
        "faults": world.faults.counts,
        "now": store.now,
        "objects": {kind: sum("deleted" not in row for row in store.rows(kind)) for kind in KINDS},
        "seed": store.meta["seed"],
        "webhook_secret": signing.collector_secret(world.store),
    }


def reset(desk: Desk) -> dict[str, int]:
    """POST reset"""
    only(desk.given, "seed", "now")
    meta = desk.world.store.meta
    seed = whole(desk.given, "seed", 0, 2**63 - 1, meta["seed"])
    now = whole(desk.given, "now", 0, NOW_MAX, meta["start"])
    desk.world.pace.run_at(0)
    desk.world.reset(fresh_meta(seed, now, meta["account_seed"]))
    return {"now": now, "seed": seed}


def take_snapshot(desk: Desk) -> dict[str, Any]:
    """POST snapshots"""
    only(desk.given, "name", "file")
    file = truth(desk.given, "file", default=False)
    return desk.world.snapshots.take(desk.world.store, text(desk.given, "name", "default"), file=file)


def restore_snapshot(desk: Desk) -> dict[str, Any]:
    """POST snapshots/{name}/restore"""
    only(desk.given)
    world = desk.world
    told = world.snapshots.restore(world.store, desk.path[0])
    world.pace.run_at(0)
    world.delivery.reset()
    world.faults.release()
    world.faults = Faults(world.store)
    world.seen.clear()
    return {**told, "now": world.store.now}


async def close_world(desk: Desk) -> dict[str, str]:
    """POST worlds/close"""
    await desk.worlds.close_world(desk.world)
    return {"closed": desk.world.account_id}


def dunning(desk: Desk) -> dict[str, str]:
    """POST dunning"""
    only(desk.given, "outcome")
    outcome = text(desk.given, "outcome")
    if outcome not in standing.OUTCOMES:
        raise invalid("outcome", f"must be one of {', '.join(standing.OUTCOMES)}")
    desk.store.set_meta(dunning_outcome=outcome)
    desk.store.commit()
    return {"outcome": outcome}


OPERATIONS = (
    Operation(
        "POST",
        "dunning",
        dunning,
        '`{"outcome": "cancel"}`, or `unpaid` or `past_due`: the account\'s setting',
        "the same: what becomes of a subscription when the last retry of its invoice has failed",
    ),
    Operation(
        "POST",
        "clock",
        move_clock,
        '`{"advance_to": unix}`, `{"advance_seconds": n}` (at most 31 days), or `{"speed": n}`: sandbox seconds that '
        "pass in a second of the machine's clock, 0 stands still",
        '`{"now", "speed"}`; what fell due has happened',
    ),
    Operation("GET", "clock", read_clock, "", '`{"now", "speed"}`'),
    Operation("POST", "reset", reset, '`{"seed", "now"}`', '`{"now", "seed"}`; all is empty, account and key stay'),
    Operation(
        "POST",
        "snapshots",
        take_snapshot,
        '`{"name", "file"}`; with `"file": true` it is also written to the state folder',
        '`{"name", "bytes", "file"}`',
    ),
    Operation("GET", "snapshots", lambda desk: desk.world.snapshots.listed(), "", "the snapshots"),
    Operation(
        "POST",
        "snapshots/*/restore",
        restore_snapshot,
        "",
        "the snapshot; everything is as it was: objects, clock, idempotency keys, endpoints, fault plans, what is owed",
    ),
    Operation(
        "POST",
        "snapshots/*/delete",
        lambda desk: desk.world.snapshots.delete(desk.path[0]),
        "",
        '`{"name", "deleted"}`',
    ),
    Operation(
        "GET",
        "stats",
        stats,
        "",
        '`{"account", "delivery", "faults", "now", "objects", "seed", "webhook_secret"}`',
    ),
    Operation(
        "GET",
        "requests",
        lambda desk: requests.asked(desk.world.seen, {name: [value] for name, value in desk.query.items()}),
        "`?limit=&method=&path=&status=&request_id=&key=&account=`",
        "the last requests, newest first, secrets redacted",
    ),
    Operation(
        "POST",
        "faults",
        lambda desk: desk.world.faults.configure(dict(desk.given)),
        "shares of the requests that fail (1: all of them, until another plan is set), `next`: the faults of the "
        "coming requests; `path` and `methods` narrow it. As Stripe limits a sandbox account: "
        '`{"per_second": 25, "per_endpoint": 25}`; a live one has 100 and 25',
        "the whole plan",
    ),
    Operation(
        "POST",
        "version",
        lambda desk: versions.choose(desk.world.store, dict(desk.given)),
        '`{"api_version"}`',
        "the same: what requests without `Stripe-Version` and new events follow",
    ),
    Operation(
        "POST",
        "keys",
        lambda desk: keys.make(desk.world, desk.given),
        '`{"permissions", "expires_at", "name"}`',
        "a restricted key; the only answer that holds its text",
    ),
    Operation("POST", "keys/*/revoke", lambda desk: keys.revoke(desk.world, desk.path[0]), "", "the key"),
    Operation("GET", "keys", lambda desk: keys.listed(desk.world), "", "the restricted keys"),
    Operation(
        "POST", "worlds/close", close_world, "", '`{"closed"}`: the world of the key is gone, with its state folder'
    ),
)
