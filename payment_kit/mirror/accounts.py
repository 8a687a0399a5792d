"""Whose Stripe this is: the account behind the key, remembered with its mode so that test and live never mix."""

from dataclasses import dataclass

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.errors import UsageProblem
from payment_kit.stripe_gateway.gateway import StripeGateway

_REMEMBER = sql("sync.remember_account")


@dataclass(frozen=True, slots=True)
class Account:
    """A Stripe account in one mode; `created` is when it was opened, in Stripe's Unix seconds, if known."""

    id: str
    livemode: bool
    display_name: str | None = None
    created: int | None = None


async def identify(gateway: StripeGateway, pool: Pool) -> Account:
    """Ask Stripe whose key this is and remember the account.

    Raises `UsageProblem` LIVEMODE_MISMATCH when this database holds the account's data of the other mode, and the
    gateway's problems when Stripe refuses the key or cannot be reached.
    """
    body = (await gateway.request("get", "/v1/account")).body
    dashboard = (body.get("settings") or {}).get("dashboard") or {}
    account = Account(body["id"], gateway.livemode, dashboard.get("display_name"), body.get("created"))
    parameters = {"account_id": account.id, "livemode": account.livemode, "display_name": account.display_name}
    async with pool.connection() as connection:
        row = await (await connection.execute(_REMEMBER, parameters)).fetchone()
    if row is None or row[0] != account.livemode:
        mode = "test" if account.livemode else "live"
        raise UsageProblem("LIVEMODE_MISMATCH", f"This database holds the {mode} data of {account.id}.")
    return account
