"""Decisions: costs, thresholds, calibration."""

LESSONS: dict[str, str] = {}
