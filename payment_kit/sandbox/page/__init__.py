"""The live page: one static file, no framework, nothing from elsewhere. It holds the key and asks the control API.

It is served without a key because it says nothing; the key stands after ``#`` in its address, which no browser sends.
"""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path


@cache
def answer() -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of the page; its policy allows its own script and style, and asking this server."""
    html = Path(__file__).with_name("index.html").read_text(encoding="utf-8")
    script, style = (_hash(html, tag) for tag in ("script", "style"))
    policy = (
        f"default-src 'none'; script-src '{script}'; style-src '{style}'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "cache-control": "no-store",
        "content-security-policy": policy,
        "content-type": "text/html; charset=utf-8",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    return 200, html.encode(), headers


def _hash(html: str, tag: str) -> str:
    inside = html.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
    return "sha256-" + b64encode(sha256(inside.encode()).digest()).decode()
