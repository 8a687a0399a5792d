"""Whose Stripe this is: the accounts behind our keys and those connected to them, remembered with their mode.

A key belongs to one account, its platform; the accounts connected to it are reached with the same key and a
``Stripe-Account`` header (docs.stripe.com/connect/authentication). Each has its rows, its streams and its inbox under
its own id. Test and live never mix under one id.
"""

from dataclasses import dataclass

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.errors import UsageProblem
from payment_kit.stripe_gateway.gateway import StripeGateway

_REMEMBER = sql("accounts.remember")
_REMEMBER_CONNECTED = sql("accounts.remember_connected")
_CONNECTED = sql("accounts.connected")


@dataclass(frozen=True, slots=True)
class Account:
    """A Stripe account in one mode; `created` is when it was opened, in Stripe's Unix seconds, if known.

    `platform` is the account of the key a connected account is reached with; None for the key's own account.
    """

    id: str
    livemode: bool
    display_name: str | None = None
    created: int | None = None
    platform: str | None = None

    @property
    def header(self) -> str | None:
        """What its requests carry as ``Stripe-Account`` (the gateway's `account=`); None for the key's own account."""
        return self.id if self.platform else None

    @property
    def key_account(self) -> str:
        """The account of the key it is reached with: under this id its inbox rows and debts are worked off."""
        return self.platform or self.id


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


async def find_connected(pool: Pool, platform: Account) -> None:
    """Remember the accounts connected to `platform`: those it lists in table accounts, and those events came from."""
    parameters = {"platform": platform.id, "livemode": platform.livemode}
    async with pool.connection() as connection:
        await connection.execute(_REMEMBER_CONNECTED, parameters)


async def connected(pool: Pool, platform: Account) -> list[Account]:
    """The accounts known to be connected to `platform`, in the order of their ids, in its mode only."""
    parameters = {"platform": platform.id, "livemode": platform.livemode}
    async with pool.connection() as connection:
        rows = await (await connection.execute(_CONNECTED, parameters)).fetchall()
    return [Account(row[0], platform.livemode, row[1], platform=platform.id) for row in rows]
