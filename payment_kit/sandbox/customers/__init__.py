"""Customers and what belongs to them."""
