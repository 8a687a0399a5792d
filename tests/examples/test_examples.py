"""The programs in examples/ do what they say, against the real service."""

import asyncio
import os
import sys
from pathlib import Path

from tests import node
from tests.client.tls import secured
from tests.fix_service import Service

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DESCRIPTORS = EXAMPLES.parent / "payment_kit" / "v1" / "payment_kit.binpb"
STORY = [
    "1999 usd STATE_SUCCEEDED, order 1001",
    "500 usd back: STATE_SUCCEEDED",
    "CARD_DECLINED: generic_decline",
]
LISTED = ["listed 1999 usd", "listed 500 jpy"]


async def _told(*command: Path | str, **environment: str) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode().splitlines()


async def test_the_python_example(service: Service) -> None:
    told = await _told(sys.executable, EXAMPLES / "python" / "purchase.py", service.server.address)

    assert (told[:3], sorted(told[3:])) == (STORY, LISTED)


async def test_the_python_example_through_tls(service: Service, tmp_path: Path) -> None:
    async with secured(service, tmp_path) as there:
        told = await _told(
            sys.executable,
            EXAMPLES / "python" / "purchase.py",
            there.address,
            CA_FILE=str(there.ca),
            API_KEY="pk_test_1",
        )

    assert told[:3] == STORY


async def test_the_asynchronous_python_example(service: Service) -> None:
    told = await _told(sys.executable, EXAMPLES / "python" / "purchase_async.py", service.server.address)

    assert told == ["10 of 10 paid", "3 refunded, 4500 fils", "all listed: True"]


async def test_the_node_example(service: Service) -> None:
    told = await _told_by_node(service.server.address)

    assert (told[:3], sorted(told[3:])) == (STORY, LISTED)


async def test_the_node_example_through_tls(service: Service, tmp_path: Path) -> None:
    async with secured(service, tmp_path) as there:
        told = await _told_by_node(there.address, CA_FILE=str(there.ca), API_KEY="pk_test_1")

    assert told[:3] == STORY


async def _told_by_node(address: str, **environment: str) -> list[str]:
    folder = await asyncio.to_thread(node.packages, EXAMPLES / "node")
    environment |= {"PATH": node.environment()["PATH"], "NODE_PATH": str(folder / "node_modules")}
    return await _told("node", EXAMPLES / "node" / "purchase.cjs", address, DESCRIPTORS=str(DESCRIPTORS), **environment)
