"""What is watched of a stack's services, whatever runs them: rules, and how a Prometheus finds what to scrape."""
