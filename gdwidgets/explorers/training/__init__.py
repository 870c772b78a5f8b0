"""Any training loop, watched: its loss, and the norms of its parameter tensors."""
