"""Bayesian statistics and networks."""

LESSONS: dict[str, str] = {}
