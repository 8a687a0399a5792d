"""Tax ids: of customers and of the account, and how their verification ends."""

import pytest

from payment_kit.sandbox import Sandbox
from tests.sandbox.acts import get, post, refused, types
from tests.sandbox.memory import ask, pages


@pytest.mark.parametrize(
    ("value", "status"),
    [("000000000", "verified"), ("DE111111111", "unverified"), ("222222222", "pending"), ("ATU12345678", "verified")],
)
def test_a_vat_number_decides_how_its_verification_ends(value: str, status: str) -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers")["id"]
    made = post(sandbox, f"customers/{customer}/tax_ids", type="eu_vat", value=value)
    assert made["verification"]["status"] == "pending"
    sandbox.advance_to(sandbox.now + 120)
    assert get(sandbox, f"tax_ids/{made['id']}")["verification"]["status"] == status
    assert ("customer.tax_id.updated" in types(sandbox, "customer.tax_id")) is (status != "pending")


def test_what_no_government_is_asked_about_is_unavailable() -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers")["id"]
    made = post(sandbox, f"customers/{customer}/tax_ids", type="us_ein", value="12-3456789")
    assert (made["verification"]["status"], made["country"]) == ("unavailable", "US")


def test_the_country_is_read_from_the_number() -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers")["id"]
    countries = [
        post(sandbox, f"customers/{customer}/tax_ids", type=type_, value=value)["country"]
        for type_, value in (("eu_vat", "EL123456789"), ("gb_vat", "GB123456789"), ("eu_oss_vat", "EU123456789"))
    ]
    assert countries == ["GR", "GB", None]


def test_a_customers_tax_ids_are_nested_cut_at_ten_and_deleted() -> None:
    sandbox = Sandbox()
    data = {f"tax_id_data[{at}][{name}]": value for at in range(11)
            for name, value in (("type", "ch_uid"), ("value", f"CHE-{at}"))}  # fmt: skip
    customer = post(sandbox, "customers", **data, **{"expand[]": "tax_ids"})
    nested = customer["tax_ids"]
    assert (len(nested["data"]), nested["has_more"]) == (10, True)
    assert nested["url"] == f"/v1/customers/{customer['id']}/tax_ids"
    path = f"/v1/customers/{customer['id']}/tax_ids"
    rows = pages(sandbox, path)
    assert [row["value"] for row in rows] == [f"CHE-{at}" for at in range(10, -1, -1)]
    assert get(sandbox, f"{path[4:]}/{rows[0]['id']}")["id"] == rows[0]["id"]
    assert ask(sandbox, "DELETE", f"{path}/{rows[0]['id']}")[1]["deleted"] is True
    assert ask(sandbox, "GET", f"{path}/{rows[0]['id']}")[0] == 404
    assert len(pages(sandbox, path)) == 10
    assert types(sandbox, "customer.tax_id")[-1] == "customer.tax_id.deleted"


def test_the_accounts_own_tax_ids_are_another_list() -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers")["id"]
    own = post(sandbox, "tax_ids", type="gb_vat", value="GB123456789")
    theirs = post(sandbox, "tax_ids", type="gb_vat", value="GB987654321",
                  **{"owner[type]": "customer", "owner[customer]": customer})  # fmt: skip
    assert (own["owner"], own["customer"], own["verification"]) == ({"type": "self"}, None, None)
    assert theirs["owner"]["customer"] == theirs["customer"] == customer
    assert [row["id"] for row in pages(sandbox, "/v1/tax_ids")] == [own["id"]]
    of_customer = {"owner[type]": "customer", "owner[customer]": customer}
    assert [row["id"] for row in pages(sandbox, "/v1/tax_ids", of_customer)] == [theirs["id"]]
    assert ask(sandbox, "DELETE", f"/v1/tax_ids/{own['id']}")[0] == 200


@pytest.mark.parametrize(
    ("type_", "value", "code"),
    [("eu_vat", "US123", "tax_id_invalid"), ("us_ein", "1", "tax_id_invalid"), ("no_such", "1", None)],
)
def test_a_number_that_cannot_be_is_refused(type_: str, value: str, code: str | None) -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers")["id"]
    assert refused(sandbox, f"customers/{customer}/tax_ids", type=type_, value=value).get("code") == code


def test_another_customers_tax_id_is_not_found() -> None:
    sandbox = Sandbox()
    ada, bob = post(sandbox, "customers")["id"], post(sandbox, "customers")["id"]
    made = post(sandbox, f"customers/{ada}/tax_ids", type="us_ein", value="12-3456789")
    assert ask(sandbox, "GET", f"/v1/customers/{bob}/tax_ids/{made['id']}")[0] == 404
