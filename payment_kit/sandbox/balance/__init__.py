"""The balance: fees, balance transactions, payouts."""
