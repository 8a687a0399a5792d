"""Named queries: SQL lives in ``sql/queries/<topic>.sql``, Python asks for it by name.

    -- name: inbox.store
    -- Store one verified delivery; nothing happens when the event is there already.
    insert into payment_kit.inbox (...) values (%(account_id)s, ...) on conflict do nothing;

``STORE = sql("inbox.store")`` at the top of a module fails at import when the query is missing. The name begins with
the name of its file. A test PREPAREs every query against the migrated database.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import LiteralString, NamedTuple

from payment_kit.resources import folder

_NAME = re.compile(r"^--[ ]*name:[ ]*(\S*)[ ]*$", re.MULTILINE)
_PARAMETER = re.compile(r"%(?:\((\w+)\)[sbt]|%)")


class Query(NamedTuple):
    """`sql` is one statement with ``%(name)s`` placeholders, `parameters` their names in order of first use."""

    name: str
    comment: str
    sql: LiteralString
    parameters: tuple[str, ...]


def sql(name: str) -> LiteralString:
    """The text of the query `name`; raises KeyError for a name no file has."""
    return query(name).sql


def query(name: str) -> Query:
    """The query `name` with its comment and parameters; raises KeyError for a name no file has."""
    known = queries()
    if name not in known:
        raise KeyError(f"no query {name} in sql/queries/{name.partition('.')[0]}.sql")
    return known[name]


@cache
def queries() -> Mapping[str, Query]:
    """Every named query of this installation; raises ValueError when a file is malformed (see `load`)."""
    return load(folder("sql") / "queries")


def load(directory: Path) -> dict[str, Query]:
    """Read ``*.sql`` of a folder. Raises ValueError for a double name, a name outside its file's topic, SQL before the
    first name, or a name without SQL."""
    found: dict[str, Query] = {}
    for path in sorted(directory.glob("*.sql")):
        before, *parts = _NAME.split(path.read_text(encoding="utf-8"))
        if _without_comments(before):
            raise ValueError(f"{path.name}: SQL before the first `-- name:`")
        for name, body in zip(parts[::2], parts[1::2], strict=True):
            if not re.fullmatch(rf"{re.escape(path.stem)}\.[a-z][a-z0-9_]*", name):
                raise ValueError(f"{path.name}: the name {name!r} must look like {path.stem}.something")
            if name in found:
                raise ValueError(f"{path.name}: {name} is there twice")
            found[name] = _parse(name, body)
    return found


def numbered(query: Query) -> str:
    """The query with ``$1, $2, …`` in place of its placeholders, as PREPARE wants it."""
    numbers = {name: f"${position}" for position, name in enumerate(query.parameters, 1)}
    return _PARAMETER.sub(lambda match: numbers[match[1]] if match[1] else "%", query.sql)


def _parse(name: str, body: str) -> Query:
    lines = body.strip().splitlines()
    count = next((i for i, line in enumerate(lines) if not line.startswith("--")), len(lines))
    comment = " ".join(line.removeprefix("--").strip() for line in lines[:count])
    text = "\n".join(lines[count:]).strip().removesuffix(";").rstrip()
    if not _without_comments(text):
        raise ValueError(f"{name} has no SQL")
    parameters = tuple(dict.fromkeys(match[1] for match in _PARAMETER.finditer(text) if match[1]))
    return Query(name, comment, text, parameters)


def _without_comments(text: str) -> str:
    return re.sub(r"--[^\n]*", "", text).strip()
