"""/v1/search: Stripe's query language over the resources that have it (docs.stripe.com/search).

A query is clauses ``field operator value``, joined by AND (or just a space) or by OR, never both; ``-`` before a clause
negates it. What a field can be asked follows from its type:

* token: ``:`` the whole value, in any case;
* string: ``:`` contains these words in this order, ``~`` contains this text of at least three characters, in any case;
* number: ``:`` and ``>``, ``>=``, ``<``, ``<=``.

``field:null`` matches where the field is empty. Unlike Stripe's, this index is never late.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.endpoint import EXPAND, Endpoint
from payment_kit.sandbox.errors import ApiError, invalid
from payment_kit.sandbox.form import integer, string
from payment_kit.sandbox.kinds import KINDS
from payment_kit.sandbox.listing import PAGE_DEFAULT, PAGE_MAX
from payment_kit.sandbox.store import Row

CLAUSES_MAX = 50
SUBSTRING_MIN = 3
COUNT_MAX = 10_000  # total_count is "only accurate up to 10,000"
_GUIDE = "https://docs.stripe.com/search"

Test = Callable[[Row], bool]


class Field(NamedTuple):
    """One field of a resource: its type (token, string or number) and where its value is; None: at its dotted name."""

    type: str
    value: Callable[[Row], Any] | None = None


def _refunded(charge: Row) -> bool | None:
    """ "true" filters for fully, "false" for partially refunded charges, null for the others."""
    return None if not charge["amount_refunded"] else bool(charge["refunded"])


def _subscription(invoice: Row) -> Any:
    return ((invoice.get("parent") or {}).get("subscription_details") or {}).get("subscription")


_TOKEN, _STRING, _NUMBER = Field("token"), Field("string"), Field("number")
_CARD = {
    f"payment_method_details.{source}.{name}": _TOKEN
    for source in ("card", "card_present", "interac_present")
    for name in ("brand", "exp_month", "exp_year", "fingerprint", "last4")
}
# docs.stripe.com/search#supported-query-fields-for-each-resource; every one of them has metadata as well
FIELDS: dict[str, Mapping[str, Field]] = {
    "charge": {
        "amount": _NUMBER,
        "billing_details.address.postal_code": _TOKEN,
        "created": _NUMBER,
        "currency": _TOKEN,
        "customer": _TOKEN,
        "disputed": _TOKEN,
        "refunded": Field("token", _refunded),
        "status": _TOKEN,
        **_CARD,
    },
    "customer": {"created": _NUMBER, "email": _STRING, "name": _STRING, "phone": _STRING},
    "invoice": {
        "created": _NUMBER,
        "currency": _TOKEN,
        "customer": _TOKEN,
        "number": _STRING,
        "receipt_number": _STRING,
        "status": _STRING,
        "subscription": Field("string", _subscription),
        "total": _NUMBER,
    },
    "payment_intent": {
        "amount": _NUMBER, "created": _NUMBER, "currency": _TOKEN, "customer": _TOKEN, "status": _TOKEN,
    },
    "price": {"active": _TOKEN, "currency": _TOKEN, "lookup_key": _STRING, "product": _STRING, "type": _TOKEN},
    "product": {"active": _TOKEN, "description": _STRING, "name": _STRING, "shippable": _TOKEN, "url": _STRING},
    "subscription": {"created": _NUMBER, "status": _TOKEN},
}  # fmt: skip

_CLAUSE = re.compile(
    r"""\s*(?P<not>-)?\s*(?P<field>[A-Za-z_][A-Za-z0-9_.]*)(\[\s*(?P<key>"(\\.|[^"\\])*"|'(\\.|[^'\\])*')\s*\])?"""
    r"""\s*(?P<operator>:|~|>=|<=|>|<)\s*(?P<value>"(\\.|[^"\\])*"|'(\\.|[^'\\])*'|[^\s"'()]+)""",
)
_JOIN = re.compile(r"\s+(AND|OR)(?=\s)|\s+", re.IGNORECASE)


def search(call: Call, kind: str) -> Row:
    """The page of the rows of a kind that match ``query``, newest first."""
    params, path = call.params, KINDS[kind].path
    limit = params.get("limit", PAGE_DEFAULT)
    if not 1 <= limit <= PAGE_MAX:
        raise invalid("limit", f"Invalid integer: limit must be between 1 and {PAGE_MAX}.", "parameter_invalid_integer")
    matches = parse(params["query"], kind)
    table = call.store.tables[kind]
    high = _position(call, kind)
    found: list[Row] = []
    for at in reversed(range(high)):
        row = table.rows[table.order[at]]
        if "deleted" not in row and matches(row):
            found.append(row)
            if len(found) > limit:
                break
    data = found[:limit]
    more = len(found) > limit
    result: Row = {
        "object": "search_result",
        "data": [public(row) for row in data],
        "has_more": more,
        "next_page": _token(data[-1]["id"]) if more else None,
        "url": f"/v1/{path}/search",
    }
    expand = params.get("expand") or []
    if "total_count" in expand:
        call.params = {**params, "expand": [one for one in expand if one != "total_count"]}
        total = sum(matches(row) for row in table.rows.values() if "deleted" not in row)
        result["total_count"] = min(total, COUNT_MAX)
    return result


def parse(query: str, kind: str) -> Test:
    """A query as a test of rows; raises 400 with what is wrong."""
    clauses: list[Test] = []
    joins: set[str] = set()
    at, text = 0, query.strip()
    while True:
        found = _CLAUSE.match(text, at)
        if found is None:
            raise _unclear(f"near `{text[at : at + 30]}`")
        clauses.append(_clause(found, kind))
        if len(clauses) > CLAUSES_MAX:
            raise _unclear(f"it has more than {CLAUSES_MAX} clauses")
        at = found.end()
        if at == len(text):
            break
        join = _JOIN.match(text, at)
        if join is None:
            raise _unclear(f"near `{text[at : at + 30]}`")
        joins.add((join[1] or "AND").upper())
        at = join.end()
    if len(joins) > 1:
        raise _unclear("it combines AND with OR, which is not possible; a space means AND")
    combined = any if joins == {"OR"} else all
    return lambda row: combined(clause(row) for clause in clauses)


def _clause(found: re.Match[str], kind: str) -> Test:
    name, operator, raw = found["field"], found["operator"], found["value"]
    if found["key"] is not None and name == "metadata":
        key, field = _unquoted(found["key"]), _TOKEN
        value: Callable[[Row], Any] = lambda row: (row.get("metadata") or {}).get(key)  # noqa: E731
    else:
        known = FIELDS[kind].get(name)
        if known is None or found["key"] is not None:
            raise invalid(
                "query",
                f"Field `{name}` is an unsupported search field for resource `{KINDS[kind].path}`. See "
                f"{_GUIDE}#query-fields-for-{KINDS[kind].path.replace('_', '-')} for a list of supported fields.",
            )
        field, value = known, known.value or _at(name)
    test = _compared(name, field.type, operator, raw, value)
    return (lambda row: not test(row)) if found["not"] else test


def _compared(name: str, type_: str, operator: str, raw: str, value: Callable[[Row], Any]) -> Test:
    if raw.lower() == "null" and operator == ":":
        return lambda row: value(row) in (None, "")
    allowed = {"token": (":",), "string": (":", "~"), "number": (":", ">", ">=", "<", "<=")}[type_]
    if operator not in allowed:
        raise _unclear(f"`{name}` is a {type_}, for which there is {' '.join(allowed)} only, not {operator}")
    wanted = _unquoted(raw)
    if type_ == "number":
        return _number(name, operator, wanted, value)
    if raw[0] not in "\"'" and not re.fullmatch(r"-?[0-9.]+", raw):
        raise _unclear(f'the value of `{name}` needs quotes: {name}{operator}"{raw[:30]}"')
    wanted = wanted.lower()
    if operator == "~":
        if len(wanted) < SUBSTRING_MIN:
            raise _unclear(f"a substring has at least {SUBSTRING_MIN} characters")
        return lambda row: wanted in _text(value(row))
    if type_ == "token":
        return lambda row: value(row) is not None and _text(value(row)) == wanted
    words = _words(wanted)
    return lambda row: _holds(_words(_text(value(row))), words)


def _number(name: str, operator: str, wanted: str, value: Callable[[Row], Any]) -> Test:
    if not re.fullmatch(r"-?[0-9]{1,18}", wanted):
        raise _unclear(f"`{name}` is a number, and `{wanted[:30]}` is none")
    number = int(wanted)

    def test(row: Row) -> bool:
        held = value(row)
        if held is None:
            return False
        match operator:
            case ":":
                return bool(held == number)
            case ">":
                return bool(held > number)
            case ">=":
                return bool(held >= number)
            case "<":
                return bool(held < number)
        return bool(held <= number)

    return test


def _at(name: str) -> Callable[[Row], Any]:
    parts = name.split(".")

    def value(row: Row) -> Any:
        held: Any = row
        for part in parts:
            held = held.get(part) if isinstance(held, dict) else None
        return held

    return value


def _text(value: Any) -> str:
    """How a value is compared: in lower case, truth as true and false."""
    return "" if value is None else str(value).lower()


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def _holds(words: list[str], wanted: list[str]) -> bool:
    """Whether `words` has all that are wanted, one after the other."""
    return any(words[at : at + len(wanted)] == wanted for at in range(len(words) - len(wanted) + 1)) and bool(wanted)


def _unquoted(raw: str) -> str:
    return re.sub(r"\\(.)", r"\1", raw[1:-1]) if raw[0] in "\"'" else raw


def _unclear(why: str) -> ApiError:
    return invalid(
        "query",
        f"We could not parse your search query: {why}. Please review the supported query language and fields at "
        f"{_GUIDE}#search-query-language.",
    )


def _token(id_: str) -> str:
    return base64.urlsafe_b64encode(id_.encode()).decode().rstrip("=")


def _position(call: Call, kind: str) -> int:
    """Where the asked page begins: below the last row of the page before."""
    table, page = call.store.tables[kind], call.params.get("page")
    if page is None:
        return len(table.order)
    try:
        position = table.position(base64.urlsafe_b64decode(page + "=" * (-len(page) % 4)).decode())
    except (binascii.Error, ValueError):
        position = None
    if position is None:
        raise invalid("page", "Invalid page: pass the next_page of the answer before.")
    return position


def _of(kind: str) -> Callable[[Call], Row]:
    return lambda call: search(call, kind)


_PARAMS = {**EXPAND, "limit": integer, "page": string, "query": string}
ENDPOINTS = tuple(Endpoint("GET", f"{KINDS[kind].path}/search", _of(kind), _PARAMS, ("query",)) for kind in FIELDS)
