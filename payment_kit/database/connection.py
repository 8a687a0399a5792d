"""Connections to PostgreSQL: one pool per process, single connections, and errors people can act on.

Every connection is in autocommit (a single-statement read is a third faster without BEGIN and COMMIT; writers open
``conn.transaction()``), speaks JSON through orjson, shows times in UTC and has a statement timeout. Settings are
made by statements after connecting, not by startup options, because poolers refuse those.
"""

import select
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import orjson
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from payment_kit.database.binaries import OLDEST_MAJOR
from payment_kit.errors import Problem, Unavailable, UsageProblem

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30
IDLE_TRANSACTION_SECONDS = 60
POOL_WAIT_SECONDS = 10.0
POOL_WAITING_MAX = 2_000
DEADLOCK_TRIES = 5

Pool = AsyncConnectionPool[psycopg.AsyncConnection[tuple[Any, ...]]]
Result = TypeVar("Result")
_DEADLOCK = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


async def open_pool(dsn: str, *, max_size: int, name: str) -> Pool:
    """A pool of 1..`max_size` autocommit connections, already open, at least one of them connected.

    `name` is what ``pg_stat_activity`` shows. A caller waits `POOL_WAIT_SECONDS` at most for a connection, and at most
    `POOL_WAITING_MAX` callers wait; a connection the server has hung up is replaced before it is handed out. However
    long the server was away, it is found again within seconds: the pauses between attempts double only as long as that
    wait. Raises `Problem` DATABASE_UNREACHABLE, DATABASE_TOO_OLD or SETTING_INVALID.
    """
    probe = await connect_async(dsn, name=name)
    await probe.close()
    pool: Pool = AsyncConnectionPool(
        dsn,
        kwargs=_parameters(dsn, name),
        min_size=1,
        max_size=max_size,
        max_waiting=POOL_WAITING_MAX,
        timeout=POOL_WAIT_SECONDS,
        reconnect_timeout=POOL_WAIT_SECONDS,
        configure=_configure_async,
        check=_check,
        name=name,
        open=False,
    )
    with translated(dsn):
        await pool.open(wait=True, timeout=POOL_WAIT_SECONDS)
    return pool


async def through_deadlocks(transaction: Callable[[], Awaitable[Result]]) -> Result:
    """What `transaction` returns; whoever loses against another one starts again, `DEADLOCK_TRIES` times at most."""
    for _ in range(DEADLOCK_TRIES - 1):
        with suppress(*_DEADLOCK):
            return await transaction()
    return await transaction()


async def connect_async(dsn: str, *, name: str = "payment-kit") -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """One autocommit connection outside the pool, e.g. to LISTEN on; errors as in `open_pool`."""
    with translated(dsn):
        connection = await psycopg.AsyncConnection.connect(dsn, **_parameters(dsn, name))
        try:
            _refuse_old(connection.info.server_version)
            await _configure_async(connection)
        except BaseException:
            await connection.close()
            raise
    return connection


def connect(dsn: str, *, name: str = "payment-kit") -> psycopg.Connection[tuple[Any, ...]]:
    """One autocommit connection for synchronous work; errors as in `open_pool`."""
    with translated(dsn):
        connection = psycopg.connect(dsn, **_parameters(dsn, name))
        try:
            _refuse_old(connection.info.server_version)
            _json(connection)
            connection.execute(_SESSION)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def translated(dsn: str) -> Iterator[None]:
    """Turn a lost or refused connection inside the block into a `Problem`; other database errors pass unchanged."""
    try:
        yield
    except (psycopg.OperationalError, PoolClosed) as error:
        found = problem(error, dsn)
        if found is None:
            raise
        raise found from None
    except psycopg.ProgrammingError as error:
        if error.sqlstate is None:
            raise _invalid() from None
        raise


def problem(error: Exception, dsn: str) -> Problem | None:
    """The `Problem` a database error stands for, without the password; None when it is not about the connection."""
    place, user, database = _place(dsn)
    if isinstance(error, PoolTimeout | TooManyRequests):
        return Unavailable(
            "DATABASE_UNREACHABLE", f"No connection to {place} became free in {POOL_WAIT_SECONDS:.0f} s."
        )
    if isinstance(error, PoolClosed):
        return Unavailable("DATABASE_UNREACHABLE", f"The connections to {place} are closed: this process is stopping.")
    if not isinstance(error, psycopg.OperationalError) or not _about_the_connection(error):
        return None
    text = str(error)
    for sign, what in _SIGNS.items():
        if sign in text:
            return Unavailable("DATABASE_UNREACHABLE", what.format(place=place, user=user, database=database))
    return Unavailable("DATABASE_UNREACHABLE", f"PostgreSQL at {place} did not answer: {_first_line(text, dsn)}.")


# libpq's and the server's words -> ours, the first that occurs wins. The server's follow lc_messages, so another
# language falls through to the general sentence.
_SIGNS: Mapping[str, str] = {
    "password authentication failed": "PostgreSQL at {place} refused the password of {user}.",
    "no password supplied": "PostgreSQL at {place} wants a password for {user} and DATABASE_URL has none.",
    "eer authentication failed": "PostgreSQL at {place} does not let this account in as {user}.",
    "no pg_hba.conf entry": "PostgreSQL at {place} does not let {user} in from this machine (pg_hba.conf).",
    "is not permitted to log in": "PostgreSQL at {place} does not permit {user} to log in.",
    "permission denied for database": "PostgreSQL at {place} does not let {user} into database {database}.",
    'database "': "PostgreSQL at {place} has no database {database}.",
    'role "': "PostgreSQL at {place} has no role {user}.",
    "too many clients": "PostgreSQL at {place} has no connection left.",
    "remaining connection slots": "PostgreSQL at {place} has no connection left.",
    "starting up": "PostgreSQL at {place} is starting and not ready yet.",
    "shutting down": "PostgreSQL at {place} is shutting down.",
    "Connection refused": "Nothing listens at {place}.",
    "No such file or directory": "Nothing listens at {place}.",
    "resolve host": "The host name of {place} is unknown.",
    "could not translate host name": "The host name of {place} is unknown.",
    "imeout": "{place} did not answer in time.",
    "SSL": "The TLS connection to {place} failed.",
}

_SESSION = sql.SQL(
    "select set_config('statement_timeout', {}, false),"
    " set_config('idle_in_transaction_session_timeout', {}, false), set_config('timezone', 'UTC', false),"
    # JSON of some kilobytes is compressed in a fifth of the time; a server can be built without it
    " (select set_config('default_toast_compression', 'lz4', false) from pg_settings"
    " where name = 'default_toast_compression' and 'lz4' = any(enumvals))"
).format(f"{STATEMENT_SECONDS}s", f"{IDLE_TRANSACTION_SECONDS}s")


def _parameters(dsn: str, name: str) -> dict[str, Any]:
    parameters: dict[str, Any] = {"autocommit": True, "application_name": name}
    try:
        given = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise _invalid() from None
    ports = [port for port in str(given.get("port") or "").split(",") if port]
    if any(not port.isdecimal() or not 0 < int(port) < 1 << 16 for port in ports):
        raise _invalid()
    if "connect_timeout" not in given:
        parameters["connect_timeout"] = CONNECT_SECONDS
    return parameters


async def _configure_async(connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
    _json(connection)
    await connection.execute(_SESSION)


async def _check(connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
    """Ask only when there is something to read: on an idle connection that is nearly always the server's farewell."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        await AsyncConnectionPool.check_connection(connection)


def _json(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    set_json_loads(orjson.loads, connection)
    set_json_dumps(orjson.dumps, connection)


def _refuse_old(version: int) -> None:
    if version < OLDEST_MAJOR * 10_000:
        raise UsageProblem("DATABASE_TOO_OLD", f"The server is PostgreSQL {version // 10_000}.{version % 10_000}.")


def _about_the_connection(error: psycopg.OperationalError) -> bool:
    state = error.sqlstate
    # 08 connection exceptions, 28 authorization, 3D000 no such database, 53300 too many connections, 57P0x shutdown
    return state is None or state[:2] in ("08", "28") or state in ("3D000", "53300", "57P01", "57P02", "57P03")


def _place(dsn: str) -> tuple[str, str, str]:
    try:
        given = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        return "the server", "the user", "it names"
    host = str(given.get("host") or given.get("hostaddr") or "localhost")
    place = f"the socket in {host}" if host.startswith(("/", "@")) else f"{host}:{given.get('port') or 5432}"
    user = str(given.get("user") or "the current user")
    return place, user, str(given.get("dbname") or user)


def _first_line(text: str, dsn: str) -> str:
    line = next((part.strip() for part in text.splitlines() if part.strip()), "no reason given").rstrip(".")
    password = str(conninfo_to_dict(dsn).get("password") or "")
    return line.replace(password, "***") if password else line


def _invalid() -> UsageProblem:
    return UsageProblem(
        "SETTING_INVALID", "DATABASE_URL: it must look like postgresql://user:password@host:5432/database."
    )
