"""Finance: pure functions over the books. What ties, what does not, and what cannot be known yet."""

from payment_kit.finance.checks import Break, Check, Status, overall
from payment_kit.finance.periods import Period, parse_period
from payment_kit.finance.reconciliation import Reconciliation, reconcile

__all__ = ["Break", "Check", "Period", "Reconciliation", "Status", "overall", "parse_period", "reconcile"]
