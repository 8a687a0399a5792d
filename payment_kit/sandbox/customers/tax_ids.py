"""Tax ids of customers and of the account, and how a government's answer about them arrives."""

import re
from typing import Any

from payment_kit.sandbox import listing
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, PAGE, Endpoint
from payment_kit.sandbox.errors import invalid, missing, no_such
from payment_kit.sandbox.form import fields, one_of, string
from payment_kit.sandbox.store import Row, Store

# docs.stripe.com/billing/customer/tax-ids: what a government is asked about; the numbers that decide in test mode
VALIDATED = frozenset({"au_abn", "ch_vat", "eu_vat", "gb_vat", "no_vat"})
VERIFY_SECONDS = 60
_OUTCOMES = {"000000000": "verified", "111111111": "unverified", "222222222": None}
_FORMATS = {
    "au_abn": r"[0-9]{9}|[0-9]{11}",
    "ca_bn": r"[0-9]{9}",
    "eu_oss_vat": r"EU[0-9]{9}",
    "eu_vat": r"[0-9]{9}|(AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK|XI)"
    r"[0-9A-Z+*]{2,12}",
    "gb_vat": r"(GB|XI)?[0-9]{9}([0-9]{3})?",
    "us_ein": r"[0-9]{2}-?[0-9]{7}",
}
TYPES = tuple(
    "ad_nrt ae_trn al_tin am_tin ao_tin ar_cuit au_abn au_arn aw_tin az_tin ba_tin bb_tin bd_bin bf_ifu bg_uic "
    "bh_vat bj_ifu bo_tin br_cnpj br_cpf bs_tin by_tin ca_bn ca_gst_hst ca_pst_bc ca_pst_mb ca_pst_sk ca_qst cd_nif "
    "ch_uid ch_vat cl_tin cm_niu cn_tin co_nit cr_tin cv_nif de_stn do_rcn ec_ruc eg_tin es_cif et_tin eu_oss_vat "
    "eu_vat fo_vat gb_vat ge_vat gi_tin gn_nif hk_br hr_oib hu_tin id_npwp il_vat in_gst is_vat it_cf jp_cn jp_rn "
    "jp_trn ke_pin kg_tin kh_tin kr_brn kz_bin la_tin li_uid li_vat lk_vat ma_vat md_vat me_pib mk_vat mr_nif "
    "mx_rfc my_frp my_itn my_sst ng_tin no_vat no_voec np_pan nz_gst om_vat pe_ruc ph_tin pl_nip py_ruc ro_tin "
    "rs_pib ru_inn ru_kpp sa_vat sg_gst sg_uen si_tin sn_ninea sr_fin sv_nit th_vat tj_tin tr_tin tw_vat tz_vat "
    "ua_vat ug_tin us_ein uy_ruc uz_tin uz_vat ve_rif vn_tin za_vat zm_tin zw_tin".split()
)


def add(call: Call, customer: Row | None, type_: str, value: str, param: str = "value") -> Row:
    """A new tax id of a customer, or of the account (None). Raises 400 for a value its type cannot have."""
    value = value.strip().upper()
    if not re.fullmatch(_FORMATS.get(type_, r"[0-9A-Z .\-/+*]{2,30}"), value):
        raise invalid(param, f"Invalid value for {type_}.", "tax_id_invalid")
    checked = customer is not None and type_ in VALIDATED
    row: Row = {
        "id": call.new_id("tax_id"),
        "object": "tax_id",
        "country": _country(type_, value),
        "created": call.now,
        "customer": customer and customer["id"],
        "customer_account": None,
        "livemode": False,
        "owner": _owner(customer),
        "type": type_,
        "value": value,
        "verification": None if customer is None else _verification("pending" if checked else "unavailable"),
        "_due": call.now + VERIFY_SECONDS if checked else None,
        "_owner": customer["id"] if customer else "self",
    }
    return call.add(row, "customer.tax_id.created" if customer else None)


def remove(call: Call, row: Row) -> Row:
    """Delete a tax id; a tombstone stays."""
    if row["customer"] is not None:
        call.emit("customer.tax_id.deleted", row)
    tombstone = {"id": row["id"], "object": "tax_id", "deleted": True}
    call.store.put(tombstone)
    return tombstone


def of(store: Store, customer: str) -> list[Row]:
    """A customer's tax ids, newest first."""
    return store.tables["tax_id"].having("_owner", customer)[::-1]


def create_customer_tax_id(call: Call) -> Row:
    """POST /v1/customers/{id}/tax_ids"""
    customer = call.find("customer", call.path[0], "customer")
    return add(call, customer, call.params["type"], call.params["value"])


def get_customer_tax_id(call: Call) -> Row:
    """GET /v1/customers/{id}/tax_ids/{id}"""
    call.find("customer", call.path[0], "customer")
    row = call.find("tax_id", call.path[1])
    if row["customer"] != call.path[0]:
        raise no_such("tax_id", call.path[1])
    return row


def delete_customer_tax_id(call: Call) -> Row:
    """DELETE /v1/customers/{id}/tax_ids/{id}"""
    return remove(call, get_customer_tax_id(call))


def create_tax_id(call: Call) -> Row:
    """POST /v1/tax_ids, of the account itself unless `owner` names a customer."""
    owner = _asked_owner(call)
    customer = None if owner == "self" else call.find("customer", owner, "owner[customer]", 400)
    return add(call, customer, call.params["type"], call.params["value"])


def get_tax_id(call: Call) -> Row:
    """GET /v1/tax_ids/{id}"""
    return call.find("tax_id", call.path[0])


def delete_tax_id(call: Call) -> Row:
    """DELETE /v1/tax_ids/{id}"""
    return remove(call, call.find("tax_id", call.path[0]))


def _tax_ids(call: Call) -> Row:
    """GET /v1/tax_ids"""
    owner = _asked_owner(call)
    params = {name: value for name, value in call.params.items() if name != "owner"}
    return listing.page(call.part(**params), "tax_id", "/v1/tax_ids", _owner=owner)


def _customer_tax_ids(call: Call) -> Row:
    """GET /v1/customers/{id}/tax_ids"""
    customer = call.find("customer", call.path[0], "customer")["id"]
    return listing.page(call, "tax_id", f"/v1/customers/{customer}/tax_ids", _owner=customer)


def _asked_owner(call: Call) -> str:
    """The customer's id, or ``self``."""
    owner = call.params.get("owner") or {"type": "self"}
    if owner["type"] != "customer":
        return "self"
    if owner.get("customer") is None:
        raise missing("owner[customer]")
    return str(owner["customer"])


def _verify(call: Call, row: Row) -> None:
    """The government answers: what it says follows from the number, as in test mode."""
    number = re.sub("[^0-9]", "", row["value"])
    outcome = _OUTCOMES.get(number, "verified")
    if outcome is None:
        call.change(row, None, _due=None)
        return
    found = _verification(outcome)
    if outcome == "verified":
        found |= {"verified_address": "123 TEST STREET", "verified_name": "TEST COMPANY"}
    call.change(row, "customer.tax_id.updated", verification=found, _due=None)


def _verification(status: str) -> Row:
    return {"status": status, "verified_address": None, "verified_name": None}


def _country(type_: str, value: str) -> str | None:
    if type_ == "eu_vat":
        prefix = value[:2]
        return {"EL": "GR", "XI": "GB"}.get(prefix, prefix) if prefix.isalpha() else None
    return None if type_ == "eu_oss_vat" else type_[:2].upper()


def _owner(customer: Row | None) -> Row:
    if customer is None:
        return {"type": "self"}
    return {"customer": customer["id"], "customer_account": None, "type": "customer"}


def _nested(store: Store, customer: Row) -> Row:
    return listing.nested(of(store, customer["id"]), f"/v1/customers/{customer['id']}/tax_ids")


DATA = {"type": one_of(*TYPES), "value": string}
_OWNER: dict[str, Any] = {"owner": fields({"customer": string, "type": one_of("customer", "self")}, ("type",))}
_CREATE = {**EXPAND, **DATA}

INCLUDES = {("customer", "tax_ids"): _nested}
DUE = {"tax_id": _verify}
ENDPOINTS = (
    Endpoint("GET", "customers/*/tax_ids", _customer_tax_ids, PAGE),
    Endpoint("POST", "customers/*/tax_ids", create_customer_tax_id, _CREATE, ("type", "value")),
    Endpoint("GET", "customers/*/tax_ids/*", get_customer_tax_id, EXPAND),
    Endpoint("DELETE", "customers/*/tax_ids/*", delete_customer_tax_id, {}),
    Endpoint("GET", "tax_ids", _tax_ids, {**PAGE, **_OWNER}),
    Endpoint("POST", "tax_ids", create_tax_id, {**_CREATE, **_OWNER}, ("type", "value")),
    Endpoint("GET", "tax_ids/*", get_tax_id, EXPAND),
    Endpoint("DELETE", "tax_ids/*", delete_tax_id, {}),
)
