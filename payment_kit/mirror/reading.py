"""Reading objects from Stripe whole: with what has to be asked for, and with their lists to the end.

Stripe shows ten objects of a list inside another object (docs.stripe.com/api/expanding_objects); whoever stores those
has lost the eleventh.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from payment_kit.errors import NotFound
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.concurrently import each
from payment_kit.mirror.normalise import read_states
from payment_kit.mirror.order import State
from payment_kit.mirror.stripe_object import Listing, Nested, StripeObject
from payment_kit.stripe_gateway.gateway import API_VERSION, Page, StripeGateway

LISTS_AT_ONCE = 8

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one read brought: objects as Stripe sent them, its order time (before the first request) and its id."""

    payloads: Sequence[Json]
    time: int
    request_id: str

    def states(self, after: str | None = None) -> list[State]:
        """Their canonical states; `after` is the event of the stored state the first is newer than."""
        return read_states(
            self.payloads,
            time=self.time,
            request_id=self.request_id,
            api_version=API_VERSION,
            after=after,
        )


def expanding(entry: StripeObject, prefix: str = "") -> Json:
    """The parameter that makes Stripe show all a read of this object needs; `prefix` is ``data.`` in a list."""
    fields = [*(one.field for one in entry.expanded), *entry.expand]
    return {"expand": [prefix + field for field in fields]} if fields else {}


def address(path: str, object_id: str = "") -> tuple[str, Json]:
    """The path and the parameters of a list that is written ``/v1/things?of={id}``."""
    where, _, query = path.replace("{id}", object_id).partition("?")
    return where, dict(parse_qsl(query))


def parameters(listing: Listing, parent: str = "") -> Json:
    """The parameters of one list, of one parent."""
    return {name: value.replace("{id}", parent) for name, value in dict(listing.params).items()}


async def read_object(
    gateway: StripeGateway, entry: StripeObject, object_id: str, *, account: str | None = None, bulk: bool = False
) -> Reading:
    """One object, whole. Raises the gateway's problems, `NotFound` among them."""
    if entry.at is None:
        return await _put_together(gateway, entry, object_id, account, bulk=bulk)
    reply = await gateway.request("get", f"{entry.path}/{object_id}", expanding(entry), account=account, bulk=bulk)
    await complete(gateway, entry, [reply.body], account=account, bulk=bulk)
    return Reading([reply.body], reply.server_time, reply.request_id)


async def read_list(
    gateway: StripeGateway, listing: Listing, parent: str, *, account: str | None = None, bulk: bool = False
) -> Reading:
    """The list of one parent, to its end."""
    path, params = address(listing.path, parent)
    params |= parameters(listing, parent)
    return _joined([page async for page in gateway.list(path, params, account=account, bulk=bulk)])


async def complete(
    gateway: StripeGateway,
    entry: StripeObject,
    payloads: Sequence[Json],
    *,
    account: str | None = None,
    bulk: bool = False,
) -> None:
    """Fill the lists inside some objects of one kind that Stripe has cut; changes `payloads`."""
    cut = [
        (nested, payload)
        for payload in payloads
        for nested in (*entry.carried, *entry.expanded)
        if isinstance(payload.get(nested.field), Mapping) and payload[nested.field].get("has_more")
    ]

    async def fill(one: tuple[Nested, Json]) -> None:
        nested, payload = one
        try:
            data = (await _list(gateway, nested, payload[entry.id_field], account, bulk=bulk)).payloads
        except NotFound as gone:
            if gone.metadata.get("stripe_code") != "resource_missing":
                raise
            # Deleted since: it stays cut, so its state is partial and a read of it is owed.
            return
        payload[nested.field] = {**payload[nested.field], "data": list(data), "has_more": False}

    await each(fill, cut, LISTS_AT_ONCE)


async def _put_together(
    gateway: StripeGateway, entry: StripeObject, object_id: str, account: str | None, *, bulk: bool
) -> Reading:
    """An object Stripe shows in an event only, from the list it is made of; empty when whoever it is about is gone."""
    if not entry.carried:
        raise ValueError(f"Stripe shows no single {entry.name}")
    nested = entry.carried[0]
    try:
        read = await _list(gateway, nested, object_id, account, bulk=bulk)
    except NotFound as gone:
        read = Reading([], 0, gone.metadata.get("stripe_request_id", "missed"))
    url = address(nested.path)[0]
    lists = {nested.field: {"object": "list", "data": list(read.payloads), "has_more": False, "url": url}}
    payload = {"object": entry.name, entry.id_field: object_id, **lists, "livemode": gateway.livemode}
    return Reading([payload], read.time, read.request_id)


async def _list(gateway: StripeGateway, nested: Nested, object_id: str, account: str | None, *, bulk: bool) -> Reading:
    path, params = address(nested.path, object_id)
    expand = [field.removeprefix(f"{nested.field}.") for field in _deeper(nested)]
    params = params | ({"expand": expand} if expand else {})
    return _joined([page async for page in gateway.list(path, params, account=account, bulk=bulk)])


def _deeper(nested: Nested) -> list[str]:
    """What a read of the parent expands inside this list."""
    return [
        field
        for entry in CATALOGUE.values()
        for field in entry.expand
        if nested in entry.carried and field.startswith(f"{nested.field}.")
    ]


def _joined(pages: Sequence[Page]) -> Reading:
    return Reading([one for page in pages for one in page.data], pages[0].server_time, pages[0].request_id)
