"""A whole serving process for tests to kill: the receiver and a worker on one database.

python -m tests.webhooks.serving DSN PORT SECRET
"""

import asyncio
import sys

import uvicorn
from pydantic import SecretStr

from payment_kit.database.connection import open_pool
from payment_kit.mirror.inbox import Inbox
from payment_kit.mirror.intake import Intake
from payment_kit.mirror.worker import Worker
from payment_kit.stripe_gateway import StripeGateway
from payment_kit.webhooks.receiver import receiver
from tests.mirror.events import ACCOUNT


async def main(dsn: str, port: int, secret: str) -> None:
    async with (
        await open_pool(dsn, max_size=4, name="serving") as pool,
        StripeGateway(SecretStr("sk_test_unused"), base="http://127.0.0.1:9", retries=0) as gateway,
    ):
        inbox = Inbox(pool, ACCOUNT)
        worker = Worker(pool, gateway, ACCOUNT, arrived=inbox.arrived)
        app = receiver(Intake(inbox, [SecretStr(secret)], livemode=False))
        working = asyncio.create_task(worker.run(asyncio.Event()))
        await uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off", ws="none")).serve()
        working.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
