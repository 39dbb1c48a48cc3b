import json

import pytest

from modality_assets.modality import CLASS_OF_CODE, CLASSES, ClassOrderError, check_classes, class_index


def test_the_three_kinds_of_radiograph_are_one_class():
    assert {code for code, name in CLASS_OF_CODE.items() if name == "XR"} == {"CR", "DX", "MG"}
    assert set(CLASS_OF_CODE.values()) == set(CLASSES)


def test_classes_read_from_json_pass_in_their_order_only():
    check_classes(json.loads(json.dumps(CLASSES)), "index.json")
    with pytest.raises(ClassOrderError, match=r"old/index\.json"):
        check_classes(["MR", "PT", "CT", "XR"], "old/index.json")


def test_a_subset_or_a_string_is_not_the_classes():
    for found in (["CT", "MR"], "CTMRPTXR", None):
        with pytest.raises(ClassOrderError):
            check_classes(found, "here")


def test_an_unknown_class_is_named():
    assert class_index("PT") == 2
    with pytest.raises(ValueError, match="'US'"):
        class_index("US")
