"""The simulation can see: each planted bug is caught by the seeds that are known to catch it."""

import pytest

from tests.convergence.bugs import BUGS, hunted


@pytest.mark.timeout(400)
def test_every_planted_bug_is_caught() -> None:
    caught = hunted(BUGS, 2, hunt=False)
    assert [bug.name for bug, found in zip(BUGS, caught, strict=True) if found is None] == []
