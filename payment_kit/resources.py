"""Where the files live that are not Python: SQL and notebooks.

In a wheel they sit inside the package; in a checkout (and an editable install) beside it, where people look.
"""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder ``sql``, ``notebooks`` … of this installation; raises FileNotFoundError for another name."""
    for candidate in (PACKAGE / name, PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"{name}/ is not part of this installation")
