"""What the commands do. No click: they are called by commands, and by each other."""
