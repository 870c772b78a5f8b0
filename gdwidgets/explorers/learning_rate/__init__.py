"""Several learning rates fit one polynomial."""
