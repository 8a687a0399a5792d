"""The small vocabulary of a notebook: `params`, `connect`, `check`, `chart`, `table`, `export`.

Cells stay thin: they name a period, open the books, ask `payment_kit.finance`, and show. What is shown is plain HTML
and SVG, without script and without a network request, so the report made from a run looks the same.
"""

from payment_kit.notebook.bridge_chart import chart
from payment_kit.notebook.export import export
from payment_kit.notebook.panel import check
from payment_kit.notebook.session import Scope, connect, params
from payment_kit.notebook.tables import table

__all__ = ["Scope", "chart", "check", "connect", "export", "params", "table"]
