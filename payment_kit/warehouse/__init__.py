"""The analysts' data path: PostgreSQL → Arrow (ADBC) → DuckDB in memory, in one consistent snapshot."""

from payment_kit.warehouse.books import Books, Watermark, open_books
from payment_kit.warehouse.tables import TABLES, create_tables

__all__ = ["TABLES", "Books", "Watermark", "create_tables", "open_books"]
