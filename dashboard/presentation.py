"""The frame of every page: its title, its sections with the finding as heading, one sentence for what is missing."""

from collections.abc import Callable

import polars as pl
import streamlit as st

from dashboard.dagster_links import asset_url
from dashboard.results import NotMaterialisedError, Results, open_results

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError)


def start_page(title: str, sentence: str) -> Results:
    """Show title and what the page is about; return the results. Synthetic data are labelled here, on every page."""
    results = open_results()
    st.title(title, anchor=False)
    st.markdown(sentence)
    if results.synthetic():
        st.warning(
            "**Synthetic phantoms.** These images are drawn by a program, and the figures say nothing about patients.",
            icon=":material/science:",
        )
    return results


def section(
    title: str, show: Callable[[], None], *, finding: Callable[[], str | None] | None = None, help_text: str = ""
) -> None:
    """Show one part of a page; where its result is missing or damaged, a sentence that says how to mend it.

    ``finding`` says in words what the part shows, and is the heading; ``title`` is where there is nothing to say.
    """
    st.subheader((finding and _found(finding)) or title, anchor=False, help=help_text or None)
    told(show)


def _found(finding: Callable[[], str | None]) -> str | None:
    try:
        return finding()
    except (NotMaterialisedError, *_UNREADABLE):
        return None  # said by the part itself


def told(show: Callable[[], None]) -> None:
    """Call ``show``; say what to materialise where it finds nothing, in place of a traceback."""
    try:
        show()
    except NotMaterialisedError as missing:
        partition = f", partition `{missing.partition}`," if missing.partition else ""
        st.info(
            f"Nothing to show yet: materialise the asset `{missing.asset}`{partition} "
            f"[in the Dagster UI]({asset_url(missing.asset, missing.partition)}), "
            "or run `modality demo`, which makes everything.",
            icon=":material/hourglass_empty:",
        )
    except _UNREADABLE as error:
        st.error(
            f"A result on disk cannot be read ({type(error).__name__}: {error}). "
            "Materialise its asset again in the Dagster UI; other parts of this page are not touched by it.",
            icon=":material/broken_image:",
        )
