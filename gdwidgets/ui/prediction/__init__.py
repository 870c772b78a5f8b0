"""Predict first: what is asked, how it is answered, and what is said of the answer."""
