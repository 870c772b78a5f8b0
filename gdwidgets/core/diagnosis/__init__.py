"""What a recorded training loop does, and where it differs from a reference."""
