"""Which notebooks there are, which parameters each one takes, and whether given ones are right.

The parameters of a notebook are the annotated assignments of its cell tagged ``parameters``; the comment behind one is
its help. Nothing of this needs Jupyter.
"""

import ast
import difflib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from payment_kit import resources
from payment_kit.errors import Broken, UsageProblem
from payment_kit.finance import parse_period
from payment_kit.telemetry.redaction import holds_secret

TEXT_MAX = 200


class Notebook(NamedTuple):
    """One notebook people can run: `name` is its path without suffix, e.g. ``reconcile/payouts``."""

    name: str
    title: str
    description: str


class Parameter(NamedTuple):
    """One parameter: its name, its type (``str``, ``int``, ``bool``), its default and what it means."""

    name: str
    type: str
    default: object
    help: str


def list_notebooks(folder: Path | None = None) -> list[Notebook]:
    """Every notebook of this installation that can be run, by name; ``docs/`` is for reading."""
    root = folder or resources.folder("notebooks")
    found = sorted(path for path in root.rglob("*.ipynb") if not _hidden(path.relative_to(root)))
    return [_describe(root, path) for path in found]


def find(name: str, folder: Path | None = None) -> tuple[str, Path]:
    """The full name and the file of a notebook; raises `UsageProblem` NOTEBOOK_NOT_FOUND naming those there are."""
    root = folder or resources.folder("notebooks")
    known = [one.name for one in list_notebooks(root)]
    wanted = name.removesuffix(".ipynb").removeprefix("notebooks/")
    if wanted in known:
        return wanted, root / f"{wanted}.ipynb"
    nearest = difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
    hint = f" Did you mean {nearest[0]}?" if nearest else f" There is {', '.join(known) or 'none'}."
    raise UsageProblem("NOTEBOOK_NOT_FOUND", f"There is no notebook {name[:80]!r}.{hint}")


def parameters_of(name: str, folder: Path | None = None) -> list[Parameter]:
    """The parameters of a notebook in their order; raises `UsageProblem` NOTEBOOK_NOT_FOUND."""
    for cell in json.loads(find(name, folder)[1].read_text("utf-8"))["cells"]:
        if "parameters" in cell["metadata"].get("tags", ()):
            return _declared("".join(cell["source"]))
    return []


def checked(name: str, given: Mapping[str, object], folder: Path | None = None) -> dict[str, object]:
    """All parameters of a run, defaults filled in, text read as the declared type.

    Raises `UsageProblem` PARAMETER_UNKNOWN (with the nearest name) or PARAMETER_INVALID.
    """
    declared = {one.name: one for one in parameters_of(name, folder)}
    for key in given:
        if key not in declared:
            nearest = difflib.get_close_matches(key, declared, n=1)
            hint = f" Did you mean {nearest[0]}?" if nearest else f" It takes {', '.join(declared) or 'none'}."
            raise UsageProblem("PARAMETER_UNKNOWN", f"{name} has no parameter {key[:80]!r}.{hint}", field=key[:80])
    return {key: _read(one, given[key]) if key in given else one.default for key, one in declared.items()}


def _hidden(path: Path) -> bool:
    return path.parts[0] == "docs" or any(part.startswith(".") for part in path.parts)


def _describe(root: Path, path: Path) -> Notebook:
    about = json.loads(path.read_text("utf-8"))["metadata"].get("payment_kit", {})
    name = path.relative_to(root).with_suffix("").as_posix()
    return Notebook(name, about.get("title", name), about.get("description", ""))


def _declared(source: str) -> list[Parameter]:
    lines = source.splitlines()
    found = []
    for node in ast.parse(source).body:
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None):
            raise Broken("INTERNAL", "The parameters cell holds something else than `name: type = default`.")
        comment = lines[node.lineno - 1][node.end_col_offset or 0 :].partition("#")[2].strip()
        kind = ast.unparse(node.annotation)
        found.append(Parameter(node.target.id, kind, ast.literal_eval(node.value), comment))
    return found


def _read(parameter: Parameter, value: object) -> object:
    try:
        read = _TYPES[parameter.type](value)
    except (ValueError, TypeError):
        raise _invalid(parameter, f"is {_ARTICLES[parameter.type]}, not {str(value)[:40]!r}") from None
    if isinstance(read, str):
        if len(read) > TEXT_MAX or not read.isprintable():
            raise _invalid(parameter, f"is one line of at most {TEXT_MAX} characters")
        if holds_secret(read):
            raise _invalid(parameter, "looks like a secret, and parameters are written into reports")
    if parameter.name in _RULES and read != parameter.default:
        _RULES[parameter.name](parameter, read)
    return read


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    return int(value)


def _flag(value: object) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value.lower() not in words:
        raise ValueError
    return words[value.lower()]


_TYPES: Mapping[str, Callable[[object], object]] = {"str": _text, "int": _integer, "bool": _flag}
_ARTICLES = {"str": "a text", "int": "a whole number", "bool": "true or false"}


def _pattern(pattern: str, says: str) -> Callable[[Parameter, Any], None]:
    def check(parameter: Parameter, value: Any) -> None:
        if value and not re.fullmatch(pattern, value):
            raise _invalid(parameter, f"{says}, not {value[:40]!r}")

    return check


# parameters that mean the same in every notebook
_RULES: Mapping[str, Callable[[Parameter, Any], object]] = {
    "period": lambda _parameter, value: parse_period(value),
    "currency": _pattern("[a-z]{3}", "is three lower-case letters like usd"),
    "account": _pattern("acct_[A-Za-z0-9]+", "is an id that starts with acct_"),
}


def _invalid(parameter: Parameter, what: str) -> UsageProblem:
    return UsageProblem("PARAMETER_INVALID", f"{parameter.name}: it {what}.", field=parameter.name)
