"""The measurement of preprocessing: every way runs, and the answer is JSON with its ratios."""

import json

import pytest

from modality_assets.bench.preprocess import bench_preprocess


@pytest.mark.slow
def test_every_way_runs_and_each_comparison_has_a_ratio() -> None:
    found = json.loads(json.dumps(bench_preprocess(images=16, size=32, repeats=1)))
    assert found["images"] == 16
    assert {"read", "published", "shards", "decode", "uncontained"} <= set(found["images_per_second_per_core"])
    ratios = {key: value for key, value in found.items() if key.endswith("_ratio")}
    assert {"shards_to_published_ratio", "contained_to_uncontained_ratio"} <= set(ratios)
    assert {"two_workers_to_one_ratio", "two_apart_to_one_ratio", "two_workers_to_two_apart_ratio"} <= set(ratios)
    assert all(value > 0 for value in ratios.values() if value is not None)
    # 16 bits against the published float64, and what names every image besides
    assert found["bytes_per_image"]["published"] == 32 * 32 * 4 + 128
    assert found["bytes_per_image"]["decode"] >= 32 * 32 * 2
    assert all(0 < peak < 2000 for peak in found["peak_memory_mb"].values())
