"""The price table: refreshed from the clouds' own lists."""
