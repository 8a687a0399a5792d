"""CouponService, PromotionCodeService and TaxRateService over a real channel."""

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from payment_kit.v1.common_pb2 import Money
from payment_kit.v1.coupon_pb2 import (
    Coupon,
    CreateCouponRequest,
    DeleteCouponRequest,
    GetCouponRequest,
    ListCouponsRequest,
    UpdateCouponRequest,
)
from payment_kit.v1.promotion_code_pb2 import (
    CreatePromotionCodeRequest,
    GetPromotionCodeRequest,
    ListPromotionCodesRequest,
    PromotionCode,
    UpdatePromotionCodeRequest,
)
from payment_kit.v1.tax_rate_pb2 import (
    CreateTaxRateRequest,
    GetTaxRateRequest,
    ListTaxRatesRequest,
    TaxRate,
    UpdateTaxRateRequest,
)

from ..fix_service import Service, failure, new_id
from . import calls

MONEY = [(500, "eur"), (700, "usd"), (500, "jpy"), (1_250, "kwd")]


def coupon(**fields: object) -> CreateCouponRequest:
    values = {"request_id": new_id(), "duration": Coupon.DURATION_ONCE, **fields}
    return CreateCouponRequest(**values)  # type: ignore[arg-type]


async def a_coupon(service: Service, **fields: object) -> Coupon:
    return (await service.coupons.CreateCoupon(coupon(**fields or {"percent_off": "10"}))).coupon


async def a_code(service: Service, **fields: object) -> PromotionCode:
    request = CreatePromotionCodeRequest(request_id=new_id(), **fields)  # type: ignore[arg-type]
    return (await service.promotion_codes.CreatePromotionCode(request)).promotion_code


async def a_rate(service: Service, percentage: str = "19", **fields: object) -> TaxRate:
    values = {"display_name": "VAT", "inclusive": False, **fields}
    request = CreateTaxRateRequest(request_id=new_id(), percentage=percentage, **values)  # type: ignore[arg-type]
    return (await service.tax_rates.CreateTaxRate(request)).tax_rate


# ---- coupons --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minor", "currency"), MONEY)
async def test_an_amount_off_keeps_its_minor_units_in_every_currency(
    service: Service, minor: int, currency: str
) -> None:
    made = await a_coupon(service, amount_off=Money(amount_minor=minor, currency=currency), name="Off")

    assert made.amount_off == Money(amount_minor=minor, currency=currency)
    assert (made.percent_off, made.valid, made.times_redeemed) == ("", True, 0)
    assert (await service.coupons.GetCoupon(GetCouponRequest(id=made.id))).coupon == made


@pytest.mark.parametrize("percent", ["100", "12.5", "0.0001", "33.3333"])
async def test_a_percentage_comes_back_as_it_was_written(service: Service, percent: str) -> None:
    made = await a_coupon(service, percent_off=percent)

    read = (await service.coupons.GetCoupon(GetCouponRequest(id=made.id))).coupon
    assert (read.percent_off, read.HasField("amount_off")) == (percent, False)


async def test_a_coupon_has_an_id_of_ones_own_and_terms(service: Service) -> None:
    tea = (await calls.product(service)).id
    until = Timestamp(seconds=service.sandbox.now + 86_400)
    request = coupon(
        coupon_id="SPRING-25",
        percent_off="25",
        duration=Coupon.DURATION_REPEATING,
        duration_in_months=3,
        max_redemptions=10,
        redeem_by_time=until,
        products=[tea],
        metadata={"team": "7"},
    )

    made = (await service.coupons.CreateCoupon(request)).coupon

    assert (made.id, made.duration, made.duration_in_months) == ("SPRING-25", Coupon.DURATION_REPEATING, 3)
    assert (made.max_redemptions, made.redeem_by_time, dict(made.metadata)) == (10, until, {"team": "7"})
    assert service.made("coupon")[0]["_products"] == [tea]
    assert (await service.coupons.CreateCoupon(request)).coupon == made
    assert len(service.made("coupon")) == 1
    taken = await failure(service.coupons.CreateCoupon(coupon(coupon_id="SPRING-25", percent_off="5")))
    assert (taken.code, taken.reason) == (grpc.StatusCode.ALREADY_EXISTS, "ALREADY_EXISTS")


async def test_a_coupon_is_renamed_but_never_worth_something_else(service: Service) -> None:
    made = await a_coupon(service)
    change = UpdateCouponRequest(request_id=new_id(), coupon=Coupon(id=made.id, name="Ten", metadata={"a": "b"}))

    changed = (await service.coupons.UpdateCoupon(change)).coupon

    assert (changed.name, dict(changed.metadata), changed.percent_off) == ("Ten", {"a": "b"}, "10")
    assert (await service.coupons.GetCoupon(GetCouponRequest(id=made.id))).coupon == changed
    mask = FieldMask(paths=["percent_off"])
    worth = UpdateCouponRequest(request_id=new_id(), coupon=Coupon(id=made.id, percent_off="90"), update_mask=mask)
    assert (await failure(service.coupons.UpdateCoupon(worth))).fields == ("update_mask",)


async def test_a_deleted_coupon_is_gone_however_often_it_is_asked_for(service: Service) -> None:
    made = await a_coupon(service)
    request = DeleteCouponRequest(request_id=new_id(), id=made.id)

    await service.coupons.DeleteCoupon(request)
    await service.coupons.DeleteCoupon(request)

    assert (await failure(service.coupons.GetCoupon(GetCouponRequest(id=made.id)))).code == grpc.StatusCode.NOT_FOUND
    assert not (await service.coupons.ListCoupons(ListCouponsRequest())).coupons
    never = DeleteCouponRequest(request_id=new_id(), id="never")
    assert (await failure(service.coupons.DeleteCoupon(never))).code == grpc.StatusCode.NOT_FOUND


async def test_coupons_are_listed_in_pages_and_by_what_they_are(service: Service) -> None:
    once = [(await a_coupon(service)).id for _ in range(2)]
    always = (await a_coupon(service, percent_off="5", duration=Coupon.DURATION_FOREVER)).id

    found = await calls.pages(service.coupons.ListCoupons, ListCouponsRequest(), "coupons")
    assert [len(page) for page in found] == [2, 1]
    assert {id_ for page in found for id_ in page} == {*once, always}
    request = ListCouponsRequest(duration=Coupon.DURATION_FOREVER, valid=True)
    assert [one.id for one in (await service.coupons.ListCoupons(request)).coupons] == [always]
    assert not (await service.coupons.ListCoupons(ListCouponsRequest(valid=False))).coupons


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("off", {}),
        ("off", {"percent_off": ""}),
        ("percent_off", {"percent_off": "101"}),
        ("percent_off", {"percent_off": "1e1"}),
        ("percent_off", {"percent_off": "-1"}),
        ("amount_off.amount_minor", {"amount_off": Money(currency="usd")}),
        ("duration", {"percent_off": "10", "duration": 0}),
        ("coupon_id", {"percent_off": "10", "coupon_id": "50% off"}),
        ("products[1]", {"percent_off": "10", "products": ["prod_1", "a/b"]}),
        ("duration_in_months", {"percent_off": "10", "duration_in_months": -1}),
    ],
)
async def test_a_coupon_that_cannot_be_is_refused_before_anything_happens(
    service: Service, field: str, fields: dict[str, object]
) -> None:
    failed = await failure(service.coupons.CreateCoupon(coupon(**fields)))

    assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert failed.fields == (field,)
    assert service.made("coupon") == []


# ---- promotion codes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minor", "currency"), MONEY)
async def test_a_code_gives_a_coupon_on_its_terms(service: Service, minor: int, currency: str) -> None:
    worth, customer = await a_coupon(service), (await calls.customer(service)).id
    until = Timestamp(seconds=service.sandbox.now + 3_600)
    terms = {"expire_time": until, "max_redemptions": 5, "first_time_transaction": True, "customer": customer}
    least = Money(amount_minor=minor, currency=currency)

    made = await a_code(service, coupon=worth.id, code="HELLO", minimum_amount=least, **terms)

    assert (made.coupon, made.code, made.active, made.times_redeemed) == (worth.id, "HELLO", True, 0)
    assert (made.expire_time, made.max_redemptions, made.customer) == (until, 5, customer)
    assert (made.first_time_transaction, made.minimum_amount) == (True, least)
    read = GetPromotionCodeRequest(id=made.id)
    assert (await service.promotion_codes.GetPromotionCode(read)).promotion_code == made


async def test_a_code_without_terms_has_none(service: Service) -> None:
    made = await a_code(service, coupon=(await a_coupon(service)).id)

    assert made.code
    assert not made.HasField("minimum_amount")
    assert not made.HasField("expire_time")


async def test_a_code_is_made_once_and_switched_off(service: Service) -> None:
    request = CreatePromotionCodeRequest(request_id=new_id(), coupon=(await a_coupon(service)).id, code="ONCE")
    made = (await service.promotion_codes.CreatePromotionCode(request)).promotion_code
    assert (await service.promotion_codes.CreatePromotionCode(request)).promotion_code == made
    assert len(service.made("promotion_code")) == 1

    change = UpdatePromotionCodeRequest(
        request_id=new_id(), promotion_code=PromotionCode(id=made.id), update_mask=FieldMask(paths=["active"])
    )
    changed = (await service.promotion_codes.UpdatePromotionCode(change)).promotion_code

    assert not changed.active
    read = GetPromotionCodeRequest(id=made.id)
    assert (await service.promotion_codes.GetPromotionCode(read)).promotion_code == changed


async def test_codes_are_listed_by_what_they_are_for(service: Service) -> None:
    assert not (await service.promotion_codes.ListPromotionCodes(ListPromotionCodesRequest())).promotion_codes
    worth, other = (await a_coupon(service)).id, (await a_coupon(service)).id
    customer = (await calls.customer(service)).id
    one = (await a_code(service, coupon=worth, code="ONE")).id
    two = (await a_code(service, coupon=other, code="TWO", customer=customer)).id
    three = (await a_code(service, coupon=other)).id

    list_ = service.promotion_codes.ListPromotionCodes
    found = await calls.pages(list_, ListPromotionCodesRequest(), "promotion_codes")
    assert [len(page) for page in found] == [2, 1]

    async def listed(**fields: object) -> set[str]:
        return {code.id for code in (await list_(ListPromotionCodesRequest(**fields))).promotion_codes}  # type: ignore[arg-type]

    assert await listed() == {one, two, three}
    assert await listed(coupon=other) == {two, three}
    assert await listed(code="ONE") == {one}
    assert await listed(customer=customer, active=True) == {two}
    assert await listed(active=False) == set()


async def test_a_code_needs_a_coupon_that_is_there(service: Service) -> None:
    none = await failure(service.promotion_codes.CreatePromotionCode(CreatePromotionCodeRequest(request_id=new_id())))
    gone = await failure(
        service.promotion_codes.CreatePromotionCode(CreatePromotionCodeRequest(request_id=new_id(), coupon="GONE"))
    )

    assert (none.code, none.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("coupon",))
    assert gone.code == grpc.StatusCode.NOT_FOUND
    missing = GetPromotionCodeRequest(id="promo_none")
    assert (await failure(service.promotion_codes.GetPromotionCode(missing))).code == grpc.StatusCode.NOT_FOUND


# ---- tax rates ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("percentage", "inclusive"), [("19", False), ("7.25", True), ("0", False)])
async def test_a_tax_rate_is_on_top_or_inside_and_keeps_its_percentage(
    service: Service, percentage: str, inclusive: bool
) -> None:
    made = await a_rate(service, percentage, inclusive=inclusive, country="DE", region="BE", tax_type="vat")

    assert (made.percentage, made.inclusive, made.active) == (percentage, inclusive, True)
    assert (made.display_name, made.country, made.region, made.tax_type) == ("VAT", "DE", "BE", "vat")
    assert (await service.tax_rates.GetTaxRate(GetTaxRateRequest(id=made.id))).tax_rate == made


async def test_a_tax_rate_is_changed_where_it_may_be(service: Service) -> None:
    made = await a_rate(service, jurisdiction="Berlin", tax_type="vat")
    change = UpdateTaxRateRequest(
        request_id=new_id(),
        tax_rate=TaxRate(id=made.id, display_name="MwSt"),
        update_mask=FieldMask(paths=["display_name", "jurisdiction", "active"]),
    )

    changed = (await service.tax_rates.UpdateTaxRate(change)).tax_rate

    assert (changed.display_name, changed.jurisdiction, changed.active) == ("MwSt", "", False)
    assert (changed.percentage, changed.tax_type) == ("19", "vat")
    assert (await service.tax_rates.GetTaxRate(GetTaxRateRequest(id=made.id))).tax_rate == changed
    mask = FieldMask(paths=["percentage"])
    other = UpdateTaxRateRequest(request_id=new_id(), tax_rate=TaxRate(id=made.id, percentage="20"), update_mask=mask)
    assert (await failure(service.tax_rates.UpdateTaxRate(other))).fields == ("update_mask",)


async def test_a_tax_rate_is_made_once(service: Service) -> None:
    request = CreateTaxRateRequest(request_id=new_id(), display_name="VAT", percentage="19", inclusive=True)

    first = await service.tax_rates.CreateTaxRate(request)

    assert await service.tax_rates.CreateTaxRate(request) == first
    assert len(service.made("tax_rate")) == 1


async def test_tax_rates_are_listed_by_where_they_are_due(service: Service) -> None:
    assert not (await service.tax_rates.ListTaxRates(ListTaxRatesRequest())).tax_rates
    german, french = (await a_rate(service, country="DE")).id, (await a_rate(service, country="FR")).id
    inside = (await a_rate(service, country="DE", inclusive=True)).id

    found = await calls.pages(service.tax_rates.ListTaxRates, ListTaxRatesRequest(), "tax_rates")
    assert [len(page) for page in found] == [2, 1]

    async def listed(**fields: object) -> set[str]:
        request = ListTaxRatesRequest(**fields)  # type: ignore[arg-type]
        return {rate.id for rate in (await service.tax_rates.ListTaxRates(request)).tax_rates}

    assert await listed(country="DE") == {german, inside}
    assert await listed(inclusive=False) == {german, french}
    assert await listed(active=False) == set()


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("inclusive", {"inclusive": None}),
        ("percentage", {"percentage": ""}),
        ("percentage", {"percentage": "100.1"}),
        ("display_name", {"display_name": " "}),
    ],
)
async def test_a_tax_rate_that_says_too_little_is_refused(
    service: Service, field: str, fields: dict[str, object]
) -> None:
    values = {"display_name": "VAT", "percentage": "19", "inclusive": False, **fields}
    request = CreateTaxRateRequest(request_id=new_id(), **values)  # type: ignore[arg-type]

    failed = await failure(service.tax_rates.CreateTaxRate(request))

    assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert failed.fields == (field,)
    assert service.made("tax_rate") == []
    missing = GetTaxRateRequest(id="txr_none")
    assert (await failure(service.tax_rates.GetTaxRate(missing))).code == grpc.StatusCode.NOT_FOUND
