"""No shape of a secret survives redaction, wherever in a notebook it stands."""

from typing import Any

import nbformat
import pytest

from payment_kit.runs.redact import redact_notebook, redact_text
from payment_kit.telemetry.redaction import holds_secret

NB: Any = nbformat.v4
SECRETS = [
    "sk_live_51Habcdefghijklmnop",
    "rk_test_51Habcdefghijklmnop",
    "whsec_abcdefghijklmnop123",
    "postgresql://finance:hunter2hunter2@db:5432/books",
    "host=db password=hunter2hunter2 dbname=books",
    "pi_123_secret_abcdefghijklmnopqrst",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_recognised_and_taken_out(secret: str) -> None:
    shown = redact_text(f"before {secret} after")
    assert holds_secret(secret)
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert not any(part in shown for part in ("hunter2", "abcdefghijklmnop"))


def test_a_known_secret_of_any_shape_is_taken_out() -> None:
    assert "correct horse" not in redact_text("it is correct horse", ["correct horse"])


@pytest.mark.parametrize(
    "text", ["txn_1SeedBooksTies0000000288", "postgresql://db/books", "https://a.b/c:1", "12:30 me@b"]
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact_text(text) == text


def test_every_corner_of_a_notebook_is_cleaned() -> None:
    secret = SECRETS[0]
    output = NB.new_output("execute_result", data={"text/html": secret, "application/json": {"deep": [secret]}})
    cell = NB.new_code_cell(f"key = '{secret}'", outputs=[output], metadata={"note": secret})
    book = NB.new_notebook(cells=[cell])
    book.metadata["papermill"] = {
        "input_path": "/home/ann/x.ipynb",
        "output_path": "/srv/y.ipynb",
        "parameters": {"a": secret},
    }
    redact_notebook(book)
    assert "sk_live" not in NB.writes(book)
    assert (book.metadata["papermill"]["input_path"], book.metadata["papermill"]["output_path"]) == (
        "x.ipynb",
        "y.ipynb",
    )
