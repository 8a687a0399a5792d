"""Takes secrets and machine paths out of a notebook before it is written anywhere."""

from collections.abc import Iterable
from typing import Any

from payment_kit.telemetry.redaction import REDACTED, redact_secrets

KNOWN_CHARACTERS_MIN = 4


def redact_text(text: str, known: Iterable[str] = ()) -> str:
    """`text` without anything that has the shape of a secret and without the `known` ones, whatever their shape."""
    for secret in known:
        if len(secret) >= KNOWN_CHARACTERS_MIN:
            text = text.replace(secret, REDACTED)
    return redact_secrets(text)


def redact_notebook(notebook: Any, known: Iterable[str] = ()) -> None:
    """The same in place for every cell (source, outputs, metadata) and for papermill's absolute paths."""
    secrets = tuple(known)
    about = notebook.metadata.get("papermill", {})
    for key in ("input_path", "output_path"):
        if about.get(key):
            about[key] = str(about[key]).replace("\\", "/").rpartition("/")[2]
    _walk(notebook.cells, secrets)
    _walk(notebook.metadata, secrets)


def _walk(value: Any, secrets: tuple[str, ...]) -> None:
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, entry in list(entries):
        if isinstance(entry, str):
            changed = redact_text(entry, secrets)
            if changed != entry:
                value[key] = changed
        elif isinstance(entry, dict | list):
            _walk(entry, secrets)
