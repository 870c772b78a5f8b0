"""A torch expression's autograd graph as data."""
