"""Stripe's protocol: errors, authentication, forms, idempotency keys, lists, expansion, headers."""

import asyncio
import base64
import io
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import stripe

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.app import BODY_BYTES_MAX
from payment_kit.sandbox.form import decode
from tests.sandbox.wire import CARD, ask, control, pay, rows

LIVE_KEY = "sk_live_" + "x" * 24


@pytest.mark.parametrize(
    ("method", "path", "data", "status", "code", "param"),
    [
        ("POST", "/v1/customers", {"nmae": "x"}, 400, "parameter_unknown", "nmae"),
        ("POST", "/v1/customers", {"address[town]": "x"}, 400, "parameter_unknown", "address[town]"),
        ("POST", "/v1/products", {}, 400, "parameter_missing", "name"),
        ("POST", "/v1/products", {"name": ""}, 400, "parameter_invalid_empty", "name"),
        (
            "POST",
            "/v1/payment_intents",
            {"amount": "ten", "currency": "usd"},
            400,
            "parameter_invalid_integer",
            "amount",
        ),
        ("POST", "/v1/payment_intents", {"amount": "1000", "currency": "dollar"}, 400, None, "currency"),
        (
            "POST",
            "/v1/payment_intents",
            {"amount": "1000", "currency": ""},
            400,
            "parameter_invalid_empty",
            "currency",
        ),
        (
            "POST",
            "/v1/payment_intents",
            {"amount": "99", "currency": "usd", "customer": "cus_x"},
            400,
            "resource_missing",
            "customer",
        ),
        ("GET", "/v1/customers/cus_nobody", None, 404, "resource_missing", "id"),
        ("GET", "/v1/payment_intents/pi_nothing", None, 404, "resource_missing", "intent"),
        ("GET", "/v1/charges?starting_after=ch_nothing", None, 400, "resource_missing", "starting_after"),
        ("GET", "/v1/charges?limit=101", None, 400, "parameter_invalid_integer", "limit"),
        ("GET", "/v1/charges?expand[]=data.nonsense", None, 400, None, "expand"),
        ("GET", "/v1/issuing/cards", None, 501, "sandbox_unsupported", None),
        ("POST", "/v1/terminal/readers", {"registration_code": "x"}, 501, "sandbox_unsupported", None),
        ("GET", "/v2/core/accounts", None, 501, "sandbox_unsupported", None),
        ("GET", "/nothing", None, 404, None, None),
        ("GET", "/v1/customers/", None, 404, None, None),
        ("PUT", "/v1/customers", None, 404, None, None),
        ("PATCH", "/v1/customers/cus_x", None, 404, None, None),
    ],
)
async def test_what_cannot_be_done_is_refused_in_stripes_shape(
    sandbox: Sandbox,
    method: str,
    path: str,
    data: dict[str, str] | None,
    status: int,
    code: str | None,
    param: str | None,
) -> None:
    await pay(sandbox)
    answer = await ask(sandbox, method, path, data)
    error = answer.body["error"]
    assert (answer.status, error.get("code"), error.get("param")) == (status, code, param)
    assert error["message"]


@pytest.mark.parametrize("path", ["/v1/balance", "/_sandbox/stats"])
async def test_a_wrong_a_missing_and_a_live_key_are_refused(sandbox: Sandbox, path: str) -> None:
    for authorization, part in [
        ("Bearer sk_test_somebodyelses_key_0001", "sk_test"),
        (f"Bearer {LIVE_KEY}", "live"),
        ("", "did not provide"),
    ]:
        answer = await ask(sandbox, "GET", path, headers={"Authorization": authorization})
        assert answer.status == 401
        assert part in answer.body["error"]["message"]
        assert "somebodyelses" not in answer.body["error"]["message"]


async def test_the_sdk_reports_a_wrong_key_as_an_authentication_error(sandbox: Sandbox) -> None:
    http = stripe.AIOHTTPClient()
    client = stripe.StripeClient("sk_test_wrong", base_addresses={"api": sandbox.url}, http_client=http)
    with pytest.raises(stripe.AuthenticationError):
        await client.v1.balance.retrieve_async()
    await http.close_async()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped


async def test_basic_authentication_as_curl_sends_it_works(sandbox: Sandbox) -> None:
    basic = base64.b64encode(f"{sandbox.api_key}:".encode()).decode()
    answer = await ask(sandbox, "GET", "/v1/account", headers={"Authorization": f"Basic {basic}"})
    assert (answer.status, answer.body["id"]) == (200, sandbox.account_id)


async def test_every_answer_has_an_id_a_version_and_the_virtual_date(sandbox: Sandbox) -> None:
    await control(sandbox, "clock", advance_seconds=12_345)
    answer = await ask(sandbox, "GET", "/v1/balance")
    assert answer.headers["request-id"].startswith("req_")
    assert answer.headers["stripe-version"] == "2026-10-28.endive"
    assert parsedate_to_datetime(answer.headers["date"]).timestamp() == sandbox.now


async def test_an_api_version_that_never_was_is_refused(sandbox: Sandbox) -> None:
    answer = await ask(sandbox, "GET", "/v1/balance", headers={"Stripe-Version": "2025-09-30.acacia"})
    assert (answer.status, answer.body["error"]["message"]) == (400, "Invalid Stripe API version: 2025-09-30.acacia")


async def test_a_body_over_the_bound_and_a_json_body_are_refused(sandbox: Sandbox) -> None:
    large = await ask(sandbox, "POST", "/v1/customers", io.BytesIO(b"x" * (BODY_BYTES_MAX + 1)))
    json = await ask(sandbox, "POST", "/v1/customers", b"{}", headers={"Content-Type": "application/json"})
    assert (large.status, json.status) == (413, 400)


@pytest.mark.parametrize(
    "body",
    [
        b"a[b[c]=1",
        b"\xff\xfe",
        b"a=%ff",
        b"name[x]=1&name=2",
        b"a" * 20 + b"[b]" * 9 + b"=1",
        b"&".join([b"a=1"] * 1001),
    ],
)
async def test_malformed_forms_are_refused_without_a_500(sandbox: Sandbox, body: bytes) -> None:
    assert (await ask(sandbox, "POST", "/v1/customers", body)).status == 400


def test_brackets_nest_and_arrays_count() -> None:
    assert decode("a[b][c]=1&l[]=x&l[]=y&m[0][n]=2") == {
        "a": {"b": {"c": "1"}},
        "l": {"0": "x", "1": "y"},
        "m": {"0": {"n": "2"}},
    }


def test_an_array_of_hashes_without_positions_begins_a_hash_where_a_name_comes_again() -> None:
    assert decode("a[][b]=1&a[][c][d]=2&a[][c][e]=3&a[][b]=4") == {
        "a": {"0": {"b": "1", "c": {"d": "2", "e": "3"}}, "1": {"b": "4"}}
    }


async def test_the_same_key_and_request_replays_the_stored_answer(sandbox: Sandbox) -> None:
    first = await ask(sandbox, "POST", "/v1/customers", {"name": "a"}, key="k")
    again = await ask(sandbox, "POST", "/v1/customers", {"name": "a"}, key="k")
    assert again.raw == first.raw
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["original-request"] == first.headers["request-id"]
    assert len(await rows(sandbox, "customer")) == 1


@pytest.mark.parametrize(("path", "data"), [("/v1/customers", {"name": "b"}), ("/v1/products", {"name": "a"})])
async def test_the_same_key_with_another_request_is_an_idempotency_error(
    sandbox: Sandbox, path: str, data: dict[str, str]
) -> None:
    await ask(sandbox, "POST", "/v1/customers", {"name": "a"}, key="k")
    answer = await ask(sandbox, "POST", path, data, key="k")
    assert (answer.status, answer.body["error"]["type"]) == (400, "idempotency_error")


async def test_a_decline_is_stored_under_its_key(sandbox: Sandbox) -> None:
    data = {"amount": "1000", "currency": "usd", "payment_method": "pm_card_chargeDeclined", "confirm": "true", **CARD}
    first = await ask(sandbox, "POST", "/v1/payment_intents", data, key="k")
    again = await ask(sandbox, "POST", "/v1/payment_intents", data, key="k")
    assert (first.status, again.status, again.raw) == (402, 402, first.raw)
    assert len(await rows(sandbox, "charge")) == 1


async def test_a_failure_of_validation_is_not_stored(sandbox: Sandbox) -> None:
    assert (await ask(sandbox, "POST", "/v1/products", {}, key="k")).status == 400
    assert (await ask(sandbox, "POST", "/v1/products", {"name": "Tea"}, key="k")).status == 200


async def test_a_key_whose_request_is_still_being_sent_is_in_use(sandbox: Sandbox) -> None:
    host, port = sandbox.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/customers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {sandbox.api_key}\r\n"
    writer.write(f"{head}Idempotency-Key: k\r\nContent-Length: 6\r\n\r\nname".encode())
    await writer.drain()
    while (answer := await ask(sandbox, "POST", "/v1/customers", {"name": "b"}, key="k")).status != 409:
        raise AssertionError(answer.body)
    assert answer.body["error"]["code"] == "idempotency_key_in_use"
    writer.write(b"=a")
    assert b"200 OK" in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_lists_page_both_ways_newest_first(stripe_client: stripe.StripeClient) -> None:
    customers = stripe_client.v1.customers
    made = [(await customers.create_async({"name": str(number)})).id for number in range(7)]
    forward = [customer.id async for customer in (await customers.list_async({"limit": 3})).auto_paging_iter()]
    assert forward == made[::-1]
    backward = await customers.list_async({"limit": 3, "ending_before": made[0]})
    assert [customer.id for customer in backward.data] == [made[3], made[2], made[1]]
    assert backward.has_more is True
    everything = [customer.id async for customer in backward.auto_paging_iter()]
    assert everything == made[1:]


async def test_created_bounds_are_honoured(sandbox: Sandbox) -> None:
    times = []
    for _ in range(4):
        times.append((await ask(sandbox, "POST", "/v1/customers", {})).body["created"])
        await control(sandbox, "clock", advance_seconds=100)

    async def found(query: str) -> list[int]:
        return [row["created"] for row in (await ask(sandbox, "GET", f"/v1/customers?{query}")).body["data"]]

    assert await found(f"created[gt]={times[0]}&created[lt]={times[3]}") == [times[2], times[1]]
    assert await found(f"created[gte]={times[2]}") == [times[3], times[2]]
    assert await found(f"created[lte]={times[0]}") == [times[0]]
    assert await found(f"created={times[1]}") == [times[1]]


async def test_filters_choose_by_what_they_name(sandbox: Sandbox) -> None:
    customer = (await ask(sandbox, "POST", "/v1/customers", {"email": "a@example.com"})).body["id"]
    mine, other = (await pay(sandbox, customer=customer))["id"], (await pay(sandbox, 2000, "jpy"))["id"]

    async def ids(path: str, field: str = "id") -> list[Any]:
        return [row[field] for row in (await ask(sandbox, "GET", path)).body["data"]]

    assert await ids("/v1/customers?email=a@example.com") == [customer]
    assert await ids("/v1/customers?email=b@example.com") == []
    assert await ids(f"/v1/payment_intents?customer={customer}") == [mine]
    assert await ids(f"/v1/charges?payment_intent={other}", "payment_intent") == [other]
    assert await ids("/v1/balance_transactions?currency=jpy", "currency") == ["jpy"]
    assert await ids("/v1/balance_transactions?type=refund") == []


async def test_references_expand_four_levels_deep_and_no_further(sandbox: Sandbox) -> None:
    customer = (await ask(sandbox, "POST", "/v1/customers", {"name": "Ada"})).body["id"]
    intent = (await pay(sandbox, customer=customer))["id"]
    path = "/v1/payment_intents?expand[]=data.latest_charge.balance_transaction&expand[]=data.customer"
    (row,) = (await ask(sandbox, "GET", path)).body["data"]
    assert row["latest_charge"]["balance_transaction"]["object"] == "balance_transaction"
    assert row["customer"]["name"] == "Ada"
    deep = "latest_charge.payment_intent.latest_charge.payment_intent"
    assert (await ask(sandbox, "GET", f"/v1/payment_intents/{intent}?expand[]={deep}")).status == 200
    assert (await ask(sandbox, "GET", f"/v1/payment_intents/{intent}?expand[]={deep}.customer")).status == 400


async def test_a_refused_request_leaves_nothing_behind(sandbox: Sandbox) -> None:
    data = {"amount": "1000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
    assert (await ask(sandbox, "POST", "/v1/payment_intents", data)).status == 400
    stats = (await ask(sandbox, "GET", "/_sandbox/stats")).body
    assert set(stats["objects"].values()) == {0}


async def test_the_same_keys_give_the_same_ids_in_any_order() -> None:
    from tests.sandbox import memory

    def made(names: str) -> dict[str, str]:
        sandbox = Sandbox(seed=3)
        return {name: memory.ask(sandbox, "POST", "/v1/customers", {"name": name}, key=name)[1]["id"] for name in names}

    first, second = await asyncio.gather(asyncio.to_thread(made, "abc"), asyncio.to_thread(made, "cab"))
    assert first == second
