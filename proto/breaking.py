"""Holds the contract to its word: `buf breaking` against the newest commit of main that has the .proto files.

On main itself that is the commit before the last change of proto/, so a breaking change shows in the same run.
A checkout without history (a tarball, the first commit) has nothing to compare with and says so.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

PROTO = Path(__file__).resolve().parent
REPOSITORY = PROTO.parent


def main() -> int:
    """0 when nothing breaks or there is nothing to compare with; buf's exit code otherwise."""
    against = _base()
    if against is None:
        print("buf breaking: no earlier contract to compare with")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", against, "proto"], cwd=REPOSITORY, check=True, capture_output=True)
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        buf = Path(sys.executable).with_name("buf")
        return subprocess.run([buf, "breaking", PROTO, "--against", f"{folder}/proto"], check=False).returncode


def _base() -> str | None:
    """The commit whose contract callers may already use."""
    if _git("rev-parse", "--abbrev-ref", "HEAD") not in ("main", "HEAD"):
        return _git("merge-base", "HEAD", "main")
    changes = (_git("log", "--first-parent", "--format=%H", "--", "proto/payment_kit") or "").split()
    if _git("status", "--porcelain", "--", "proto/payment_kit"):
        return changes[0] if changes else None
    return changes[1] if len(changes) > 1 else None


def _git(*arguments: str) -> str | None:
    result = subprocess.run(["git", *arguments], cwd=REPOSITORY, check=False, capture_output=True, text=True)
    return result.stdout.strip() or None if result.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
