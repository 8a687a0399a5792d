"""Worlds: each secret key its own account, side by side in one process, bounded, kept in its own folder."""

import asyncio
from pathlib import Path

import pytest

from payment_kit.sandbox import Sandbox, world
from tests.sandbox.protocol.visitor import ask, control

ONE, TWO = "sk_test_sandbox_one", "sk_test_sandbox_two"


def test_two_keys_see_nothing_of_each_other() -> None:
    sandbox = Sandbox()
    made = ask(sandbox, "POST", "/v1/customers", {"name": "Ada"}, ONE, idempotency_key="k")
    assert made.status == 200
    assert [len(ask(sandbox, "GET", "/v1/customers", key=key).body["data"]) for key in (ONE, TWO, None)] == [1, 0, 0]
    other = ask(sandbox, "POST", "/v1/customers", {"name": "Bob"}, TWO, idempotency_key="k")
    assert (other.status, other.body["name"]) == (200, "Bob")
    control(sandbox, "clock", {"advance_seconds": 100}, ONE)
    assert control(sandbox, "stats", key=ONE)["now"] == control(sandbox, "stats", key=TWO)["now"] + 100
    accounts = {ask(sandbox, "GET", "/v1/account", key=key).body["id"] for key in (ONE, TWO, None)}
    assert len(accounts) == 3


def test_a_world_follows_from_its_name_alone() -> None:
    ids = []
    for keys in ([ONE, TWO], [TWO, ONE]):
        sandbox = Sandbox(seed=4)
        ids.append({key: ask(sandbox, "POST", "/v1/customers", {}, key).body["id"] for key in keys})
    assert ids[0] == ids[1]


def test_any_test_key_is_a_world_with_isolation_on_and_refused_without() -> None:
    assert ask(Sandbox(), "GET", "/v1/balance", key="sk_test_mine").status == 401
    isolated = Sandbox(isolated=True)
    assert ask(isolated, "POST", "/v1/customers", {}, "sk_test_mine").status == 200
    assert ask(isolated, "GET", "/v1/customers", key=isolated.api_key).body["data"] == []
    assert ask(isolated, "GET", "/v1/balance", key="sk_live_mine").status == 401


def test_the_number_of_worlds_is_bounded_and_none_is_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "WORLDS_MAX", 2)
    sandbox = Sandbox()
    for key in (ONE, TWO):
        ask(sandbox, "POST", "/v1/customers", {}, key)
    refused = ask(sandbox, "GET", "/v1/balance", key="sk_test_sandbox_three")
    assert (refused.status, refused.body["error"]["code"]) == (429, "sandbox_worlds")
    assert len(ask(sandbox, "GET", "/v1/customers", key=ONE).body["data"]) == 1
    control(sandbox, "worlds/close", {}, TWO)
    assert ask(sandbox, "GET", "/v1/balance", key="sk_test_sandbox_three").status == 200


def test_a_world_is_kept_in_a_folder_of_its_own_until_it_is_closed(tmp_path: Path) -> None:
    first = Sandbox(state_dir=tmp_path)
    ask(first, "POST", "/v1/customers", {"name": "default"})
    ask(first, "POST", "/v1/customers", {"name": "one"}, ONE)
    first.close()
    second = Sandbox(state_dir=tmp_path)
    names = [ask(second, "GET", "/v1/customers", key=key).body["data"][0]["name"] for key in (None, ONE)]
    assert names == ["default", "one"]
    control(second, "worlds/close", {}, ONE)
    assert ask(second, "GET", "/v1/customers", key=ONE).body["data"] == []
    second.close()


def test_the_default_account_cannot_be_closed() -> None:
    assert ask(Sandbox(), "POST", "/_sandbox/worlds/close", b"{}").status == 400


def test_the_last_requests_can_be_read_without_their_secrets() -> None:
    sandbox = Sandbox()
    ask(sandbox, "POST", "/v1/customers", {"name": "Ada", "metadata[api]": "sk_test_abc123"}, ONE)
    ask(sandbox, "GET", "/v1/payment_intents/pi_x", {"client_secret": "pi_x_secret_y", "card[cvc]": "123"}, ONE)
    newest, oldest = control(sandbox, "requests", key=ONE)
    assert (oldest["method"], oldest["path"], oldest["status"], oldest["key"]) == ("POST", "/v1/customers", 200, "sk")
    assert oldest["params"] == {"name": "Ada", "metadata": {"api": "[redacted]"}}
    assert newest["params"] == {"client_secret": "[redacted]", "card": {"cvc": "[redacted]"}}
    (found,) = ask(sandbox, "GET", "/_sandbox/requests", {"status": "200"}, ONE).body
    assert found["path"] == "/v1/customers"
    assert control(sandbox, "requests") == []


async def test_a_key_opens_its_world_anew_while_the_old_one_is_being_closed(tmp_path: Path) -> None:
    sandbox = Sandbox(state_dir=tmp_path)
    await sandbox.worlds.start()
    old = (await sandbox.worlds.key(f"Bearer {ONE}")).world
    _, fresh = await asyncio.gather(sandbox.worlds.close_world(old), sandbox.worlds.key(f"Bearer {ONE}"))
    fresh.world.store.set_meta(api_version="2024-06-20")
    fresh.world.store.commit()
    await sandbox.worlds.stop()
    sandbox.close()
    again = Sandbox(state_dir=tmp_path)
    assert (await again.worlds.key(f"Bearer {ONE}")).world.store.meta["api_version"] == "2024-06-20"
    again.close()
