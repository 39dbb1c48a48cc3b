import numpy as np
import polars as pl
import pytest

from modality_assets.evaluation.errors import ProbabilitiesError, UnknownImagesError
from modality_assets.evaluation.predictions import SCHEMA, by_series, predictions_table

SURE_CT, SURE_XR = [0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.7]


def facts(dataset: list[str], source_file: list[str], **columns: object) -> pl.DataFrame:
    named = {"body_part": "chest", "manufacturer": "GE", "format": "DICOM", "licence": "CC BY 4.0", "bits_stored": 12}
    frame = pl.DataFrame({"dataset": dataset, "source_file": source_file, "frame": [0] * len(dataset)})
    return frame.with_columns(**{name: pl.lit(value) for name, value in (named | columns).items()})


def test_each_prediction_keeps_its_provenance_and_gains_the_facts_of_its_image(provenance):
    rows = provenance(["A", "B"], ["p1", "p2"], ["1.1", "1.2"])
    images = [facts(["B"], ["1.2/1.dcm"], body_part="hand"), facts(["A"], ["1.1/0.dcm"])]
    table = predictions_table(rows, np.array([0, 1]), np.array([SURE_CT, SURE_XR]), split="test", images=images)
    assert table.schema == SCHEMA
    assert table["dataset"].to_list() == ["A", "B"]
    assert table["body_part"].to_list() == ["chest", "hand"]
    assert table["actual"].to_list() == ["CT", "MR"]
    assert table["predicted"].to_list() == ["CT", "XR"]
    assert table["p_XR"].to_list() == pytest.approx([0.1, 0.7])
    assert table["split"].unique().to_list() == ["test"]


def test_an_empty_identifier_is_null(provenance):
    rows = provenance(["A"], [""], ["1.1"])
    table = predictions_table(
        rows, np.array([0]), np.array([SURE_CT]), split="test", images=[facts(["A"], ["1.1/0.dcm"])]
    )
    assert table["patient_id"].to_list() == [None]


def test_a_prediction_of_an_image_nobody_decoded_is_refused_by_name(provenance):
    rows = provenance(["A", "A"], ["p", "p"], ["1.1", "1.9"])
    with pytest.raises(UnknownImagesError, match=r"1 of 2 .*'1.9/1.dcm'.*'A'"):
        predictions_table(
            rows, np.array([0, 0]), np.array([SURE_CT] * 2), split="test", images=[facts(["A"], ["1.1/0.dcm"])]
        )


def test_an_image_decoded_twice_is_refused(provenance):
    rows = provenance(["A"], ["p"], ["1.1"])
    with pytest.raises(UnknownImagesError, match="twice"):
        predictions_table(
            rows,
            np.array([0]),
            np.array([SURE_CT]),
            split="test",
            images=[facts(["A", "A"], ["1.1/0.dcm", "1.1/0.dcm"])],
        )


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([[2.0, -1.0, 0.5, 0.1]], "softmax"),
        ([[np.nan, 0.5, 0.5, 0.0]], "finite"),
        ([[0.5, 0.5]], "expected"),
        ([SURE_CT, SURE_CT], "expected"),
    ],
)
def test_what_is_no_probability_is_refused(provenance, rows, why):
    with pytest.raises(ProbabilitiesError, match=why):
        predictions_table(
            provenance(["A"], ["p"], ["1.1"]),
            np.array([0]),
            np.array(rows),
            split="test",
            images=[facts(["A"], ["1.1/0.dcm"])],
        )


def test_a_series_is_the_mean_of_its_images(predictions):
    images = predictions([0, 0, 0, 1], [0, 0, 3, 1], series=["s", "s", "s", "t"], confidence=[0.4, 0.4, 0.97, 0.7])
    series = by_series(images)
    assert series["series_uid"].to_list() == ["s", "t"]
    assert series["images"].to_list() == [3, 1]
    assert series["predicted"].to_list() == ["XR", "MR"]  # one very sure image outweighs two unsure ones
    assert series["p_XR"][0] == pytest.approx((0.2 + 0.2 + 0.97) / 3, abs=1e-6)


def test_a_series_of_the_same_uid_in_another_dataset_is_another_series(predictions):
    images = predictions([0, 0], [0, 0], series=["s", "s"], dataset=["A", "B"])
    assert len(by_series(images)) == 2


def test_an_image_without_series_is_a_series_of_its_own(predictions):
    images = predictions([0, 0], [0, 0]).with_columns(series_uid=pl.lit(None, dtype=pl.String))
    assert by_series(images)["images"].to_list() == [1, 1]
