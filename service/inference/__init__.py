"""The model: fetched, verified, loaded, run in batches."""
