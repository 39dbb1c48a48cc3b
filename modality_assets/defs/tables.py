"""Small tables and pictures for the metadata of assets, as the Dagster UI shows them."""

import base64
import io
from collections.abc import Sequence

import dagster as dg
import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image


def markdown_table(frame: pl.DataFrame, rows: int = 40) -> dg.MarkdownMetadataValue:
    """Return the first ``rows`` rows of a frame as a Markdown table."""
    shown = frame.head(rows)
    lines = [" | ".join(name.replace("_", " ") for name in shown.columns), " | ".join("---" for _ in shown.columns)]
    lines += [" | ".join(_cell(value) for value in row) for row in shown.iter_rows()]
    if frame.height > rows:
        lines.append(f"… and {frame.height - rows:,} more")
    return dg.MetadataValue.md("\n".join(f"| {line} |" for line in lines))


def contact_sheet(
    images: NDArray[np.uint8], captions: Sequence[str] = (), columns: int = 8
) -> dg.MarkdownMetadataValue:
    """Return images ``(N, H, W) uint8`` side by side as one PNG inside Markdown, with a line that names them."""
    count, height, width = images.shape
    columns = min(columns, max(count, 1))
    rows = -(-count // columns)
    sheet = np.zeros((rows * (height + 2), columns * (width + 2)), np.uint8)
    for position, image in enumerate(images):
        top, left = (position // columns) * (height + 2), (position % columns) * (width + 2)
        sheet[top : top + height, left : left + width] = image
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "PNG")
    text = f"![images](data:image/png;base64,{base64.b64encode(file.getvalue()).decode()})"
    return dg.MetadataValue.md(text + ("\n\n" + ", ".join(captions) if captions else ""))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value).replace("|", "/")
