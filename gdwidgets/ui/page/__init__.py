"""What an explorer asks of the page by a script of its own: keys, names, visibility, downloads."""
