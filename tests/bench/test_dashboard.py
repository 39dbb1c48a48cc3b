import json
import os
from pathlib import Path

import pytest

from modality_assets.bench.dashboard import NoBrowserError, bench_dashboard

CHROMIUM = Path(os.environ.get("MODALITY_CHROMIUM", "/usr/bin/chromium"))


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.is_file(), reason=f"no browser at {CHROMIUM}: install Debian's chromium")
def test_the_measurement_says_when_each_page_shows_its_first_figure() -> None:
    pages = ("overview", "try_it")
    found = bench_dashboard(predictions=300, datasets=9, models=2, rounds=1, pages=pages)
    assert json.loads(json.dumps(found)) == found
    assert set(found["first_figure_seconds"]) == set(pages)
    assert found["slowest_seconds"] == max(found["first_figure_seconds"].values()) > 0.1
    assert found["slowest_to_bare_ratio"] > 0.3
    assert 50 < found["memory_mib"] < 1_536


def test_without_a_browser_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODALITY_CHROMIUM", str(tmp_path / "chromium"))
    with pytest.raises(NoBrowserError, match="install Debian's chromium"):
        bench_dashboard()
