"""Makes the row in which dj-stripe's webhook view looks its secret up, under a path that is known beforehand."""

import os

import django

django.setup()

from djstripe.models import WebhookEndpoint  # noqa: E402

WebhookEndpoint.objects.create(
    id="we_peers",
    djstripe_uuid="11111111-1111-4111-8111-111111111111",
    secret=os.environ["STRIPE_WEBHOOK_SECRET"],
    url="http://127.0.0.1/",
    livemode=False,
    enabled_events=["*"],
    stripe_data={"id": "we_peers", "status": "enabled"},
)
