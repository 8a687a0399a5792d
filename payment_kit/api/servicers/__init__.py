"""One file per service: read the request, hand it to payments, answer with a message."""
