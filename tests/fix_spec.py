"""Holds every answer and every event of every sandbox in this process against Stripe's published specification.

What a test's sandboxes said is kept and judged when the test is over, so that judging costs no test its timing; a
violation fails the test that caused it. Sandboxes in child processes are not seen here.
"""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from payment_kit.sandbox.app import Door
from payment_kit.sandbox.call import API_VERSION, Call, public

SHOWN_MAX = 20


class _Heard:
    """What the sandboxes of this process said and nobody judged yet."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, str, int, bytes]] = []
        self.events: list[tuple[str, dict[str, Any]]] = []

    def judged(self) -> list[str]:
        """Where it breaks the specification; forgets it."""
        answers, self.answers = self.answers, []
        events, self.events = self.events, []
        if not answers and not events:
            return []
        from tests.sandbox import spec  # two seconds: only for workers that meet a sandbox

        found = [problem for row in answers for problem in spec.judge(*row[:3], orjson.loads(row[3]))]
        types = spec.event_types()
        for type_, row in events:
            if type_ not in types:
                found.append(f"{type_}: the specification has no such event")
            found += [f"{type_}: {problem}" for problem in spec.problems(public(row))]
        return list(dict.fromkeys(found))


_HEARD = _Heard()


def heard() -> list[tuple[str, str, int, bytes]]:
    """The answers of this test's sandboxes so far: method, path, status, body."""
    return _HEARD.answers


@pytest.fixture(scope="session", autouse=True)
def _listening() -> Iterator[None]:
    """Overhears every door and every event; judges at the end what was said after the last test."""
    answer, emit = Door.__call__, Call.emit

    async def overheard(self: Door, scope: Any, receive: Any, send: Any) -> None:
        started: dict[str, Any] = {}

        async def tell(message: Any) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            elif message.get("body") and not message.get("more_body"):  # a body cut short on purpose says nothing
                _hear(scope, started, message["body"])
            await send(message)

        await answer(self, scope, receive, tell)

    def told(self: Call, type_: str, row: Any, *more: Any, **named: Any) -> None:
        _HEARD.events.append((type_, row))
        emit(self, type_, row, *more, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Door, "__call__", overheard)
        patched.setattr(Call, "emit", told)
        yield
    _complain()


def _hear(scope: Any, started: dict[str, Any], body: bytes) -> None:
    headers = {name.lower(): value for name, value in started.get("headers", [])}
    if headers.get(b"content-type") != b"application/json" or not scope["path"].startswith("/v1/"):
        return
    if headers.get(b"stripe-version") == API_VERSION.encode():
        _HEARD.answers.append((scope["method"], scope["path"], started["status"], body))


@pytest.fixture(autouse=True)
def _conforming() -> Iterator[None]:
    yield
    _complain()


def _complain() -> None:
    found = _HEARD.judged()
    if found:
        more = [f"… and {len(found) - SHOWN_MAX} more"] if len(found) > SHOWN_MAX else []
        pytest.fail("The sandbox broke Stripe's specification:\n" + "\n".join(found[:SHOWN_MAX] + more), pytrace=False)
