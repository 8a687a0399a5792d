"""Features are made, listed, archived, and attached to products."""

from payment_kit.sandbox import Sandbox
from tests.sandbox.acts import get, post, refused
from tests.sandbox.memory import ask


def feature(sandbox: Sandbox, key: str = "export") -> str:
    """A new feature."""
    return str(post(sandbox, "entitlements/features", name=key.title(), lookup_key=key)["id"])


def _ids(sandbox: Sandbox, path: str, **params: str) -> list[str]:
    return [row["id"] for row in get(sandbox, path, **params)["data"]]


def test_features_are_listed_by_lookup_key_and_without_the_archived_ones() -> None:
    sandbox = Sandbox()
    export, seats = feature(sandbox), feature(sandbox, "seats")
    post(sandbox, f"entitlements/features/{seats}", active="false")
    assert _ids(sandbox, "entitlements/features") == [export]
    assert _ids(sandbox, "entitlements/features", archived="true") == [seats]
    assert _ids(sandbox, "entitlements/features", lookup_key="seats") == []
    assert get(sandbox, f"entitlements/features/{seats}")["active"] is False


def test_a_lookup_key_is_free_again_when_its_feature_is_archived() -> None:
    sandbox = Sandbox()
    first = feature(sandbox)
    assert refused(sandbox, "entitlements/features", name="x", lookup_key="export")["param"] == "lookup_key"
    post(sandbox, f"entitlements/features/{first}", active="false")
    assert feature(sandbox) != first
    assert "archived" in refused(sandbox, f"entitlements/features/{first}", name="x")["message"]


def test_a_name_has_at_most_eighty_characters() -> None:
    refusal = refused(Sandbox(), "entitlements/features", name="x" * 81, lookup_key="x")
    assert refusal["param"] == "name"


def test_what_is_attached_to_a_product_shows_the_feature_as_it_is_now() -> None:
    sandbox = Sandbox()
    product, export = post(sandbox, "products", name="Gold")["id"], feature(sandbox)
    attached = post(sandbox, f"products/{product}/features", entitlement_feature=export)
    post(sandbox, f"entitlements/features/{export}", name="Export to PDF", **{"metadata[a]": "1"})
    shown = get(sandbox, f"products/{product}/features/{attached['id']}")["entitlement_feature"]
    assert shown == get(sandbox, f"entitlements/features/{export}")
    assert shown["name"] == "Export to PDF"


def test_a_feature_is_attached_once_and_detached_for_good() -> None:
    sandbox = Sandbox()
    product, export = post(sandbox, "products", name="Gold")["id"], feature(sandbox)
    path = f"products/{product}/features"
    attached = post(sandbox, path, entitlement_feature=export)["id"]
    assert refused(sandbox, path, entitlement_feature=export)["param"] == "entitlement_feature"
    assert ask(sandbox, "DELETE", f"/v1/{path}/{attached}")[1]["deleted"] is True
    assert _ids(sandbox, path) == []
    assert ask(sandbox, "GET", f"/v1/{path}/{attached}")[0] == 404
    assert post(sandbox, path, entitlement_feature=export)["id"] != attached


def test_the_attachments_of_a_product_are_its_own_and_go_with_it() -> None:
    sandbox = Sandbox()
    export = feature(sandbox)
    gold, iron = (post(sandbox, "products", name=name)["id"] for name in ("Gold", "Iron"))
    attached = post(sandbox, f"products/{gold}/features", entitlement_feature=export)["id"]
    assert _ids(sandbox, f"products/{iron}/features") == []
    assert ask(sandbox, "GET", f"/v1/products/{iron}/features/{attached}")[0] == 404
    ask(sandbox, "DELETE", f"/v1/products/{gold}")
    assert sandbox.store.tables["product_feature"].rows[attached] == {
        "id": attached,
        "object": "product_feature",
        "deleted": True,
    }
