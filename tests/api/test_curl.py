"""`buf curl` calls the service as the README says: by reflection, and by the published descriptor set."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from payment_kit.resources import PACKAGE
from tests.client.tls import secured

from ..fix_service import Service
from . import calls

BUF = Path(sys.executable).with_name("buf")
DESCRIPTORS = PACKAGE / "v1" / "payment_kit.binpb"
PLAIN = ("--http2-prior-knowledge",)
SCHEMA = ("--schema", str(DESCRIPTORS))


async def _curl(url: str, method: str, data: dict[str, Any], *options: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    words = ["curl", "--protocol", "grpc", *options, "-d", json.dumps(data), f"{url}/payment_kit.v1.{method}"]
    process = await asyncio.create_subprocess_exec(
        BUF, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_by_reflection(service: Service) -> None:
    made = await calls.customer(service, email="ada@example.com")

    code, out, err = await _curl(
        f"http://{service.server.address}", "CustomerService/GetCustomer", {"id": made.id}, *PLAIN
    )

    assert code == 0, err
    assert json.loads(out)["customer"]["email"] == "ada@example.com"


async def test_by_the_descriptor_set(service: Service) -> None:
    made = await calls.customer(service, email="ada@example.com")

    code, out, err = await _curl(
        f"http://{service.server.address}", "CustomerService/GetCustomer", {"id": made.id}, *PLAIN, *SCHEMA
    )

    assert code == 0, err
    assert json.loads(out)["customer"]["id"] == made.id


async def test_through_tls(service: Service, tmp_path: Path) -> None:
    made = await calls.customer(service)

    async with secured(service, tmp_path) as there:
        code, out, err = await _curl(
            f"https://{there.address}",
            "CustomerService/GetCustomer",
            {"id": made.id},
            *SCHEMA,
            "--cacert",
            str(there.ca),
        )

    assert code == 0, err
    assert json.loads(out)["customer"]["id"] == made.id
