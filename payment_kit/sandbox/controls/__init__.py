"""The operations of the control API, one file per subject; `payment_kit.sandbox.control` puts them together."""
