"""`payment-kit certificate`: callers who trust it are served, its key is nobody else's, and it is made once."""

import asyncio
import stat
from pathlib import Path

import pytest

from payment_kit.cli import main
from payment_kit.client import AsyncClient, Patience, Tls, Unavailable
from tests.client.tls import behind
from tests.fix_service import Service


def _called(*words: str) -> Path:
    """Runs the command; the folder it writes to."""
    with pytest.raises(SystemExit) as ended:
        main(["certificate", *words])
    assert ended.value.code == 0
    return Path("var/tls")


async def test_callers_who_trust_it_are_served(service: Service, clean_settings: Path) -> None:
    folder = await asyncio.to_thread(_called, "--name", "payments.internal")
    ca = clean_settings / "tls" / "certificate.pem"
    assert folder.resolve() == ca.parent

    async with behind(service, (folder / "key.pem").read_bytes(), ca.read_bytes()) as address:
        async with AsyncClient(address, tls=Tls(ca=ca)) as client:
            await client.customers.create_customer()
        async with AsyncClient(address, tls=Tls(), patience=Patience(tries=1)) as stranger:
            with pytest.raises(Unavailable):
                await stranger.customers.create_customer()

    assert len(service.made("customer")) == 1


@pytest.mark.usefixtures("clean_settings")
def test_the_key_is_nobody_else_s() -> None:
    folder = _called()

    assert stat.S_IMODE((folder / "key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == ["certificate.pem", "key.pem"]


@pytest.mark.usefixtures("clean_settings")
def test_one_that_is_there_stays(capsys: pytest.CaptureFixture[str]) -> None:
    before = (_called() / "certificate.pem").read_bytes()

    assert (_called() / "certificate.pem").read_bytes() == before
    assert "already" in capsys.readouterr().out
