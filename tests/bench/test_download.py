import json

import pytest

from modality_assets.bench.download import FILES_PER_SERIES, bench_download


@pytest.mark.slow
def test_the_measurement_says_what_verification_costs() -> None:
    result = bench_download(series=1, rounds=1, workers=1)
    assert json.loads(json.dumps(result)) == result
    assert result["files_per_series"] == FILES_PER_SERIES == 100
    assert result["megabytes"] == pytest.approx(50, rel=0.01)
    assert 0 < result["verified_to_unverified_ratio"] < 2
