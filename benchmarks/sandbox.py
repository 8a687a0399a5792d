"""How much business the sandbox holds, and how fast it answers: ``python benchmarks/sandbox.py [--small]``.

Builds two years of a business (2,000 subscribers, 50,000 payments; a tenth with --small), serves it over HTTP, and asks
from a process of its own: pages of 100 one after the other, then 200 clients at once. Prints medians, the peak memory
of the whole process and the machine; nothing is asserted.
"""

import argparse
import asyncio
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median, quantiles

import aiohttp

from payment_kit.sandbox import Sandbox, SandboxServer
from payment_kit.sandbox.business import play, read

BUSINESS = Path(__file__).with_name("scale.toml")
PAGES = 200
CLIENTS = 200
REQUESTS_PER_CLIENT = 20
LISTS = ("customers", "subscriptions", "invoices", "charges", "payment_intents", "balance_transactions", "events")


def main() -> None:
    """Build, serve, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="A tenth of the business.")
    parser.add_argument("--ask", nargs=2, metavar=("URL", "KEY"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ask:
        asyncio.run(ask(*arguments.ask))
        return
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f}")
    business = read(str(BUSINESS))
    if arguments.small:
        business = type(business)(**{**vars(business), "first_month": business.first_month // 10})
    sandbox = Sandbox(now=business.start)
    wall, cpu = time.perf_counter(), time.process_time()
    told = play(sandbox, business)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"built: {told.objects['subscription']:,} subscribers, {told.objects['payment_intent']:,} payments, "
          f"{sum(told.objects.values()):,} objects in {wall:.1f} s ({cpu:.1f} s CPU)")  # fmt: skip
    asyncio.run(serve(sandbox))
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024:.2f} GiB")


async def serve(sandbox: Sandbox) -> None:
    """Serve while a child process asks."""
    async with SandboxServer(sandbox) as server:
        command = [sys.executable, __file__, "--ask", server.url, sandbox.api_key]
        child = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        out, _ = await child.communicate()
        print(out.decode(), end="")


async def ask(url: str, key: str) -> None:
    """The client: pages in turn, then many clients at once."""
    headers = {"Authorization": f"Bearer {key}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, headers=headers, connector=connector) as session:
        for kind in LISTS:
            took = await pages(session, f"/v1/{kind}?limit=100")
            print(f"page of 100 {kind}: median {median(took):.1f} ms, p99 {quantiles(took, n=100)[98]:.1f} ms")
        began = time.perf_counter()
        answers = await asyncio.gather(*(client(session, number) for number in range(CLIENTS)))
        seconds = time.perf_counter() - began
        failed = sum(status != 200 for statuses in answers for status in statuses)
        sent = CLIENTS * REQUESTS_PER_CLIENT
        rate = f"{sent:,} requests in {seconds:.1f} s ({sent / seconds:,.0f}/s)"
        print(f"{CLIENTS} clients at once: {rate}, {failed} errors")


async def pages(session: aiohttp.ClientSession, path: str) -> list[float]:
    """Milliseconds of each page, walking back from the newest."""
    took: list[float] = []
    cursor = ""
    while len(took) < PAGES:
        began = time.perf_counter()
        async with session.get(path + cursor) as response:
            body = await response.json()
        took.append((time.perf_counter() - began) * 1000)
        cursor = f"&starting_after={body['data'][-1]['id']}" if body["has_more"] else ""
    return took


async def client(session: aiohttp.ClientSession, number: int) -> list[int]:
    """The statuses of one client's reads and writes."""
    statuses = []
    for turn in range(REQUESTS_PER_CLIENT):
        if turn % 2:
            sent = session.get("/v1/charges?limit=10")
        else:
            sent = session.post("/v1/customers", data={"email": f"{number}.{turn}@example.com"})
        async with sent as response:
            await response.read()
            statuses.append(response.status)
    return statuses


if __name__ == "__main__":
    main()
