"""The control API tells every row of every kind of every account."""

from typing import Any

import orjson

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.kinds import KINDS
from tests.sandbox.protocol.visitor import ask, control


def _rows(sandbox: Sandbox, kind: str, header: str = "", **query: str) -> list[dict[str, Any]]:
    headers = {"stripe_account": header} if header else {}
    answer = ask(sandbox, "GET", f"/_sandbox/objects/{kind}", query, None, **headers)
    assert answer.status == 200, answer.body
    return [orjson.loads(line) for line in answer.body.splitlines()]


def _connected(sandbox: Sandbox) -> str:
    return str(ask(sandbox, "POST", "/v1/accounts", {"type": "custom"}).body["id"])


def test_every_kind_of_a_connected_account_is_told() -> None:
    sandbox = Sandbox()
    account = _connected(sandbox)
    kinds = [*KINDS, "credit_note_line_item", "payout_items"]
    told = {kind: [row["id"] for row in _rows(sandbox, kind, account=account)] for kind in kinds}
    held = sandbox.store.connected[account].rows("event")
    assert {kind: ids for kind, ids in told.items() if ids} == {"event": [row["id"] for row in held]}


def test_the_rows_of_one_account_are_named_by_query_or_header() -> None:
    sandbox = Sandbox()
    account = _connected(sandbox)
    theirs = ask(sandbox, "POST", "/v1/customers", {"name": "theirs"}, stripe_account=account).body
    mine = ask(sandbox, "POST", "/v1/customers", {"name": "mine"}).body
    assert _rows(sandbox, "customer", account=account) == [theirs] == _rows(sandbox, "customer", account)
    assert _rows(sandbox, "customer") == [mine] == _rows(sandbox, "customer", account=sandbox.account_id)
    refused = ask(sandbox, "GET", "/_sandbox/objects/customer", {"account": "acct_1stranger"})
    assert (refused.status, refused.body["error"]["param"]) == (400, "account")


def test_what_was_deleted_is_told_as_what_is_left_of_it() -> None:
    sandbox = Sandbox()
    made = ask(sandbox, "POST", "/v1/customers", {}).body["id"]
    gone = ask(sandbox, "DELETE", f"/v1/customers/{made}").body
    assert _rows(sandbox, "customer") == [gone]


def test_all_accounts_are_counted_with_what_was_deleted() -> None:
    sandbox = Sandbox()
    account = _connected(sandbox)
    made = ask(sandbox, "POST", "/v1/customers", {}, stripe_account=account).body["id"]
    ask(sandbox, "POST", "/v1/customers", {}, stripe_account=account)
    ask(sandbox, "DELETE", f"/v1/customers/{made}", stripe_account=account)
    told = control(sandbox, "objects")
    assert told[account]["customer"] == {"rows": 1, "deleted": 1}
    assert told[sandbox.account_id]["account"] == {"rows": 1, "deleted": 0}


def test_lines_of_credit_notes_are_paged() -> None:
    sandbox = Sandbox()
    customer = ask(sandbox, "POST", "/v1/customers", {}).body["id"]
    invoice = {"customer": customer, "collection_method": "send_invoice", "days_until_due": "3"}
    id_ = ask(sandbox, "POST", "/v1/invoices", invoice).body["id"]
    for amount in ("500", "700"):
        ask(sandbox, "POST", "/v1/invoiceitems", {"customer": customer, "amount": amount, "invoice": id_})
    ask(sandbox, "POST", f"/v1/invoices/{id_}/finalize", {})
    for _ in range(2):
        assert ask(sandbox, "POST", "/v1/credit_notes", {"invoice": id_, "amount": "100"}).status == 200
    first, second = _rows(sandbox, "credit_note_line_item")
    assert _rows(sandbox, "credit_note_line_item", starting_after=first["id"]) == [second]
    assert _rows(sandbox, "credit_note_line_item", limit="1") == [first]
