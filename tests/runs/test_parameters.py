"""Parameters are strict and typed, and wrong ones leave nothing behind."""

import json
from pathlib import Path

import pytest

from payment_kit.config import load
from payment_kit.errors import UsageProblem
from payment_kit.runs import list_notebooks, parameters_of, run
from payment_kit.runs.notebooks import checked

NAME = "reconcile/payouts"


def write(folder: Path, source: str) -> None:
    cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": source.splitlines(keepends=True)}
    (folder / "own").mkdir()
    (folder / "own" / "book.ipynb").write_text(json.dumps({"cells": [cell], "metadata": {}}))


def test_the_notebook_is_listed_with_its_title() -> None:
    found = {one.name: one for one in list_notebooks()}
    assert found[NAME].title == "Payout reconciliation"
    assert not any(name.startswith("docs/") for name in found)


def test_parameters_carry_type_default_and_help() -> None:
    period, currency, account = parameters_of(NAME)
    assert (period.name, period.type, period.default) == ("period", "str", "2026-08")
    assert period.help.startswith("month, quarter")
    assert (currency.default, account.default) == ("", "")


@pytest.mark.parametrize(
    ("given", "reason", "says"),
    [
        ({"perriod": "2026-08"}, "PARAMETER_UNKNOWN", "Did you mean period?"),
        ({"x": "1"}, "PARAMETER_UNKNOWN", "It takes period, currency, account."),
        ({"period": "August"}, "PARAMETER_INVALID", "2026-Q3"),
        ({"period": 2026}, "PARAMETER_INVALID", "a text"),
        ({"currency": "USD"}, "PARAMETER_INVALID", "lower-case"),
        ({"currency": "us\nd"}, "PARAMETER_INVALID", "one line"),
        ({"account": "postgresql://me:hunter2@db/x"}, "PARAMETER_INVALID", "looks like a secret"),
        ({"account": "acct_" + "1" * 300}, "PARAMETER_INVALID", "at most 200"),
    ],
)
def test_a_wrong_parameter_is_one_sentence_and_nothing_is_made(
    tmp_path: Path, given: dict[str, object], reason: str, says: str
) -> None:
    with pytest.raises(UsageProblem) as caught:
        run(NAME, given, load(home=tmp_path / "home"))
    assert (caught.value.reason, caught.value.exit_code) == (reason, 2)
    assert says in caught.value.what
    assert "hunter2" not in str(caught.value)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("name", "says"), [("reconcile/payout", "Did you mean reconcile/payouts?"), ("../x", "There is")]
)
def test_a_missing_notebook_names_those_there_are(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        run(name, {}, load(home=tmp_path / "home"))
    assert (caught.value.reason, says in caught.value.what) == ("NOTEBOOK_NOT_FOUND", True)
    assert not (tmp_path / "home").exists()


def test_text_is_read_as_the_declared_type(tmp_path: Path) -> None:
    write(tmp_path, "rows: int = 5  # how many\nquick: bool = False\n")
    assert checked("own/book", {"rows": "7", "quick": "yes"}, tmp_path) == {"rows": 7, "quick": True}
    assert checked("own/book", {}, tmp_path) == {"rows": 5, "quick": False}


@pytest.mark.parametrize("given", [{"rows": "many"}, {"rows": True}, {"rows": 1.5}, {"quick": "perhaps"}, {"quick": 1}])
def test_an_ill_typed_value_is_refused(tmp_path: Path, given: dict[str, object]) -> None:
    write(tmp_path, "rows: int = 5\nquick: bool = False\n")
    with pytest.raises(UsageProblem, match="PARAMETER_INVALID"):
        checked("own/book", given, tmp_path)
