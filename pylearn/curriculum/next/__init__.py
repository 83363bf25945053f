"""What comes next: segmentation, transformers, transfer."""

LESSONS: dict[str, str] = {}
