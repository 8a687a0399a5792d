"""JSON that PostgreSQL can hold: NUL characters and lone surrogates become U+FFFD, everything else stays as it came.

Both are valid JSON escapes and appear in names and metadata people paste, but ``jsonb`` and ``text`` refuse them.
"""

import re

REPLACEMENT = "\ufffd"

_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_RAW_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
# Every escape is matched, so that an escaped backslash is never taken for the beginning of another one.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<offends>u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|.)",
    re.DOTALL,
)


def clean_json(body: bytes) -> bytes:
    """`body` with each character that offends PostgreSQL replaced in its place; `body` itself when there is none.

    Nothing is parsed: what is no JSON stays none. A body without suspects costs one search (0.06 ms for 200 KB).
    """
    if _SUSPECT.search(body):
        body = _ESCAPE.sub(_replaced, body)
    if _RAW_SURROGATE.search(body):
        body = _RAW_SURROGATE.sub(REPLACEMENT.encode(), body)
    return body


def _replaced(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape["offends"] else escape[0]
