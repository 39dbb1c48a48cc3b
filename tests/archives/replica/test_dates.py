"""Days as clients write them."""

from datetime import date

import pytest

from modality_assets.archives.replica.dates import DateError, read_day


@pytest.mark.parametrize("text", ["03-02-2026", "03/02/2026", "2026/03/02", "2026-03-02", "20260302", " 03-02-2026 "])
def test_every_form_is_the_same_day(text: str) -> None:
    assert read_day(text) == date(2026, 3, 2)


@pytest.mark.parametrize("text", ["", "31-12-2026", "tomorrow"])
def test_what_is_no_day_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(DateError, match="MM-DD-YYYY"):
        read_day(text)
