"""Invoices seen through the unmodified SDK."""

import pytest
import stripe


async def test_an_invoice_is_billed_paid_and_credited(stripe_client: stripe.StripeClient) -> None:
    v1 = stripe_client.v1
    customer = await v1.customers.create_async({"email": "ann@example.com"})
    method = await v1.payment_methods.attach_async("pm_card_visa", {"customer": customer.id})
    draft = await v1.invoices.create_async({"customer": customer.id, "default_payment_method": method.id})
    await v1.invoices.add_lines_async(
        draft.id, {"lines": [{"amount": 100 + at, "description": "x"} for at in range(12)]}
    )
    final = await v1.invoices.finalize_invoice_async(draft.id)
    assert (final.status, final.lines.has_more) == ("open", True)
    lines = [line async for line in (await v1.invoices.line_items.list_async(draft.id)).auto_paging_iter()]
    assert [line.amount for line in lines] == list(range(100, 112))
    paid = await v1.invoices.pay_async(draft.id, {"expand": ["payments"]})
    assert paid.payments is not None
    payment = paid.payments.data[0]
    intent = str(payment.payment.payment_intent)
    filters: stripe.params.InvoicePaymentListParams = {"payment": {"type": "payment_intent", "payment_intent": intent}}
    assert [row.id for row in (await v1.invoice_payments.list_async(filters)).data] == [payment.id]
    part: stripe.params.CreditNotePreviewParamsLine = {"type": "invoice_line_item", "invoice_line_item": lines[0].id}
    preview = await v1.credit_notes.preview_async({"invoice": draft.id, "lines": [part], "credit_amount": 100})
    assert (preview.total, preview.post_payment_amount) == (100, 100)
    note = await v1.credit_notes.create_async({"invoice": draft.id, "lines": [{**part}], "credit_amount": 100})
    credited = (await v1.invoices.retrieve_async(draft.id)).post_payment_credit_notes_amount
    assert (note.customer_balance_transaction is not None, credited) == (True, 100)


async def test_a_declined_invoice_is_a_card_error(stripe_client: stripe.StripeClient) -> None:
    v1 = stripe_client.v1
    customer = await v1.customers.create_async({})
    method = await v1.payment_methods.attach_async("pm_card_chargeCustomerFail", {"customer": customer.id})
    draft = await v1.invoices.create_async({"customer": customer.id, "default_payment_method": method.id})
    await v1.invoice_items.create_async(
        {"customer": customer.id, "invoice": draft.id, "amount": 900, "currency": "usd"}
    )
    with pytest.raises(stripe.CardError) as caught:
        await v1.invoices.pay_async(draft.id)
    assert (caught.value.code, caught.value.http_status) == ("card_declined", 402)
    after = await v1.invoices.retrieve_async(draft.id)
    assert (after.status, after.attempted, after.amount_remaining) == ("open", True, 900)
