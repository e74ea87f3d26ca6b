"""What is served: one process, one model. Imports neither the program nor the pipeline."""
