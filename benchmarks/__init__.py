"""Measurements, run by `make bench-…`: each prints what it measured beside a reference of the same run.

Nothing here is imported by the portal. docs/performance.md holds the figures.
"""
