"""The dashboard: pages over materialised results. `modality ui`, or `streamlit run dashboard/server.py`, serves it."""

from pathlib import Path

import streamlit as st

from dashboard.dagster_links import base_url
from dashboard.results import open_results

_PAGES = Path(__file__).parent / "views"  # a folder named pages is Streamlit's older way to have several
_MENU = {
    "Results": (
        ("overview", "Overview", "space_dashboard"),
        ("models", "Models", "leaderboard"),
        ("per_dataset", "Per dataset", "format_list_numbered"),
        ("errors", "Errors", "error_outline"),
        ("try_it", "Try it", "upload_file"),
    ),
    "Data": (
        ("archive", "Archive", "inventory_2"),
        ("split", "Split", "call_split"),
        ("quality", "Quality", "verified"),
    ),
}
_LESS_MARGIN = "<style>[data-testid=stMainBlockContainer] {padding: 2.5rem 2.5rem 4rem; max-width: 1500px}</style>"

st.set_page_config(page_title="Modality assets", page_icon="🩻", layout="wide")
st.html(_LESS_MARGIN)

page = st.navigation(
    {
        heading: [
            st.Page(
                _PAGES / f"{name}.py",
                title=title,
                icon=f":material/{icon}:",
                url_path=name,
                default=name == "overview",
            )
            for name, title, icon in pages
        ]
        for heading, pages in _MENU.items()
    }
)
with st.sidebar:
    found = open_results()
    archive = found.archive_name()
    st.caption(f"Archive: **{archive}**" if archive else "No catalogue yet")
    if found.synthetic():
        st.caption(":material/science: synthetic phantoms")
    st.caption(f"[Dagster UI]({base_url()}) · every figure names its asset")
page.run()
