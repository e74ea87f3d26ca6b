"""Platform gcp: GKE with all that a service needs around it, in one project."""
