"""The descent: its settings, its records, and the step that makes them."""
