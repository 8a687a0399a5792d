"""A stateful Stripe that runs offline: its own product, apart from the rest of the house (it imports only `money`).

`Sandbox` is the object, with ``.app`` an ASGI application that works without a socket; `SandboxServer` serves it in the
running loop, `SandboxThread` from a thread; `StripeSandbox` is what a test holds of a served one.
"""

from payment_kit.sandbox.handle import SandboxError, StripeSandbox, Webhook
from payment_kit.sandbox.journal import StateInUse
from payment_kit.sandbox.server import Sandbox, SandboxServer, serve_until
from payment_kit.sandbox.thread import SandboxThread

__all__ = [
    "Sandbox",
    "SandboxError",
    "SandboxServer",
    "SandboxThread",
    "StateInUse",
    "StripeSandbox",
    "Webhook",
    "serve_until",
]
