"""Who calls, what he may do and how much, and what he did: callers, their keys, certificates and tokens, the audit."""
