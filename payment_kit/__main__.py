"""`python -m payment_kit` is the command line."""

from payment_kit.cli import main

main()
