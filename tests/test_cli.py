"""The command as a user types it: exit codes and sentences."""

import json

import pytest
from click.testing import CliRunner

from modality_assets.archives.replica.content import ensure_content
from modality_assets.catalogue.cohort import choose_cohort
from modality_assets.cli import main


@pytest.fixture
def modality(monkeypatch, tmp_path):
    """A function that runs the command in an empty folder and returns its result."""
    monkeypatch.chdir(tmp_path)
    for name in ("MODALITY_DATA", "MODALITY_ARCHIVE", "MODALITY_DAGSTER_URL"):
        monkeypatch.setenv(name, "")  # so that what a command sets is put back
        monkeypatch.delenv(name)
    return lambda *arguments: CliRunner().invoke(main, [str(each) for each in arguments])


def test_an_unknown_archive_is_refused_with_the_valid_ones(modality):
    result = modality("demo", "--archive", "zorro")
    assert result.exit_code == 1
    assert "folder:PATH" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_folder_without_a_description_says_what_to_write(modality, tmp_path):
    (tmp_path / "empty").mkdir()
    result = modality("plan", "--archive", f"folder:{tmp_path / 'empty'}")
    assert result.exit_code == 1
    assert "datasets.csv" in result.stderr


def test_a_row_without_files_is_named_by_its_line(modality, tmp_path):
    folder = tmp_path / "rowless"
    (folder / "A" / "CT").mkdir(parents=True)
    (folder / "datasets.csv").write_text("dataset,modality,body_part,licence\nA,CT,chest,CC0\n")
    result = modality("plan", "--archive", f"folder:{folder}")
    assert result.exit_code == 1
    assert "line 2" in result.stderr


def test_every_command_says_which_data_root_it_uses(modality, tmp_path):
    result = modality("shards", "verify", "--archive", "idc")
    assert str(tmp_path / "data" / "idc") in result.stdout.replace("\n", "")
    assert "every shard is whole" in result.stdout


def test_settings_that_are_not_allowed_are_named(modality, tmp_path):
    config = tmp_path / "mine.json"
    config.write_text('{"image_size": 3}')
    result = modality("run", "--config", config)
    assert result.exit_code == 1
    assert "image_size" in result.stderr
    assert not (tmp_path / "data" / "replica" / "settings.json").exists()


def test_without_a_model_predict_says_how_to_get_one(modality, tmp_path):
    result = modality("predict", tmp_path)
    assert result.exit_code == 1
    assert "modality demo" in result.stderr


def test_the_difference_of_two_cohorts_is_printed(modality, tmp_path, series_table):
    for name, rows in (("old", series_table.head(3)), ("new", series_table)):
        _, lock = choose_cohort(rows, caps={})
        (tmp_path / f"{name}.lock.json").write_text(json.dumps(lock))
    result = modality("cohort", "diff", tmp_path / "old.lock.json", tmp_path / "new.lock.json")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("added") >= series_table.height - 3


def test_the_embedded_archive_can_be_set_to_its_next_release(modality, tmp_path):
    ensure_content(tmp_path / "data" / "replica" / "archive", datasets=[])
    result = modality("archive", "release", 2)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "data" / "replica" / "archive" / "release").read_text().strip() == "2"


@pytest.mark.parametrize("command", [[], ["archive"], ["cohort"], ["shards"], *([name] for name in main.commands)])
def test_every_command_explains_itself(modality, command):
    result = modality(*command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout
