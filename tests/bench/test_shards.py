"""The benchmark of shards runs, and its ratios are what the formats make them."""

import json

import pytest

from modality_assets.bench.shards import bench_shards


def test_shards_are_measured_beside_the_published_batches(tmp_path):
    result = bench_shards(images=300, size=32, memory_images=200, memory_size=16, folder=tmp_path)
    assert json.loads(json.dumps(result)) == result
    assert result["raw_bytes_to_float64_batches_ratio"] == pytest.approx(0.25, rel=0.02)
    assert result["compressed_bytes_to_float64_batches_ratio"] < 0.25
    assert 0 < result["eight_bit_largest_error_of_range"] <= 0.5 / 255 + 1e-5
    assert result["memory"]["images"] == 200
    assert 0 < result["memory"]["mib_before"] <= result["memory"]["peak_mib"] < 2048
    assert result["memory"]["full_size_bytes"] > 4_500_000 * 224 * 224 * 2
    assert list(tmp_path.iterdir()) == [], "nothing stays behind"
