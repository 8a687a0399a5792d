"""`payment-kit health` says by its exit code whether the service serves."""

import asyncio
from pathlib import Path

import pytest

from payment_kit.cli import main
from tests.client.tls import secured
from tests.fix_service import Service


async def _asked(*words: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(main, ["health", *words])
    return ended.value.code


async def test_a_serving_service(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    assert await _asked(service.server.address) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"SERVING {service.server.address}"


async def test_nobody_there(unused_tcp_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert await _asked(f"127.0.0.1:{unused_tcp_port}") == 1
    assert capsys.readouterr().out == f"UNAVAILABLE 127.0.0.1:{unused_tcp_port}\n"


async def test_the_address_of_this_installation_is_the_default(
    service: Service, clean_settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", str(service.server.port))
    assert clean_settings
    assert await _asked() == 0


async def test_a_service_that_stops(service: Service) -> None:
    await service.server.stop()
    assert await _asked(service.server.address) == 1


async def test_through_tls(service: Service, tmp_path: Path) -> None:
    async with secured(service, tmp_path) as there:
        assert await _asked(there.address, "--ca", str(there.ca)) == 0
