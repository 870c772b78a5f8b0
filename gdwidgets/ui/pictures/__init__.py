"""What the pictures show, as data, and all places where they stand without live widgets."""
