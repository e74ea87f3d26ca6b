"""What a service knows of itself: metrics, logs, timings, drift, feedback."""
