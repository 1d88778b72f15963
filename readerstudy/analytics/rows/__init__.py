"""The rows of the results page and of the report, from the statistics document alone."""
