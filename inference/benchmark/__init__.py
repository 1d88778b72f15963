"""The paper's Tables 3, 4, 6 and 7, measured on one's own held-out cases and printed beside the paper's."""
