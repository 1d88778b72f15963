"""Suites that print ratios: ``make bench`` runs them all, ``make bench SUITE=name`` one."""
