import pytest

from modality_assets.settings import DEMO, Settings, SettingsError, read_settings, write_settings


def test_settings_written_and_read_are_the_same(tmp_path):
    changed = DEMO.with_changes({"image_size": 96, "excluded": {"BAD": "all scouts"}})
    write_settings(tmp_path / "settings.json", changed)
    assert read_settings(tmp_path / "settings.json", Settings()) == changed


def test_without_a_file_the_defaults_hold(tmp_path):
    assert read_settings(tmp_path / "settings.json", DEMO) == DEMO


def test_the_defaults_are_those_of_the_published_study():
    settings = Settings()
    assert settings.image_size == 224
    assert settings.recipe == "dissertation"
    assert settings.caps == {"MR": 100_000, "CT": 50_000}
    assert settings.shares == {"train": 0.65, "validate": 0.15, "test": 0.20}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"image_size": 4}', "image_size"),
        ('{"imagesize": 64}', "imagesize"),
        ('{"image_size": ', "not valid JSON"),
        ("[1]", "one JSON object"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(tmp_path, text, says):
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(SettingsError, match=says) as error:
        read_settings(path, DEMO)
    assert str(path) in str(error.value)


def test_a_change_for_one_run_is_checked_too():
    with pytest.raises(SettingsError, match="aspect"):
        DEMO.with_changes({"aspect": "squeeze"})
