"""What would fail, asked before money is spent."""
