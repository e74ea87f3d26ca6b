"""Resources of our own: keyed dynamic providers that run the slipway command."""
