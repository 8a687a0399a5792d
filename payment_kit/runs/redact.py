"""Takes secrets and machine paths out of a notebook before it is written anywhere."""

import re
from collections.abc import Iterable
from typing import Any

HIDDEN = "[redacted]"
_PATTERNS = (
    re.compile(r"\b(?:sk|rk|pk|ek)_(?:live|test)_[A-Za-z0-9_]+"),
    re.compile(r"\bwhsec_[A-Za-z0-9+/=_]+"),
    re.compile(r"(?<=://)[^\s/@:'\"]*:[^\s@'\"]+(?=@)"),
    re.compile(r"(?i)(?<=\bpassword=)(?!\*)('[^']*'|[^\s'\"&]+)"),
    re.compile(r"(?<=_secret_)[A-Za-z0-9]{12,}"),
)


def holds_secret(text: str) -> bool:
    """True when `text` has the shape of a key, a signing secret, a client secret or an address with a password."""
    return any(pattern.search(text) for pattern in _PATTERNS)


def redact_text(text: str, known: Iterable[str] = ()) -> str:
    """`text` without anything that has the shape of a secret and without the `known` ones, whatever their shape."""
    for secret in known:
        if len(secret) >= 4:
            text = text.replace(secret, HIDDEN)
    for pattern in _PATTERNS:
        text = pattern.sub(HIDDEN, text)
    return text


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
