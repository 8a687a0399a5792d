"""A stateful Stripe that runs offline: its own product, apart from the rest of the house (it imports only `money`)."""

from payment_kit.sandbox.journal import StateInUse
from payment_kit.sandbox.server import Sandbox, SandboxServer, serve_until

__all__ = ["Sandbox", "SandboxServer", "StateInUse", "serve_until"]
