"""Quality: files refused and why, verification, checks, the time that each step takes and its speed."""

from typing import Any

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.dagster_links import DagsterUnreachableError, asset_url, check_results
from dashboard.exhibits import chart, table
from dashboard.presentation import section, start_page
from dashboard.results import NotMaterialisedError, Source
from dashboard.steps import seconds_of_parts, speeds_of

_MANIFESTS = Source("the manifest of every result")
_CHECK_STATES = {
    "failed": "✗ failed",
    "warned": "! does not hold",
    "not run": "– not run yet",
    "running": "… running",
    "passed": "✓ holds",
}

results = start_page("Quality", "What was refused and why, what failed verification, and where the time goes.")


def quarantine_in_words() -> str:
    rows, _ = results.quality.quarantine()
    images = sum(one.counts.get("images", 0) for one in results.quality.manifests("decoded_images"))
    refused = (
        labels.plural(len(rows), "file or frame") if len(rows) == 1 else f"{labels.count(len(rows))} files or frames"
    )
    said = f"{refused} refused" if len(rows) else "No file was refused"
    return f"{said}, {labels.plural(images, 'image')} decoded"


def show_quarantine() -> None:
    rows, source = results.quality.quarantine()
    if rows.is_empty():
        st.success("Every file that arrived was read.", icon=":material/check:")
        return
    rows = rows.with_columns(pl.col("error").map_elements(labels.error, return_dtype=pl.String))
    counted = rows.group_by("error").agg(pl.len().alias("images")).sort("images", "error", descending=[True, False])
    chart(
        charts.plain_bars(counted["error"].to_list(), counted["images"].to_list(), unit="files or frames"),
        name="quarantine-reasons",
        source=source,
        data=counted,
        n=len(rows),
        of="files or frames refused",
        unit="files or frames",
    )
    table(rows, name="quarantine", source=source, of="files or frames")


def fetched() -> pl.DataFrame:
    found = results.quality.manifests("source_files")
    if not found:
        raise NotMaterialisedError("source_files")
    rows = [
        {
            "dataset": one.partition,
            "series": one.counts.get("series", 0),
            "Series not verified": one.counts.get("incomplete", 0),
            "gb": one.counts.get("bytes_fetched", 0) / 1e9,
            "seconds": one.seconds,
        }
        for one in found
    ]
    return pl.DataFrame(rows).sort("Series not verified", "dataset", descending=[True, False])


def verification_in_words() -> str:
    rows = fetched()
    missing = int(rows["Series not verified"].sum())
    total = labels.count(rows["series"].sum())
    if missing:
        return f"{labels.count(missing)} of {total} series are missing or failed verification"
    return f"Every byte of {total} series was verified"


def show_verification() -> None:
    rows = fetched()
    newest = max(one.created_utc for one in results.quality.manifests("source_files"))
    if rows["Series not verified"].sum():
        st.warning("Materialise `source_files` for the datasets at the top again.", icon=":material/report:")
    table(rows, name="verification", source=Source("source_files", None, newest), of="datasets")


@st.cache_data(ttl=5, show_spinner=False)
def checks_of_now() -> list[dict[str, Any]]:
    """One answer for everybody who asks within seconds."""
    return check_results()


@st.fragment
def show_checks() -> None:
    try:
        with st.spinner("Asking Dagster what its checks found …"):
            found = checks_of_now()
    except DagsterUnreachableError:
        st.info(
            "Dagster keeps what its checks found, and its UI does not answer: `modality ui` starts it.",
            icon=":material/hourglass_empty:",
        )
        return
    if not found:
        st.info("Dagster knows of no checks: materialise `collection_catalogue` and what follows.")
        return
    order = {state: place for place, state in enumerate(_CHECK_STATES)}
    rows = sorted(found, key=lambda one: (order[one["state"]], one["asset"], one["check"]))
    states = [one["state"] for one in rows]
    bad = states.count("failed")
    said = [
        f"{labels.count(states.count('passed'))} hold",
        f"{labels.count(states.count('warned'))} do not, for want of data",
        f"{labels.count(bad)} failed",
        f"{labels.count(states.count('not run'))} have not run",
    ]
    st.markdown(f"Of {labels.plural(len(rows), 'check')} **{', '.join(said)}**.")
    if bad:
        names = sorted({one["asset"] for one in rows if one["state"] == "failed"})
        st.error(f"Look at {', '.join(f'`{name}`' for name in names)} before you trust what is built on it.")
    shown = [
        {
            "State": _CHECK_STATES[one["state"]],
            "Truth that is checked": labels.rule(one["check"]),
            "Step": labels.ASSETS.get(one["asset"], one["asset"]),
            "Found": one["found"] or None,
            "When": labels.moment(one["when_utc"]) if one["when_utc"] else None,
            "Open": f"{asset_url(one['asset'])}?view=checks",
        }
        for one in rows
    ]
    table(
        pl.DataFrame(shown, infer_schema_length=None),
        name="checks",
        source=Source("Dagster's record of its checks"),
        of="checks",
        config={"Open": st.column_config.LinkColumn("Open", display_text="in Dagster")},
    )


def speeds_in_words() -> str | None:
    ours = speeds_of(results).filter(pl.col("ours") & (pl.col("asset") == "decoded_images"))
    theirs = speeds_of(results).filter(~pl.col("ours") & (pl.col("asset") == "decoded_images"))
    if ours.is_empty() or theirs.is_empty():
        return None
    rate, published = ours["images_per_second"][0], theirs["images_per_second"][0]
    return f"Decoding: {labels.count(rate)} images per second, {rate / published:.1f} times the published way"


def show_speeds() -> None:
    rows = speeds_of(results)
    if rows.filter("ours").is_empty():
        raise NotMaterialisedError("decoded_images")
    chart(
        charts.speeds(rows),
        name="speeds",
        source=_MANIFESTS,
        data=rows,
        n=int(rows.filter("ours")["images"].sum()),
        of="images here, over all steps",
        unit="images per second, on a logarithmic scale; hollow: elsewhere, on the machines that the table names",
    )
    with st.expander("As a table, with machines and sources"):
        table(rows.drop("ours", "asset"), name="speeds-table", source=_MANIFESTS, of="figures")


def slowest_in_words() -> str:
    parts = seconds_of_parts(results)
    steps = parts.group_by("Step").agg(pl.col("seconds").sum()).sort("seconds", descending=True)
    share = steps["seconds"][0] / max(steps["seconds"].sum(), 1e-9)
    return f"{steps['Step'][0]} take {labels.percent(share, 0)} of the time"


def show_times() -> None:
    parts = seconds_of_parts(results)
    steps = parts.group_by("Step").agg(pl.col("seconds").sum()).sort("seconds", descending=True)
    chart(
        charts.plain_bars(steps["Step"].to_list(), steps["seconds"].to_list(), unit="seconds, all parts together"),
        name="seconds-per-step",
        source=_MANIFESTS,
        data=steps,
        n=len(parts),
        of="results",
        unit="seconds, all parts together, as their manifests say",
    )
    table(parts.head(200), name="slowest-parts", source=_MANIFESTS, of="results, the slowest first")


section("Files refused", show_quarantine, finding=quarantine_in_words)
section("Verification", show_verification, finding=verification_in_words)
checks = st.container()  # Dagster is asked last, so that a slow answer holds nothing up
section("Speed of each step", show_speeds, finding=speeds_in_words)
section("Where the time goes", show_times, finding=slowest_in_words)
with checks:
    section("Checks", show_checks)
