"""Which endpoint a request is for, as Stripe counts them: one named operation, whatever the object.

Source: docs.stripe.com/rate-limits ("each named API operation is a separate endpoint").
"""

NAMESPACES = frozenset(
    "apple_pay apps billing billing_portal checkout climate commerce core entitlements financial_connections "
    "forwarding identity issuing money_management radar reporting sigma tax terminal test_helpers treasury".split()
)
"""First segments that hold collections and are none themselves."""
OPERATIONS = frozenset({"create_preview", "preview", "search", "upcoming"})
"""What stands in an id's place and is none."""


def endpoint(method: str, path: str) -> str:
    """E.g. ``GET invoices/*/lines`` for a get of ``/v1/invoices/in_1/lines``: what stands in an id's place is ``*``."""
    segments = path.partition("?")[0].strip("/").split("/")[1:]
    named = 0
    while named < len(segments) - 1 and segments[named] in NAMESPACES:
        named += 1
    shown = [
        "*" if place > named and (place - named) % 2 == 1 and segment not in OPERATIONS else segment
        for place, segment in enumerate(segments)
    ]
    return f"{method.upper()} {'/'.join(shown)}"
