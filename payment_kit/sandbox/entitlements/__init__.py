"""Entitlements: features of products, and what a customer's subscriptions entitle him to."""
