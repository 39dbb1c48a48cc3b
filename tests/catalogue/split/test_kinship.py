import polars as pl

from modality_assets.catalogue import published
from modality_assets.catalogue.split.kinship import find_expected, find_kin, plain_name, read_kinship


def test_every_row_of_the_table_names_two_datasets_what_they_share_and_a_source():
    table = read_kinship()
    assert table.height >= 30
    for row in table.iter_rows(named=True):
        assert all(row.values()), row
        assert plain_name(row["dataset"]) != plain_name(row["other"])
        assert any(mark in row["source"] for mark in ("doi:", "arXiv:", "index of IDC", "med.upenn.edu")), row


def test_no_pair_stands_in_the_table_twice():
    table = read_kinship()
    pairs = [frozenset(plain_name(cell.split("|")[0]) for cell in row[:2]) for row in table.iter_rows()]
    assert len(pairs) == len(set(pairs))


def test_brats20_is_kin_of_both_glioma_collections_under_every_spelling():
    for names in (("BraTS20", "TCGA-GBM", "TCGA-LGG"), ("MICCAI_BraTS2020", "tcga_gbm", "tcga_lgg")):
        assert {(pair.one, pair.other) for pair in find_kin(names)} == {
            tuple(sorted((names[0], other))) for other in names[1:]
        }


def test_collections_whose_identifiers_differ_in_the_collections_name_alone_are_kin():
    assert len(find_kin(["midrc_ricord_1a", "midrc_ricord_1c", "midrc_ricord_1b"])) == 1


def test_measured_and_curated_evidence_of_one_pair_is_one_pair_with_both(shared_of):
    kinship = pl.DataFrame({"dataset": ["A"], "other": ["b"], "relation": ["the same scans"], "source": ["Doe 2020"]})
    (pair,) = find_kin(["a", "b"], kinship, shared_of(("a", "b")))
    assert pair.patients == 3
    assert "PATIENT-17" in pair.evidence
    assert "Doe 2020" in pair.evidence


def test_a_measured_overlap_of_placeholders_does_not_bind(no_kinship, shared_of):
    silent = shared_of(("a", "b")).with_columns(telling=pl.lit(False))
    assert find_kin(["a", "b"], no_kinship, silent) == []


def test_what_a_dataset_yet_to_come_would_join_is_foreseen():
    (pair,) = find_expected(["tcga_gbm", "tcga_lgg"])
    assert (pair.one, pair.other) == ("tcga_gbm", "tcga_lgg")
    assert "BraTS" in pair.evidence
    assert find_expected(["tcga_gbm", "lidc_idri"]) == []


def test_the_published_split_leaks_through_brats20():
    split_of = dict(published.datasets().select("name", "split").iter_rows())
    leaks = {(pair.one, pair.other) for pair in find_kin(split_of) if split_of[pair.one] != split_of[pair.other]}
    assert leaks == {("BraTS20", "TCGA-GBM"), ("BraTS20", "TCGA-LGG")}
