"""What the demo says of its stages."""

import pytest

from payment_kit.cli.demo_stages import deliveries


@pytest.mark.parametrize(
    ("sent", "rest"), [(104, ""), (107, " + 3 repeated"), (102, " − 2 not sent")], ids=["all", "again", "some waiting"]
)
def test_the_figures_of_the_webhooks_add_up(sent: int, rest: str) -> None:
    counts = {"events": 100, "sent": sent, "duplicated": 14, "dropped": 10, "delayed": 3, "reordered": 2}
    said = f"100 + 14 sent twice − 10 dropped{rest} = {sent} sent, 3 late, 2 out of order"
    assert deliveries(counts) == said
