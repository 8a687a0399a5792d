"""Several requests at a time, never more than a bound, and the first failure as itself."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def each(function: Callable[[Item], Awaitable[Result]], items: Iterable[Item], at_once: int) -> list[Result]:
    """`function` of every item, in order; at most `at_once` run. The first failure is raised and ends the others.

    There are no more tasks than that, however many items.
    """
    waiting, results = enumerate(items), dict[int, Result]()

    async def work() -> None:
        for number, item in waiting:
            results[number] = await function(item)

    tasks = [asyncio.create_task(work()) for _ in range(at_once)]
    try:
        await asyncio.gather(*tasks)
    finally:
        await _ended(tasks)
    return [results[number] for number in range(len(results))]


async def as_they_come(
    function: Callable[[Item], Awaitable[Result]], items: Iterable[Item], at_once: int
) -> AsyncGenerator[list[Result], None]:
    """The same in lists of whatever has ended since the last one, in no order; to be closed with `aclosing`."""
    gate = asyncio.Semaphore(at_once)

    async def one(item: Item) -> Result:
        async with gate:
            return await function(item)

    tasks = [asyncio.create_task(one(item)) for item in items]
    running = set(tasks)
    try:
        while running:
            ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            yield [task.result() for task in ended]
    finally:
        await _ended(tasks)


async def _ended(tasks: Iterable[asyncio.Task[Result]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
