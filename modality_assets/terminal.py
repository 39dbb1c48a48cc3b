"""Progress bars, tables and sentences for a person at a terminal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import polars as pl
from rich import progress as bars
from rich.console import Console
from rich.table import Table

from modality_assets.layout import DataLayout
from modality_assets.modality import CLASSES, SPLITS
from modality_assets.prediction.prediction import Prediction, SeriesVote
from modality_assets.progress import LogProgress, Progress
from modality_assets.studies import MAIN_STUDY, NOTHING, REGULARISATION

_LOG_WIDTH = 120
console = Console()
if not console.is_terminal:
    console = Console(width=_LOG_WIDTH)
error_console = Console(stderr=True)


class _Amount(bars.ProgressColumn):
    def render(self, task: bars.Task) -> str:
        if task.fields.get("unit") == "B":
            of = f"/{task.total / 1e6:,.0f}" if task.total else ""
            return f"{task.completed / 1e6:,.0f}{of} MB"
        of = f"/{task.total:,.0f}" if task.total else ""
        return f"{task.completed:,.0f}{of} {task.fields.get('unit', '')}"


class _BarTask:
    def __init__(self, shown: bars.Progress, task: bars.TaskID) -> None:
        self._shown, self._task = shown, task

    def advance(self, amount: float = 1) -> None:
        self._shown.advance(self._task, amount)

    def note(self, text: str) -> None:
        self._shown.update(self._task, note=text)


class Bars:
    """A `modality_assets.progress.Progress` that shows one bar per open task."""

    def __init__(self, shown: bars.Progress) -> None:
        self._shown = shown

    @contextmanager
    def task(self, description: str, total: float | None = None, unit: str = "") -> Iterator[_BarTask]:
        task = self._shown.add_task(description, total=total, unit=unit, note="")
        try:
            yield _BarTask(self._shown, task)
        finally:
            self._shown.remove_task(task)


class _Lines:
    def info(self, msg: object) -> None:
        error_console.print(msg, highlight=False, soft_wrap=True, markup=False)


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Show progress bars until the end of the block; where the output is no terminal, lines on stderr."""
    if not console.is_terminal:
        yield LogProgress(_Lines())
        return
    columns = (
        bars.SpinnerColumn(),
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        _Amount(),
        bars.TimeElapsedColumn(),
        bars.TextColumn("{task.fields[note]}", style="dim"),
    )
    with bars.Progress(*columns, console=console, transient=True) as shown:
        yield Bars(shown)


def print_table(title: str, frame: pl.DataFrame) -> None:
    """Print a frame with a title; numbers are set right and have separators."""
    table = Table(title=title.replace("_", " "), title_justify="left")
    for name, dtype in frame.schema.items():
        table.add_column(name.replace("_", " "), justify="right" if dtype.is_numeric() else "left")
    for row in frame.iter_rows():
        table.add_row(*(_cell(value) for value in row))
    console.print(table)


def print_predictions(votes: Sequence[SeriesVote], refused: Sequence[Prediction]) -> None:
    """Print one row per series, and a line per file that could not be read."""
    table = Table()
    for name in ("series or file", "images", "modality", *CLASSES, "evidence"):
        table.add_column(name, justify="right" if name in ("images", *CLASSES) else "left", overflow="fold")
    for vote in votes:
        shares = (f"{vote.probabilities[name]:.2f}" for name in CLASSES)
        table.add_row(
            vote.path if vote.images == 1 else vote.series, str(vote.images), vote.modality, *shares, vote.evidence
        )
    console.print(table)
    for one in refused:
        error_console.print(f"{one.path}: {one.error}", highlight=False, soft_wrap=True)


def print_comparison(layout: DataLayout) -> None:
    """Print models and trials: accuracy and balanced accuracy by split, beside the published figures; and probes."""
    table = pl.read_parquet(layout.comparison_table)
    trials = sorted(set(table.filter(source="ours")["study"]) - {MAIN_STUDY})
    console.print(comparison_table(table, MAIN_STUDY, "Accuracy / balanced accuracy in per cent"))
    for study in trials:
        console.print(comparison_table(table, study, f"Study: {study}"))
    if layout.probes_table.exists() and not (probes := pl.read_parquet(layout.probes_table)).is_empty():
        console.print(probes_table(probes))
    console.print("95 %: interval of the test accuracy, bootstrapped over datasets and patients. –: not published.")


def comparison_table(comparison: pl.DataFrame, study: str, title: str) -> Table:
    """Arrange the models of one study (columns as in reports/comparison.parquet) as one row each.

    Recipe and seed have columns where they tell rows apart.
    """
    table = Table(title=title, title_justify="left")
    ours = comparison.filter(source="ours", study=study).sort("architecture", "rescaling", "recipe", "seed")
    by_penalty = study == REGULARISATION
    with_recipe, with_seed = by_penalty or ours["recipe"].n_unique() > 1, ours["seed"].n_unique() > 1
    table.add_column("architecture", no_wrap=True)
    if with_recipe:
        table.add_column("recipe", min_width=15)
    if with_seed:
        table.add_column("seed", justify="right")
    table.add_column("rescaling", no_wrap=True)
    for name in ("train", "validate", "test", "95 %", "published validate", "published test"):
        table.add_column(name, justify="right")
    published = comparison.filter(source="published", study=study if by_penalty else MAIN_STUDY)
    for (architecture, rescaling, recipe, seed), rows in ours.group_by(
        ["architecture", "rescaling", "recipe", "seed"], maintain_order=True
    ):
        by_split = {row["split"]: row for row in rows.iter_rows(named=True)}
        printed = published.filter(architecture=architecture)
        printed = printed.filter(recipe=recipe) if by_penalty else printed.filter(rescaling=rescaling)
        beside = {row["split"]: row for row in printed.iter_rows(named=True)}
        test = by_split.get("test", {})
        known = test.get("ci_low") is not None
        table.add_row(
            str(architecture),
            *([str(recipe)] if with_recipe else []),
            *([str(seed)] if with_seed else []),
            "–" if rescaling == NOTHING else str(rescaling),
            *(_pair(by_split.get(split)) for split in SPLITS),
            f"{100 * test['ci_low']:.0f} to {100 * test['ci_high']:.0f}" if known else "–",
            _pair(beside.get("validate")),
            _pair(beside.get("test")),
        )
    return table


def probes_table(probes: pl.DataFrame) -> Table:
    """Arrange probes (columns as in reports/probes.parquet), the one that knows its datasets best first."""
    table = Table(
        title="Study: probe. How often (per cent) a line through the features names an image's dataset",
        title_justify="left",
    )
    for name in ("architecture", "rescaling", "trained", "untrained", "class alone", "chance", "datasets"):
        table.add_column(name, justify="left" if name in ("architecture", "rescaling") else "right")
    for row in probes.sort("accuracy", descending=True).iter_rows(named=True):
        shares = (_per_cent(row[name]) for name in ("accuracy", "untrained", "from_class", "chance"))
        table.add_row(row["architecture"], row["rescaling"], *shares, str(row["datasets"]))
    return table


def _pair(row: dict[str, float | None] | None) -> str:
    if row is None:
        return "–"
    return " / ".join(_per_cent(row[name]) for name in ("accuracy", "balanced_accuracy"))


def _per_cent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f}"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
