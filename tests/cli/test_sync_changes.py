"""`sync changes` writes one line for each change and remembers a follower's place."""

import asyncio

import orjson
import pytest

from payment_kit.cli import main
from payment_kit.database.connection import connect_async
from payment_kit.mirror.writer import write
from payment_kit.sandbox import Sandbox
from tests.mirror.events import ACCOUNT, NOON, customer, state


def _change(dsn: str, *names: str) -> None:
    async def run() -> None:
        async with await connect_async(dsn) as connection:
            for second, name in enumerate(names):
                await write(connection, ACCOUNT, False, [state(customer(name), id=f"e{name}", created=NOON + second)])

    asyncio.run(run())


def _shown(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str], str]:
    with pytest.raises(SystemExit) as ended:
        main(["sync", "changes", *words])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out.splitlines(), said.err


def test_each_change_is_a_line_and_the_cursor_goes_on(
    against_stripe: Sandbox, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _change(database, "a", "b")
    code, lines, said = _shown(capsys, "--json")
    found = [orjson.loads(line) for line in lines]
    told = [(one["operation"], (one["before"] or {}).get("name"), one["after"]["name"]) for one in found]
    assert (code, told) == (0, [("insert", None, "a"), ("update", "a", "b")])
    assert said.strip() == f"Go on with --from {found[-1]['cursor']}"
    assert _shown(capsys, "--from", found[0]["cursor"])[1][0].endswith("update  customer cus_1  by eb")
    assert _shown(capsys, "--object", "charge")[1] == _shown(capsys, "--from", "now")[1] == []


def test_a_named_follower_sees_each_change_once(
    against_stripe: Sandbox, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _change(database, "a")
    seen = [len(_shown(capsys, "--name", "tail")[1]) for _ in range(2)]
    _change(database, "a", "b")
    assert [*seen, len(_shown(capsys, "--name", "tail")[1])] == [1, 0, 1]


def test_what_is_no_cursor_is_refused(against_stripe: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, said = _shown(capsys, "--from", "yesterday")
    assert (code, "PK-CURSOR_INVALID" in said) == (2, True)
