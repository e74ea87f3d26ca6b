"""Stand-ins: test doubles for the clouds' provider plugins, attached to the real engine."""
