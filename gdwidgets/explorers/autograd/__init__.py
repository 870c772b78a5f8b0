"""The autograd graph of an expression."""
