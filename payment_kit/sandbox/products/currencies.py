"""Hashes with one entry per currency, as `currency_options` are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from payment_kit.sandbox.errors import invalid
from payment_kit.sandbox.form import Kind, currency, read


@dataclass(frozen=True, slots=True, eq=False)
class ByCurrency:
    """A hash whose keys are currencies and whose values are hashes with known fields; "" unsets it."""

    kinds: Mapping[str, Kind]
    required: tuple[str, ...] = ()

    def __call__(self, raw: Any, path: str) -> dict[str, dict[str, Any]] | None:
        """Lower-case currency -> its converted hash."""
        if raw == "":
            return None
        if not isinstance(raw, dict):
            raise invalid(path, "Invalid object")
        found = {}
        for name, value in raw.items():
            inside = f"{path}[{name}]"
            if not isinstance(value, dict):
                raise invalid(inside, "Invalid object")
            found[currency(name, inside)] = read(self.kinds, value, self.required, inside)
        return found


def by_currency(kinds: Mapping[str, Kind], required: tuple[str, ...] = ()) -> Kind:
    """A hash of hashes, keyed by currency."""
    return ByCurrency(kinds, required)
