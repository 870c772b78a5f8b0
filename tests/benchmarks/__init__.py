"""Measurements to be read, not tests that pass or fail: ``python -m tests.benchmarks``."""
