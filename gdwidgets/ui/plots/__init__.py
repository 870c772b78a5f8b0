"""Figures and what they are made of."""
