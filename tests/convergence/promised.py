"""What the mirror does not promise yet; each switch goes with the code that makes it true."""

CONNECTED_CATCH_UP = False
"""A catch-up heals what connected accounts' events lost, and reads their balance transactions."""
POLLED = False
"""A catch-up lists again what changes without any event."""
