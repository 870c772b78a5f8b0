"""What is minimized: losses as functions of parameters."""
