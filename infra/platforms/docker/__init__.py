"""One host with Docker, this one or over ssh: the same image as on a cluster."""
