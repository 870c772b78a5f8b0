"""Numbers that somebody else recorded, to be played: losses, and a path with its losses."""
