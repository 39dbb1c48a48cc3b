"""The benchmark of the loader runs and compares like with like."""

import json

from modality_assets.bench import loader
from modality_assets.bench.cache import drop_caches
from modality_assets.bench.loader import bench_loader


def test_the_loader_is_measured_beside_the_published_ways(tmp_path, monkeypatch):
    # as for all who are not root: nobody else's files are to be forgotten here
    monkeypatch.setattr(loader, "drop_caches", lambda files: drop_caches(files, tmp_path / "nothing" / "here"))
    result = bench_loader(full=100, small=300, repeats=1, folder=tmp_path)
    assert json.loads(json.dumps(result)) == result
    ways = {"sequential_read", "shards", "shards_compressed", "shards_8_bit", "one_file_per_image", "float64_batches"}
    assert set(result["cold_images_per_second"]) == set(result["warm_images_per_second"]) == ways
    ratios = {name for name in result if name.endswith("_ratio")}
    assert {"loader_to_one_file_per_image_ratio", "loader_to_sequential_read_ratio"} < ratios
    assert {"loader_to_training_ratio", "limit_to_one_file_per_image_ratio"} < ratios
    assert result["cache_dropped_by"] == "posix_fadvise"
    assert all(result[name] > 0 for name in ratios)
    assert set(result["at_64"]) == set(result) - {"at_64"}
    assert (result["size"], result["at_64"]["size"]) == (224, 64)
    assert list(tmp_path.iterdir()) == [], "nothing stays behind"
