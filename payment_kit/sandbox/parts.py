"""Hashes that several objects share: metadata, addresses, shipping."""

from typing import Any

from payment_kit.sandbox.store import Row

_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


def merged(row: Row, params: dict[str, Any]) -> dict[str, str]:
    """The metadata after `params`: keys are added, an empty value removes its key, None clears all."""
    if "metadata" not in params:
        return dict(row.get("metadata") or {})
    new = params["metadata"]
    return {} if new is None else {k: v for k, v in {**(row.get("metadata") or {}), **new}.items() if v != ""}


def address(value: dict[str, Any] | None) -> Row | None:
    """An address with all of its fields."""
    return None if value is None else {field: value.get(field) for field in _ADDRESS}


def shipping(value: dict[str, Any] | None) -> Row | None:
    """A shipping hash with a whole address."""
    if value is None:
        return None
    return {"name": value.get("name"), "phone": value.get("phone"), "address": address(value.get("address") or {})}
