"""Payment intents and setup intents: what is asked besides the contract's own rules, and the client secret.

The client secret lets a browser finish what was begun. It is handed to whoever makes the write and stored nowhere; a
repeated write fetches it from Stripe again while the intent still needs it.
"""

from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.payments import resources, rules
from payment_kit.payments.desk import Desk, Payload
from payment_kit.payments.idempotency import Outcome, Request
from payment_kit.payments.resources import Target

UNFINISHED = ("requires_payment_method", "requires_confirmation", "requires_action")
"""States in which the customer's browser can still use the client secret."""


async def create(desk: Desk, request: Request, target: Target, params: Payload) -> Outcome:
    """A new intent, paid or set up at once with `confirm`; raises `Declined` when the bank refuses."""
    if params.get("confirm") and "payment_method" not in params:
        rules.invalid("payment_method", "payment_method is required with confirm.")
    for name in ("off_session", "return_url"):
        if name in params and not params.get("confirm"):
            rules.invalid(name, f"{name} is for what is confirmed at once.")
    redirects = "always" if "return_url" in params else "never"
    automatic = {"automatic_payment_methods": {"enabled": True, "allow_redirects": redirects}}
    return await write(desk, request, target, params | automatic)


async def write(desk: Desk, request: Request, target: Target, params: Payload) -> Outcome:
    """As every write, with the client secret in the answer for as long as it is of use."""
    outcome = await resources.write(desk, request, target, params)
    payload = outcome.payload
    if not outcome.replayed or payload.get("status") not in UNFINISHED:
        return outcome
    now = (await desk.gateway.request("get", f"{CATALOGUE[target.object].path}/{payload['id']}")).body
    if now.get("status") not in UNFINISHED:
        return outcome
    return Outcome({**payload, "client_secret": now.get("client_secret")}, replayed=True)
