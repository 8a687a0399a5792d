"""Errors in Stripe's shape (docs.stripe.com/api/errors), raised anywhere below the door and rendered once in it."""

from typing import Any

import orjson

DOCS = "https://docs.stripe.com/error-codes/"


class ApiError(Exception):
    """One answer that is not 2xx.

    `keep` commits what the request changed before it failed (a declined charge exists). `stored` says whether the
    answer is kept under the idempotency key: failures of validation are not, what happened in execution is.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        keep: bool = False,
        stored: bool = True,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.status, self.keep, self.stored = status, keep, stored
        error: dict[str, Any] = {"message": message, "type": kind}
        if code is not None:
            error["code"] = code
            if not code.startswith("sandbox_"):
                error["doc_url"] = DOCS + code.replace("_", "-")
        if param is not None:
            error["param"] = param
        self.error = error | {name: value for name, value in extra.items() if value is not None}


def rendered(error: ApiError, account: str, request_id: str) -> bytes:
    """The body of an error's answer; `account` is "" before the key is known."""
    body = dict(error.error)
    if account:
        body["request_log_url"] = f"https://dashboard.stripe.com/{account}/test/workbench/logs?object={request_id}"
    return orjson.dumps({"error": body})


def unrecognized(method: str, path: str) -> ApiError:
    """404 for a method or path Stripe has nothing at."""
    hint = (
        " If you are trying to list objects, remove the trailing slash. If you are trying to retrieve an object, make "
        "sure you passed a valid (non-empty) identifier in your code."
    )
    return ApiError(
        404,
        f"Unrecognized request URL ({method}: {path[:200]}).{hint if path.endswith('/') else ''} Please see "
        "https://stripe.com/docs or we can help at https://support.stripe.com/.",
        stored=False,
    )


def missing(param: str) -> ApiError:
    """A required parameter was not sent."""
    return ApiError(400, f"Missing required param: {param}.", code="parameter_missing", param=param, stored=False)


def unknown(param: str) -> ApiError:
    """A parameter this endpoint does not have."""
    return ApiError(400, f"Received unknown parameter: {param}", code="parameter_unknown", param=param, stored=False)


def invalid(param: str, message: str, code: str | None = None) -> ApiError:
    """A parameter with a value it cannot have."""
    return ApiError(400, message, code=code, param=param, stored=False)


def no_such(kind: str, id_: str, param: str = "id", status: int = 404) -> ApiError:
    """404 for an id in the path, 400 for an id in a parameter."""
    return ApiError(status, f"No such {kind}: '{id_}'", code="resource_missing", param=param)


def wrong_state(message: str, code: str, **extra: Any) -> ApiError:
    """The object's state does not allow this."""
    return ApiError(400, message, code=code, **extra)
