"""Who may call: keys, tokens, networks, rates."""
