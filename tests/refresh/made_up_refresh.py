"""A made-up refresh with one of everything."""

from modality_assets.refresh.record import DatasetRow, ModelRow, Refresh, Release, SplitRow, WorkRow


def made_up_refresh(number: int = 2, **changes) -> Refresh:
    """Return a finished refresh: one new, one revised, one withdrawn, one dropped, one unchanged dataset."""
    facts = {
        "archive": "replica",
        "from_release": Release("2025-03-03", "a" * 64),
        "to_release": Release("2025-09-01", "b" * 64),
        "cohort": "c" * 64,
        "started_utc": "2026-01-02T05:00:00+00:00",
        "finished_utc": "2026-01-02T06:30:00+00:00",
        "state": "done",
        "datasets": (
            DatasetRow("ankle", "new", "1" * 64, "test", 4, 40),
            DatasetRow("brain", "revised", "2" * 64, "train", 8, 80),
            DatasetRow("chest", "withdrawn", None, "train"),
            DatasetRow("digit", "dropped", None, "validate"),
            DatasetRow("elbow", "unchanged", "3" * 64, "train", 5, 50),
        ),
        "retired": ("chest", "digit"),
        "work": (
            WorkRow("rewrite_shards", "image_range|train", "4" * 64, "done", 1, "r1"),
            WorkRow("fetch_dataset", "ankle", "1" * 64, "done", 2, "r3"),
            WorkRow("fetch_dataset", "brain", "2" * 64, "set aside", 3, "r6", "DeliveryError: half a zip"),
        ),
        "splits": (
            SplitRow("image_range", "train", "d" * 64, "e" * 64),
            SplitRow("image_range", "validate", "f" * 64, "f" * 64),
        ),
        "models": (
            ModelRow("resnet18", "image_range", "promoted", 0.8, 0.85, 0.0),
            ModelRow("vgg16", "image_range", "kept", 0.9, 0.7, 0.0),
        ),
    }
    return Refresh(number, **facts | changes)
