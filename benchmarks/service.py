"""What the service costs beside gRPC itself: ``python -m benchmarks.service [--calls N] [--rounds N] [--memory N]``.

Beside it in the same run stands a bare grpc.aio server that does nothing but one prepared SELECT and answers the same
message. Both are asked for customers by a process of its own, 64 calls at a time, in turns; printed are medians of the
calls per second and of the calls per second of the server's own CPU time, which does not depend on who else shares the
cores. Then: two processes at one port, what the service adds to a write, and (``--memory N``) how much memory N calls
take. Exit code 1 when a target is missed.
"""

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import grpc
import orjson
import psycopg
import uvloop
from pydantic import SecretStr

from payment_kit.addresses import bound
from payment_kit.database.connection import open_pool
from payment_kit.database.embedded import embedded
from payment_kit.mirror.concurrently import each
from payment_kit.sandbox import Sandbox, SandboxServer
from payment_kit.stripe_gateway import StripeGateway
from payment_kit.v1.customer_pb2 import CreateCustomerRequest, Customer, GetCustomerRequest, GetCustomerResponse

CUSTOMERS = 1000
IN_FLIGHT = 64
WRITES = 200
TARGET_OF_BARE = 0.6
TARGET_TWO = 1.6
TARGET_WRITE_MILLISECONDS = 5.0
TARGET_MEMORY_GROWTH = 1.1
GET = "/payment_kit.v1.CustomerService/GetCustomer"
CREATE = "/payment_kit.v1.CustomerService/CreateCustomer"
_SELECT = """
    select id, email, name, extract(epoch from created)::bigint from stripe.customers
    where account_id = %s and id = %s and deleted_at is null
"""
Environment = dict[str, str]


def main() -> int:
    """Measure and print; 0 when every target holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000, help="In each round. [10000]")
    parser.add_argument("--rounds", type=int, default=3, help="Of which the medians are printed. [3]")
    parser.add_argument("--memory", type=int, default=0, help="Ask so often, and watch the server's memory. [0]")
    parser.add_argument("--bare", nargs=2, metavar=("DSN", "ACCOUNT"), help=argparse.SUPPRESS)
    parser.add_argument("--ask", nargs=2, metavar=("ADDRESS", "IDS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bare:
        uvloop.run(_bare(*given.bare))
        return 0
    if given.ask:
        uvloop.run(_ask(given.ask[0], Path(given.ask[1]).read_text().split(), given.calls))
        return 0
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f}")
    return asyncio.run(_measure(given))


async def _measure(given: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="payment-kit-service-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # noqa: ASYNC240  # as root the server runs as another account, which has to get in
        dsn = stack.enter_context(embedded(folder / "postgres"))
        sandbox = Sandbox()
        async with SandboxServer(sandbox) as server:
            environment = _environment(dsn, server.url, sandbox.api_key, folder)
            (folder / "ids").write_text("\n".join(await _made(server.url, sandbox.api_key)))
            for words in (["migrate"], ["sync", "backfill", "--object", "customer", "--json"]):
                await asyncio.to_thread(_run, words, environment)
            lab = _Laboratory(folder, dsn, environment, sandbox.account_id, given.calls)
            held = await asyncio.to_thread(_reads, lab, given.rounds)
            held += await asyncio.to_thread(_two, lab, given.rounds)
            held.append(await _writes(lab, server.url, sandbox.api_key))
            if given.memory:
                held.append(await asyncio.to_thread(_memory, lab, given.memory))
    return 0 if all(held) else 1


class _Laboratory:
    """Where the servers are started and asked."""

    def __init__(self, folder: Path, dsn: str, environment: Environment, account: str, calls: int) -> None:
        self.folder, self.dsn, self.environment = folder, dsn, environment
        self.account, self.calls = account, calls

    @contextmanager
    def bare(self) -> Iterator["_Server"]:
        words = [sys.executable, "-m", "benchmarks.service", "--bare", self.dsn, self.account]
        with _served(words, dict(os.environ), self.folder) as found:
            yield found

    @contextmanager
    def ours(self, port: int = 0) -> Iterator["_Server"]:
        words = [
            sys.executable,
            "-m",
            "payment_kit",
            "serve",
            "--only",
            "service",
            "--ready-json",
            "--log-level",
            "error",
        ]
        environment = {**self.environment, "PORT": str(port), "PAYMENT_KIT_SHARE_PORTS": "true"}
        with _served(words, environment, self.folder) as found:
            yield found

    def ask(self, address: str, calls: int, askers: int = 1) -> float:
        """Seconds until so many calls were answered, by so many processes at once."""
        words = [sys.executable, "-m", "benchmarks.service", "--calls", str(calls // askers), "--ask", address]
        asking = [
            subprocess.Popen([*words, str(self.folder / "ids")], stdout=subprocess.PIPE, text=True)
            for _ in range(askers)
        ]
        said = [one.communicate()[0] for one in asking]
        assert not any(one.returncode for one in asking), said
        return max(float(one) for one in said)


class _Server:
    """A process that serves at `address`."""

    def __init__(self, pid: int, address: str) -> None:
        self.address = address
        self._stat, self._status = Path(f"/proc/{pid}/stat"), Path(f"/proc/{pid}/status")

    @property
    def cpu_seconds(self) -> float:
        """What it has used of the processor, its kernel time with it."""
        fields = self._stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def resident_mib(self) -> float:
        """The memory it holds now."""
        line = next(line for line in self._status.read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


def _reads(lab: _Laboratory, rounds: int) -> list[bool]:
    wall: dict[str, list[float]] = {"bare": [], "ours": []}
    cpu: dict[str, list[float]] = {"bare": [], "ours": []}
    with lab.bare() as bare, lab.ours() as ours:
        for server in (bare, ours):
            lab.ask(server.address, lab.calls // 10)
        for _ in range(rounds):
            for name, server in (("bare", bare), ("ours", ours)):
                before = server.cpu_seconds
                wall[name].append(lab.calls / lab.ask(server.address, lab.calls))
                cpu[name].append(lab.calls / (server.cpu_seconds - before))
    for name, said in (("bare", "one prepared SELECT on a bare grpc.aio server"), ("ours", "GetCustomer")):
        print(f"{said}: {median(wall[name]):,.0f} calls/s, {median(cpu[name]):,.0f} per second of its CPU")
    ratio = median(cpu["ours"]) / median(cpu["bare"])
    return [_judge(ratio >= TARGET_OF_BARE, f"{ratio:.2f} of the bare server per core, target {TARGET_OF_BARE}")]


def _two(lab: _Laboratory, rounds: int) -> list[bool]:
    """By CPU time: two processes do twice as much as one as long as a call costs neither of them more."""
    found: dict[int, list[float]] = {1: [], 2: []}
    walls: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for number in (1, 2):
            with bound("127.0.0.1", 0) as free:
                port = free.getsockname()[1]
            with ExitStack() as stack:
                servers = [stack.enter_context(lab.ours(port)) for _ in range(number)]
                lab.ask(servers[0].address, lab.calls // 10, askers=number)
                before = sum(server.cpu_seconds for server in servers)
                walls[number].append(lab.calls / lab.ask(servers[0].address, lab.calls, askers=number))
                used = sum(server.cpu_seconds for server in servers) - before
                found[number].append(number * lab.calls / used)
    ratio = median(found[2]) / median(found[1])
    said = ", ".join(f"{number}: {median(each):,.0f} calls/s" for number, each in walls.items())
    print(f"processes at one port, callers and PostgreSQL on the same cores: {said}")
    return [_judge(ratio >= TARGET_TWO, f"two processes {ratio:.2f} × one, each with a core, target {TARGET_TWO}")]


async def _writes(lab: _Laboratory, url: str, key: str) -> bool:
    """A customer made through the service and at the sandbox alone, in turns, one at a time."""
    stack = ExitStack()
    # The sandbox answers on this loop, so nothing may block it.
    ours = await asyncio.to_thread(stack.enter_context, lab.ours())
    through, alone = [], []
    channel, gateway = grpc.aio.insecure_channel(ours.address), StripeGateway(SecretStr(key), base=url)
    async with channel, gateway:
        create: Any = channel.unary_unary(CREATE, request_serializer=CreateCustomerRequest.SerializeToString)
        for number in range(WRITES):
            began = time.perf_counter()
            await create(CreateCustomerRequest(request_id=str(uuid.uuid4()), name="Ada"))
            between = time.perf_counter()
            await gateway.request("post", "/v1/customers", {"name": "Ada"}, idempotency_key=f"alone-{number}")
            through.append(between - began)
            alone.append(time.perf_counter() - between)
    await asyncio.to_thread(stack.close)
    added = (median(through) - median(alone)) * 1000
    print(
        f"a write: {median(through) * 1000:.1f} ms through the service, {median(alone) * 1000:.1f} ms at Stripe alone"
    )
    return _judge(added < TARGET_WRITE_MILLISECONDS, f"a write takes {added:.1f} ms longer, target under 5 ms")


def _memory(lab: _Laboratory, calls: int) -> bool:
    with lab.ours() as ours:
        lab.ask(ours.address, calls // 10)
        held = [ours.resident_mib]
        for _ in range(9):
            lab.ask(ours.address, calls // 10)
            held.append(ours.resident_mib)
    growth = held[-1] / held[0]
    print(f"memory after each tenth of {calls:,} calls: {', '.join(f'{one:.0f}' for one in held)} MiB")
    return _judge(growth <= TARGET_MEMORY_GROWTH, f"memory ×{growth:.2f} from the first tenth to the last")


def _judge(held: bool, said: str) -> bool:
    print(f"{'PASS' if held else 'FAIL'}  {said}", flush=True)
    return held


# ---- processes ----


def _environment(dsn: str, url: str, key: str, folder: Path) -> Environment:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
    ours = {
        "DATABASE_URL": dsn,
        "STRIPE_API_BASE": url,
        "STRIPE_API_KEY": key,
        "PAYMENT_KIT_HOME": str(folder / "home"),
    }
    return kept | ours


def _run(words: Sequence[str], environment: Environment) -> None:
    subprocess.run([sys.executable, "-m", "payment_kit", *words], env=environment, check=True, capture_output=True)


@contextmanager
def _served(words: Sequence[str], environment: Environment, folder: Path) -> Iterator[_Server]:
    with (folder / f"{uuid.uuid4()}.log").open("w") as log:
        process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said, Path(log.name).read_text()
            yield _Server(process.pid, f"127.0.0.1:{orjson.loads(said)['grpc_port']}")
        finally:
            process.terminate()
            process.wait(30)


async def _made(url: str, key: str) -> list[str]:
    """The ids of new customers."""
    async with StripeGateway(SecretStr(key), base=url) as gateway:

        async def one(number: int) -> str:
            given = {"name": f"Customer {number}", "email": f"customer{number}@example.com"}
            reply = await gateway.request("post", "/v1/customers", given, idempotency_key=f"made-{number}")
            return str(reply.body["id"])

        return await each(one, range(CUSTOMERS), IN_FLIGHT)


async def _bare(dsn: str, account: str) -> None:
    """What gRPC and PostgreSQL cost alone."""
    pool = await open_pool(dsn, max_size=10, name="bare")

    async def get(request: GetCustomerRequest, _context: Any) -> GetCustomerResponse:
        async with pool.connection() as connection:
            cursor: psycopg.AsyncCursor[Any] = await connection.execute(_SELECT, (account, request.id), prepare=True)
            id_, email, name, created = await cursor.fetchone() or ("", "", "", 0)
        customer = Customer(id=id_, email=email, name=name)
        customer.create_time.seconds = created
        return GetCustomerResponse(customer=customer)

    handler = grpc.unary_unary_rpc_method_handler(
        get,
        request_deserializer=GetCustomerRequest.FromString,
        response_serializer=GetCustomerResponse.SerializeToString,
    )
    server = grpc.aio.server()
    service, _, method = GET[1:].partition("/")
    server.add_registered_method_handlers(service, {method: handler})
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(orjson.dumps({"grpc_port": port}).decode() + "\n")
    sys.stdout.flush()
    await server.wait_for_termination()


async def _ask(address: str, ids: Sequence[str], calls: int) -> None:
    """Print the seconds that so many calls take, `IN_FLIGHT` at a time over four connections."""
    waiting = iter(range(calls))

    async def keep_asking(channel: grpc.aio.Channel) -> None:
        get = channel.unary_unary(
            GET, request_serializer=GetCustomerRequest.SerializeToString,
            response_deserializer=GetCustomerResponse.FromString,
        )  # fmt: skip
        for number in waiting:
            id_ = ids[number % len(ids)]
            answer = await get(GetCustomerRequest(id=id_))
            assert answer.customer.id == id_

    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(address, options=options) for _ in range(4)]
    began = time.perf_counter()
    await asyncio.gather(*(keep_asking(channels[number % 4]) for number in range(IN_FLIGHT)))
    print(time.perf_counter() - began)


if __name__ == "__main__":
    sys.exit(main())
