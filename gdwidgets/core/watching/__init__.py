"""Watching a training loop that somebody else wrote: what it computed, step by step."""
