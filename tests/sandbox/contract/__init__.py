"""The contract suite: against ourselves, against one that differs, against nobody."""
