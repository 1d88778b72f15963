"""All statistics of a reader study: pure NumPy and SciPy, without Django and without any app."""
