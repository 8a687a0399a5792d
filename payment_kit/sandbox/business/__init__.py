"""Businesses told in readable files, played into a sandbox: months of history in seconds."""

from payment_kit.sandbox.business.business import Business, BusinessError, names, read
from payment_kit.sandbox.business.play import Progress, Told, play

__all__ = ["Business", "BusinessError", "Progress", "Told", "names", "play", "read"]
