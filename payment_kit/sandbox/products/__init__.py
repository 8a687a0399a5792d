"""What is sold, for how much, with which discounts and taxes."""
