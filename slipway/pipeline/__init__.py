"""From a model folder to an artifact: train or load, convert, optimize, measure, judge, store."""
