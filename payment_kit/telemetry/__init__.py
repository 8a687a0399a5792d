"""What the program says about itself, without secrets and personal data."""
