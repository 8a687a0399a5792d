"""What the sandbox does in another way than Stripe, or leaves out; docs/sandbox-differences.md is rendered from it.

Written for people who decide whether it is enough for their tests. What is refused as a whole stands in
docs/sandbox-coverage.md; here stands what one could otherwise take for Stripe's behaviour.
"""

from typing import NamedTuple


class Difference(NamedTuple):
    """One thing that is not as at Stripe: what Stripe does, what the sandbox does, why or what to do about it."""

    topic: str
    stripe: str
    sandbox: str
    so: str = ""


# operations that answer in Stripe's shape and from which nothing else follows: "GET path" -> what does not follow
SHAPE_ONLY: dict[str, str] = {}

DIFFERENCES: tuple[Difference, ...] = ()
