"""A learner's own loop: shown while it runs, beside the reference, and told about."""
