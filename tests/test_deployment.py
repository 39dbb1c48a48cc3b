"""The files in deploy/: they load, name commands that there are, and agree with what the project writes itself."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from modality_assets.cli import main
from modality_assets.defs.instance import POSTGRES_CONFIG
from modality_assets.layout import STORAGE

DEPLOY = Path(__file__).parents[1] / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = {name: service for name, service in COMPOSE["services"].items() if "command" in service}
SETTINGS = dict(line.split("=", 1) for line in (DEPLOY / "service.env").read_text().splitlines() if line[0] != "#")


def _without_first_line(text: str) -> str:
    return text.split("\n", 1)[1]


def test_the_instance_is_the_one_that_the_project_writes():
    assert _without_first_line((DEPLOY / "dagster.yaml").read_text()) == _without_first_line(POSTGRES_CONFIG)


@pytest.mark.postgres
def test_the_instance_loads_with_a_real_postgres(postgres, tmp_path, monkeypatch):
    import dagster as dg
    from dagster_postgres import PostgresRunStorage

    shutil.copy(DEPLOY / "dagster.yaml", tmp_path)
    monkeypatch.setenv(STORAGE, postgres.url.replace("postgresql://", "postgresql+psycopg2://"))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert isinstance(instance.run_storage, PostgresRunStorage)
        assert instance.get_runs_count() >= 0
        assert instance.run_monitoring_enabled


def test_the_workspace_names_one_code_location(monkeypatch):
    from dagster._core.workspace.load import location_origins_from_yaml_paths

    monkeypatch.setenv("MODALITY_CODE_HOST", "code")
    origins = location_origins_from_yaml_paths([str(DEPLOY / "workspace.yaml")])
    (origin,) = origins.values() if isinstance(origins, dict) else origins
    assert (origin.location_name, origin.host, origin.port) == ("modality", "code", 4000)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_unit(unit, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: install the Debian package systemd")
    here = str(Path(sys.executable).parent)
    for one in UNITS:  # a target names the others
        (tmp_path / one.name).write_text(one.read_text().replace("/opt/modality/bin", here))
    command = ["systemd-analyze", "verify", "--recursive-errors=no", str(tmp_path / unit.name)]
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stderr
    assert verified.stderr == ""


def test_every_unit_is_started_by_the_target():
    target = (DEPLOY / "systemd" / "modality.target").read_text()
    started = {unit.name for unit in UNITS if "WantedBy=modality.target" in unit.read_text()}
    assert started == set(re.findall(r"modality-\w+\.\w+", target))


def test_compose_and_systemd_run_the_same_commands():
    by_systemd = {}
    for unit in UNITS:
        found = re.search(r"^ExecStart=/opt/modality/bin/(.*)$", unit.read_text(), re.MULTILINE)
        if found and "oneshot" not in unit.read_text():
            by_systemd[unit.stem.removeprefix("modality-")] = found[1].replace("--host 127.0.0.1 ", "")
    by_compose = {name: service["command"].replace("--host 0.0.0.0 ", "") for name, service in SERVICES.items()}
    assert by_compose == by_systemd


def test_what_compose_publishes_is_on_loopback_and_every_container_sees_the_data():
    for name, service in SERVICES.items():
        assert service["volumes"] == ["data:/var/lib/modality/data"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert service["environment"]["MODALITY_CODE_HOST"] == "code"
    assert SETTINGS["DAGSTER_HOME"].startswith(SETTINGS["MODALITY_DATA"])


@pytest.mark.parametrize(
    "command", [service["command"] for service in SERVICES.values() if service["command"].startswith("modality")]
)
def test_the_commands_of_ours_are_there_with_these_options(command):
    _, name, *options = command.split()
    known = CliRunner().invoke(main, [name, "--help"]).output
    assert all(option in known for option in options if option.startswith("--"))
