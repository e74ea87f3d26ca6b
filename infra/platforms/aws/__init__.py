"""EKS with all that it stands on: network, cluster, registry, model bucket, identity, edge, watching, budget."""
