"""Gradient descent on a function of two variables."""
