"""The client through TLS: it shows its certificate, and trusts nobody else."""

import asyncio
from pathlib import Path

import pytest

from payment_kit.client import AsyncClient, Client, Patience, Tls, Unavailable
from tests.fix_service import Service

from .tls import Secured, secured

ONCE = Patience(tries=1)


async def test_an_authority_of_our_own_is_trusted_when_it_is_named(service: Service, tmp_path: Path) -> None:
    async with secured(service, tmp_path) as there, AsyncClient(there.address, tls=Tls(ca=there.ca)) as client:
        made = (await client.customers.create_customer(name="Ada")).customer

        assert await asyncio.to_thread(_names, there) == [made.name]


def _names(there: Secured) -> list[str]:
    with Client(there.address, tls=Tls(ca=there.ca)) as client:
        return [customer.name for customer in client.customers.list_customers()]


async def test_a_certificate_nobody_vouches_for_is_refused(service: Service, tmp_path: Path) -> None:
    async with secured(service, tmp_path) as there, AsyncClient(there.address, tls=Tls(), patience=ONCE) as client:
        with pytest.raises(Unavailable):
            await client.customers.create_customer()

    assert not service.made("customer")


async def test_a_service_that_asks_for_a_certificate_is_shown_it(service: Service, tmp_path: Path) -> None:
    async with secured(service, tmp_path, mutual=True) as there:
        ours = Tls(ca=there.ca, certificate=there.certificate, key=there.key)
        async with AsyncClient(there.address, tls=ours) as known:
            await known.customers.create_customer()
        async with AsyncClient(there.address, tls=Tls(ca=there.ca), patience=ONCE) as stranger:
            with pytest.raises(Unavailable):
                await stranger.customers.create_customer()

    assert len(service.made("customer")) == 1
