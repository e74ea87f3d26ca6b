"""Platform kubernetes: any cluster that a kubeconfig leads to."""
