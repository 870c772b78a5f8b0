"""One module per explorer: its settings, its figures, what it draws at a step."""
