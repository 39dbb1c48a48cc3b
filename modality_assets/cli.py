"""The `modality` command."""

import json
import os
import sys
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import polars as pl
from rich.markup import escape
from rich.text import Text

from modality_assets.archives.open import archive_name
from modality_assets.bench import BENCHES, run_bench
from modality_assets.layout import STORAGE, DataLayout, data_root
from modality_assets.manifest import whole
from modality_assets.settings import DEMO, Settings, read_settings, write_settings
from modality_assets.terminal import (
    console,
    error_console,
    print_comparison,
    print_predictions,
    print_table,
    progress_bars,
)
from modality_assets.user_interfaces import (
    DAGSTER_PORT,
    DASHBOARD_PORT,
    check_ports,
    dagster_command,
    dashboard_command,
    run_together,
)


class _Commands(click.Group):
    """Commands whose named errors end in one sentence and exit code 1, and never in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            error_console.print("stopped; run the same command again to go on from here")
            sys.exit(130)
        except Exception as error:
            if not type(error).__module__.startswith("modality_assets."):
                raise
            error_console.print(Text("error:", "red").append(f" {error}", "default"), highlight=False, soft_wrap=True)
            sys.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Turn public medical image archives into honestly evaluated modality classifiers."""


_archive = click.option(
    "--archive",
    envvar="MODALITY_ARCHIVE",
    default="replica",
    show_default=True,
    help="replica, folder:PATH, nbia[:URL], idc[:S3-ENDPOINT] or dicomweb:URL",
)
_data = click.option("--data", help="the data root, a folder or s3://bucket/prefix; by default ./data/<archive name>")
_storage = click.option(
    "--storage",
    envvar=STORAGE,
    expose_value=False,
    callback=lambda _context, _option, url: os.environ.update({STORAGE: url}) if url else None,
    help="postgresql://user:password@host/database for Dagster's storage; by default SQLite below the data root",
)
_file = click.Path(path_type=Path, exists=True, dir_okay=False)
_config = click.option("--config", type=_file, help="JSON of settings to use from now on")


@main.command()
@_archive
@_data
@_storage
def demo(archive: str, data: str | None) -> None:
    """Materialise the whole graph with small settings, and print what came out."""
    layout = _use(archive, data)
    _keep(layout, read_settings(layout.settings, DEMO))
    _run_graph(layout, [])
    print_comparison(layout)
    named = "" if archive == "replica" else f" ARCHIVE={archive}"
    console.print(f"\nOpen the Dagster UI and the dashboard on these results with [bold]make ui{named}[/bold].")


@main.command()
@_archive
@_data
@_storage
@_config
@click.option("--select", default="", help="assets, separated by commas; by default all")
def run(archive: str, data: str | None, config: Path | None, select: str) -> None:
    """Materialise the graph, or some assets of it, with chosen settings."""
    layout = _use(archive, data)
    _keep(layout, _chosen(layout, config, Settings()))
    _run_graph(layout, [name.strip() for name in select.split(",") if name.strip()])
    if layout.comparison_table.exists():
        print_comparison(layout)


@main.command()
@_archive
@_data
@_storage
@click.option("--dagster-port", default=DAGSTER_PORT, show_default=True)
@click.option("--dashboard-port", default=DASHBOARD_PORT, show_default=True)
@click.option(
    "--follow/--no-follow",
    default=None,
    help="fetch and train by itself what the archive's releases bring; by default for the embedded archive only",
)
def ui(archive: str, data: str | None, dagster_port: int, dashboard_port: int, follow: bool | None) -> None:
    """Start the Dagster UI and the dashboard on loopback, until Ctrl-C."""
    from modality_assets.defs.instance import fail_dead_runs, open_instance

    layout = _use(archive, data)
    follows = archive == "replica" if follow is None else follow
    os.environ["MODALITY_FOLLOW"] = "1" if follows else ""
    check_ports([dagster_port, dashboard_port])
    with open_instance(layout) as instance:
        fail_dead_runs(instance)
    os.environ["MODALITY_DAGSTER_URL"] = f"http://127.0.0.1:{dagster_port}"
    commands = [dagster_command(dagster_port), dashboard_command(dashboard_port)]
    if archive == "replica":
        commands.append(
            [sys.executable, "-m", "modality_assets.cli", "archive", "serve", "--folder", str(layout.replica)]
        )
    console.print(f"Dagster UI  http://127.0.0.1:{dagster_port}")
    console.print(f"dashboard   http://127.0.0.1:{dashboard_port}")
    console.print(
        "The releases of the archive are followed." if follows else "The archive is not followed: --follow does that."
    )
    console.print("Both are up in about ten seconds. Ctrl-C stops both.")
    run_together(commands, layout.root / "ui.log")


@main.command()
@_archive
@_data
@click.option("--budget-gb", type=float, help="most GB to fetch")
@click.option("--cohort", help="'all', or 'dissertation' for the published datasets")
@click.option("--split", "plans", multiple=True, help="a plan to make beside the current one, such as 'published'; "
              "'k-fold' and 'leave-one-out' make several")  # fmt: skip
@_config
def plan(
    archive: str,
    data: str | None,
    budget_gb: float | None,
    cohort: str | None,
    plans: tuple[str, ...],
    config: Path | None,
) -> None:
    """Decide on catalogue, cohort and split without fetching an image, and print the decisions."""
    from modality_assets.planning import named_plans, plan_without_fetching

    layout = _use(archive, data)
    settings = _chosen(layout, config, DEMO if archive == "replica" else Settings())
    asked = {"budget_gb": budget_gb, "cohort": cohort}
    settings = settings.with_changes({name: value for name, value in asked.items() if value is not None})
    _keep(layout, settings)
    several = {"k-fold", "leave-one-out"}.intersection(plans)
    with progress_bars() as progress:
        tables = plan_without_fetching(archive, layout, settings, sorted(set(plans) - several), progress)
        for name in sorted(several):
            tables |= plan_without_fetching(archive, layout, settings, named_plans(layout, name), progress)
    for title, table in tables.items():
        print_table(title, table)


@main.command()
@_archive
@_data
@click.option("--port", default=DASHBOARD_PORT, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="the address to serve on")
def dashboard(archive: str, data: str | None, port: int, host: str) -> None:
    """Serve the dashboard alone, as one process of a service, until it is stopped."""
    _use(archive, data)
    command = dashboard_command(port, host)
    os.execv(command[0], command)


@main.command()
@_archive
@_data
@_storage
@click.option("--serve", type=int, help="serve the page at /health on this port, until Ctrl-C")
@click.option("--host", default="127.0.0.1", show_default=True, help="the address to serve on")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def health(archive: str, data: str | None, serve: int | None, host: str, as_json: bool) -> None:
    """Say whether the service is well, by exit code too: storage, daemons, disk, queue, failed runs, stale results."""
    from modality_assets.defs.health import look
    from modality_assets.defs.workspace import Workspace

    _quiet_dagster()
    layout = DataLayout(data_root(archive_name(archive), data))
    workspace = Workspace(archive=archive, data=layout.address)
    if serve is not None:
        import uvicorn

        from modality_assets.health_page import health_app

        uvicorn.run(health_app(workspace), host=host, port=serve, log_level="warning")
        return
    found = look(workspace)
    if as_json:
        click.echo(json.dumps({"well": found.well, **asdict(found)}, indent=1))
    else:
        for one in found.findings:
            mark = {True: "[green]ok[/green]", False: "[red]not ok[/red]", None: "told"}[one.ok]
            console.print(f"{mark} [bold]{one.name}[/bold] {escape(one.detail)}", highlight=False, soft_wrap=True)
    if not found.well:
        sys.exit(1)


@main.command()
@_archive
@_data
@_storage
@click.option("--days", default=30.0, show_default=True, help="what nothing was written to for so long may go")
@click.option("--dry-run", is_flag=True, help="say what would go, and remove nothing")
def prune(archive: str, data: str | None, days: float, dry_run: bool) -> None:
    """Remove leftovers, replaced results and old runs; never a current result or its last materialisation."""
    from modality_assets.retention import removable, remove, shrink_copy

    layout = _use(archive, data)
    _quiet_dagster()
    from modality_assets.definitions import defs
    from modality_assets.defs.everything import only_one
    from modality_assets.defs.instance import open_instance
    from modality_assets.defs.old_runs import forget, old_runs

    with only_one(layout), open_instance(layout) as instance:
        found = removable(layout, days)
        runs = old_runs(instance, defs, days)
        copied = shrink_copy(layout, days, dry_run=dry_run)
        if not dry_run:
            for one in found:
                remove(one)
            for run_id in runs:
                forget(instance, run_id)
    rows = [(str(one.path.relative_to(layout.root)), one.what, one.size_bytes / 1e6) for one in found]
    if rows:
        print_table("to go" if dry_run else "gone", pl.DataFrame(rows, ["folder", "what", "MB"], orient="row"))
    copies = f", {copied / 1e6:,.1f} MB of copies from the object store" if copied else ""
    freed = sum(one.size_bytes for one in found) / 1e6
    verb = "would go" if dry_run else "gone"
    console.print(f"{verb}: {len(found)} folders ({freed:,.1f} MB), {len(runs)} runs{copies}", highlight=False)


@main.group(name="archive")
def archive_group() -> None:
    """The embedded archive."""


@archive_group.command()
@click.option("--folder", type=click.Path(path_type=Path), help="any folder of DICOM; by default the phantoms")
@click.option("--port", default=0, help="by default any that is free")
def serve(folder: Path | None, port: int) -> None:
    """Serve a folder of DICOM as an NBIA archive under /nbia-api/services/v4/ on loopback, until Ctrl-C."""
    from modality_assets.archives.replica.content import ensure_content
    from modality_assets.archives.replica.server import serve as serve_folder

    if folder is None or folder == DataLayout(folder.parent).replica:
        folder = folder or DataLayout(data_root("replica")).replica
        with progress_bars() as progress:
            ensure_content(folder, progress)
    serve_folder(folder, port, announce=lambda url: console.print(f"serving {folder} at {url}", soft_wrap=True))


@archive_group.command()
@click.argument("number", type=click.IntRange(1, 3))
@_data
def release(number: int, data: str | None) -> None:
    """Let the embedded archive serve release NUMBER from now on; a running server changes at once."""
    from modality_assets.archives.replica.content import set_release

    layout = DataLayout(data_root("replica", data))
    set_release(layout.replica, number)
    console.print(f"{layout.replica} serves release {number}", highlight=False, soft_wrap=True)


@main.group(name="cohort")
def cohort_group() -> None:
    """Cohorts and their lock files."""


@cohort_group.command()
@click.argument("old", type=_file)
@click.argument("new", type=_file)
def diff(old: Path, new: Path) -> None:
    """Say what lock file NEW adds, revises and removes against OLD."""
    from modality_assets.catalogue.locks import diff_locks, read_lock

    difference = diff_locks(read_lock(old), read_lock(new))
    for name, (before, after) in difference.choices.items():
        console.print(f"{name}: {before} → {after}", highlight=False)
    print_table("series per dataset", difference.datasets)
    print_table("series", difference.series)


@main.group(name="shards")
def shards_group() -> None:
    """Training shards."""


@shards_group.command()
@_archive
@_data
def verify(archive: str, data: str | None) -> None:
    """Read every byte of every shard and of the decoded images behind them, and name each damaged file.

    Materialising what is named makes it again.
    """
    from modality_assets.shards.verification import verify_decoded, verify_shards

    layout = _use(archive, data)
    with progress_bars() as progress:
        decoded = [whole(folder) for folder in layout.decoded_folders]
        for folder in layout.shard_folders:
            whole(folder)
        problems = verify_decoded(decoded, progress)
        problems += verify_shards(layout.root / "shards", progress)
    for folder, file, problem in problems:
        error_console.print(f"{folder / file}: {problem}", highlight=False, soft_wrap=True)
    if problems:
        sys.exit(1)
    console.print("every shard is whole, and so are the decoded images behind them")


@main.command()
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="a model's folder or an exported file; by default the best of the data root",
)
@click.option(
    "--evidence", type=click.Choice(["pixels", "intensities", "both"]), help="by default all that the model has"
)
@click.option("--coverage", default=0.95, show_default=True, help="share of validate that got a class, not 'unknown'")
@click.option("--json", "as_json", is_flag=True, help="one JSON object per image, each on a line of its own")
@_archive
@_data
def predict(
    paths: tuple[str, ...],
    model: Path | None,
    evidence: str | None,
    coverage: float,
    as_json: bool,
    archive: str,
    data: str | None,
) -> None:
    """Tell the modality of files, folders, zips or patterns of DICOM, NIfTI, PNG and others."""
    from modality_assets.prediction.best_model import best_model
    from modality_assets.prediction.predictor import Predictor

    chosen = model or best_model(DataLayout(data_root(archive_name(archive), data)))
    predictor = Predictor.load(chosen, coverage=coverage)
    if as_json:
        for prediction in predictor.predict(paths, evidence):
            click.echo(prediction.json())
        return
    with progress_bars() as progress:
        predictions = list(predictor.predict(paths, evidence, progress=progress))
    print_predictions(predictor.vote(predictions), [one for one in predictions if one.error])


@main.command()
@click.option("--model", required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False))
def export(model: Path, out: Path) -> None:
    """Write a model as one ONNX file, with classes, input contract, calibration and the licences of its images."""
    from modality_assets.prediction.exported_network import export_model

    export_model(model, out)
    console.print(f"{out}: {out.stat().st_size / 1e6:.1f} MB", highlight=False, soft_wrap=True)


@main.command()
@click.option("--data", type=click.Path(path_type=Path), help="an empty folder to work in; by default a temporary one")
@click.option("--last", type=click.IntRange(1), help="stop after this release; by default after the newest")
def replay(data: Path | None, last: int | None) -> None:
    """Replay the releases of IDC through catalogue, cohort, plan and sensor, and print what each made it ask for.

    No image is fetched. Ends with code 1 where a dataset moved, or more or less was asked for than changed.
    """
    import polars as pl

    _quiet_dagster()
    from modality_assets.defs.replay import replay_idc

    with progress_bars() as progress, tempfile.TemporaryDirectory() as folder:
        table = replay_idc(data or Path(folder), last=last, progress=progress)
    print_table("releases of the Imaging Data Commons", table)
    totals = table.select(pl.col("asked", "changed", "moved", "seconds").sum()).row(0, named=True)
    console.print(
        f"{totals['asked']} partitions asked for, {totals['changed']} new or changed by the locks of the cohorts, "
        f"{totals['moved']} datasets moved; {totals['seconds']:.0f} s",
        highlight=False,
    )
    if totals["moved"] or not table["agree"].all():
        sys.exit(1)


@main.command()
@click.argument("what", type=click.Choice(list(BENCHES)))
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def bench(what: str, as_json: bool) -> None:
    """Measure a stage against a baseline in the same run; ratios stand under keys that end in _ratio."""
    found = run_bench(what)
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        console.print_json(data=found)


def _use(archive: str, data: str | None) -> DataLayout:
    """Fix archive and data root for this process and its children, and say which root it is."""
    layout = DataLayout(data_root(archive_name(archive), data))
    os.environ["MODALITY_ARCHIVE"] = archive
    os.environ["MODALITY_DATA"] = layout.address
    console.print(
        f"archive [bold]{archive}[/bold], data root [bold]{layout.address}[/bold]", highlight=False, soft_wrap=True
    )
    return layout


def _chosen(layout: DataLayout, config: Path | None, default: Settings) -> Settings:
    """Return the settings of the data root with those of ``config`` over them."""
    kept = read_settings(layout.settings, default)
    return read_settings(config, kept) if config else kept


def _keep(layout: DataLayout, settings: Settings) -> None:
    if read_settings(layout.settings, Settings()) != settings or not layout.settings.exists():
        write_settings(layout.settings, settings)


def _quiet_dagster() -> None:
    import dagster

    for category in (dagster.BetaWarning, dagster.PreviewWarning):
        warnings.filterwarnings("ignore", category=category)


def _run_graph(layout: DataLayout, selected: list[str]) -> None:
    # Imported here: Dagster fixes the partitions from the settings of the data root as it loads.
    _quiet_dagster()
    from modality_assets.definitions import defs
    from modality_assets.defs.everything import run_everything
    from modality_assets.defs.workspace import Workspace

    with progress_bars() as progress:
        made, fresh = run_everything(defs, Workspace.from_environment(), selected, progress, console.print)
    console.print(f"{made} results made, {fresh} found fresh, in {layout.address}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
