"""Older shapes of the API."""

from typing import Any

from payment_kit.sandbox.call import API_VERSION
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.store import Store

NEWEST = API_VERSION
# stripe-python 16.1.0, webhook endpoint creation, from the first version still rendered
VERSIONS = (
    "2020-08-27", "2022-08-01", "2022-11-15", "2023-08-16", "2023-10-16", "2024-04-10", "2024-06-20",
    "2024-09-30.acacia", "2024-10-28.acacia", "2024-11-20.acacia", "2024-12-18.acacia", "2025-01-27.acacia",
    "2025-02-24.acacia", "2025-03-31.basil", "2025-04-30.basil", "2025-05-28.basil", "2025-06-30.basil",
    "2025-07-30.basil", "2025-08-27.basil", "2025-09-30.clover", "2025-10-29.clover", "2025-11-17.clover",
    "2025-12-15.clover", "2026-01-28.clover", "2026-02-25.clover", "2026-03-25.dahlia", "2026-04-22.dahlia",
    "2026-05-27.dahlia", "2026-06-24.dahlia", "2026-07-29.dahlia", "2026-08-26.dahlia", "2026-09-30.endive",
    "2026-10-28.endive",
)  # fmt: skip


def known(version: str) -> str:
    """A version the sandbox renders; raises `ApiError` 400 for another one, as Stripe words it."""
    if version not in VERSIONS:
        raise ApiError(400, f"Invalid Stripe API version: {version[:100]}", stored=False)
    return version


def choose(store: Store, given: dict[str, Any]) -> dict[str, str]:
    """Set the version of an account: what requests without a ``Stripe-Version`` and new events follow."""
    version = given.get("api_version")
    if not isinstance(version, str):
        raise ApiError(400, "Invalid api_version: must be text.", param="api_version", stored=False)
    store.set_meta(api_version=known(version))
    store.commit()
    return {"api_version": version}


def render(value: Any, version: str, store: Store | None = None) -> Any:
    """`value` (an answer or an event in the newest shape) as `version` has it."""
    return value
