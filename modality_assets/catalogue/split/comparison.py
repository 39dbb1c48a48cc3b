"""Several plans in one table: what each holds, leaks and gives up."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from modality_assets.catalogue.split.audit import AuditResult
from modality_assets.catalogue.split.record import SplitPlan
from modality_assets.modality import CLASSES


def compare_plans(
    plans: Sequence[SplitPlan], audits: Mapping[str, Sequence[AuditResult]] | None = None
) -> pl.DataFrame:
    """Return one row per measure and one column per plan, all text: ``measure`` and the plans' names.

    ``audits`` maps a plan's name to its `audit_plan`; each check is a row of its own ("yes", or "no" and
    what was found).
    """
    columns: dict[str, dict[str, str]] = {}
    for plan in plans:
        measures = _measures(plan.record)
        for result in (audits or {}).get(plan.name, ()):
            measures[result.name.replace("_", " ")] = "yes" if result.passed else f"no, {result.detail}"
        columns[plan.name] = measures
    rows = list(dict.fromkeys(measure for measures in columns.values() for measure in measures))
    return pl.DataFrame(
        {"measure": rows} | {name: [measures.get(row, "–") for row in rows] for name, measures in columns.items()},
        schema=dict.fromkeys(("measure", *columns), pl.String),
    )


def _measures(record: Mapping[str, Any]) -> dict[str, str]:
    cells: list[dict[str, Any]] = [cell for cell in record["cells"] if cell["asked"] > 0]
    worst = record["deviation"]
    measures = {
        "datasets": str(record["datasets"]),
        "datasets left out": str(len(record["left_out"])),
        "worst deviation of a class's share": f"{worst['worst']:.4f} ({worst['modality']} in {worst['split']})",
    }
    for c in CLASSES:
        if c in worst["by_class"]:
            measures[f"worst deviation, {c}"] = f"{worst['by_class'][c]:.4f}"
    for c in CLASSES:
        mine = [cell for cell in cells if cell["modality"] == c]
        if mine:
            measures[f"images, {c}"] = " / ".join(str(cell["images"]) for cell in mine)
            measures[f"datasets, {c}"] = " / ".join(str(cell["datasets"]) for cell in mine)
            measures[f"body parts, {c}"] = " / ".join(str(cell["body_parts"]) for cell in mine)
    heaviest = max(cells, key=lambda cell: cell["carried"], default=None)
    if heaviest:
        measures["most carried by one dataset"] = (
            f"{heaviest['carried']:.2f} ({heaviest['largest']}, {heaviest['modality']} in {heaviest['split']})"
        )
    measures["pairs of datasets that leak patients"] = str(record["leaks"])
    for attribute, count in record["spread"].items():
        measures[f"splits reached by {attribute}"] = f"{count['reached']} of {count['possible']}"
    measures["rules relaxed"] = ", ".join(dict.fromkeys(one["rule"] for one in record["relaxed"])) or "none"
    return measures
