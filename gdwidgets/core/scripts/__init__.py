"""Runs and graphs written down as runnable PyTorch scripts."""
