"""Tests of the held-out cases."""
