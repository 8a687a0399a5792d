"""A small server that answers as it is told, and time that passes only when it is asked for."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Answers each request with the next of `answers`, the last one for ever, and keeps what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[Answer] = []
        self.asked: list[web.Request] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)


class Waits:
    """A sleep that returns at once and remembers for how long it was asked."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def json(body: object, status: int = 200, **headers: str) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return answer


def limited(**headers: str) -> Answer:
    return json({"error": {"code": "rate_limit"}}, 429, **headers)


async def html(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>private</html>")


async def breaks_off(request: web.Request) -> web.StreamResponse:
    """Promises more of a body than it sends."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"{")
    _hang_up(request)
    return response


async def drops(request: web.Request) -> web.StreamResponse:
    """Closes the connection without an answer."""
    _hang_up(request)
    return web.Response()


def _hang_up(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.close()


def named(**fields: Any) -> Answer:
    """One page of objects: ``named(ids="ab", has_more=True)``."""
    return json({"data": [{"id": one} for one in fields["ids"]], "has_more": fields.get("has_more", False)})
