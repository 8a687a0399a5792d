"""Checkout sessions, payment links, quotes."""
