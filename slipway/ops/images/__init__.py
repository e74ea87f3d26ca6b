"""Images: built once for all machines."""
