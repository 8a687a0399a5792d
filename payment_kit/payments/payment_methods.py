"""Payment methods: how one is saved to a customer. Card numbers never come here."""

from payment_kit.payments.desk import Desk, Payload
from payment_kit.payments.idempotency import Attempt, Outcome, Request
from payment_kit.payments.resources import Target


async def create(desk: Desk, request: Request, target: Target, params: Payload) -> Outcome:
    """Save a card to a customer: one made from a token of Stripe.js, or an unattached payment method.

    `params` holds either `card_token` or `payment_method`. A shared test id such as ``pm_card_visa`` gives a payment
    method with an id of its own.
    """
    owner = {"customer": params["customer"]}
    details = {name: params[name] for name in ("billing_details", "metadata") if params.get(name)}

    async def work(attempt: Attempt) -> Payload:
        if "card_token" in params:
            new = {"type": "card", "card": {"token": params["card_token"]}, **details}
            made = await attempt.post(target.path, new, step="create")
            return await attempt.post(f"{target.path}/{made['id']}/attach", owner, step="attach")
        attached = await attempt.post(f"{target.path}/{params['payment_method']}/attach", owner, step="attach")
        if not details:
            return attached
        return await attempt.post(f"{target.path}/{attached['id']}", details, step="details")

    return await desk.writes.once(request, work)
