"""Decoded images of many datasets → one split's shards, shuffled over all of them in bounded memory.

Where each row goes is decided first (`shuffle.shuffled_layout`), from names, counts and the seed. Then
each file is filled piece by piece: rows are read from wherever they lie, put in order, hashed, measured
and appended. Memory is one piece per worker, whatever the size of the split; the bytes written do not
depend on the number of workers.

Pixels are stored as q, which no rescaling changes. So a file whose images are the same as in earlier
shards (the same split under another rescaling, or before a dataset was added) is linked, after its
SHA-256 has been checked, in place of being written again.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np

from modality_assets import __version__
from modality_assets.imaging.rescaling import rescale_affine
from modality_assets.imaging.workers import available_cores
from modality_assets.manifest import sha256_of, write_json
from modality_assets.modality import CLASSES
from modality_assets.progress import SILENT, Progress
from modality_assets.shards import index as fmt
from modality_assets.shards.codec import BLOSC2
from modality_assets.shards.filling import PixelPlan, fill_pixel_file, link_pixel_file
from modality_assets.shards.index import (
    DecodedImagesError,
    EmptySplitError,
    ShardError,
    ShardFile,
    ShardIndex,
    read_index,
)
from modality_assets.shards.moments import Moments
from modality_assets.shards.provenance import write_provenance
from modality_assets.shards.selection import RescaleAffine, SelectedDataset, select_dataset
from modality_assets.shards.shuffle import file_count, shuffled_layout

FILE_BYTES = 1 << 30
"""Most raw bytes in a pixel file, on average; a full-size split of 450 GB is 512 files."""


def write_shards(
    decoded: Sequence[Path],
    staged: Path,
    *,
    split: str,
    rescaling: str,
    seed: int,
    caps: Mapping[str, int],
    compress: bool = False,
    bits: int = 16,
    progress: Progress = SILENT,
    reuse: Sequence[Path] = (),
    workers: int | None = None,
    file_bytes: int = FILE_BYTES,
    rescale: RescaleAffine = rescale_affine,
) -> ShardIndex:
    """Write the shards of one split and rescaling into the empty folder ``staged``, the index last.

    Args:
        decoded: the split's decoded/<dataset> folders; their order does not matter.
        caps: class to the most images of it that one dataset gives, chosen at random by ``seed``.
        compress: for cold storage, `codec`; otherwise memory-mappable.
        bits: 16 stores q, 8 stores round(q / 257).
        reuse: folders of earlier shards whose files may be linked where they hold the same images.
        workers: threads; by default two per core, eight at most, as each waits for the disk. The result is the same.
        file_bytes: most raw bytes in a file, on average.
        rescale: ``(rescaling, row of images.parquet) -> (scale, offset, clip)``.

    Raises:
        EmptySplitError: no folder has an image. DecodedImagesError: one contradicts its contract.
    """
    if bits not in (8, 16):
        raise ValueError(f"bits is 8 or 16, not {bits}")
    selected = _select(decoded, rescaling=rescaling, seed=seed, caps=caps, rescale=rescale, progress=progress)
    if not selected:
        raise EmptySplitError(
            f"{rescaling}|{split}: none of its {len(decoded)} datasets has an image; look at their quarantine tables"
        )
    shape, clip = _common_shape(selected), any(one.clip for one in selected)
    counts = [len(one.labels) for one in selected]
    total_bytes = sum(counts) * shape[0] * shape[1] * bits // 8
    dataset, row, file_rows = shuffled_layout(
        counts, [one.name for one in selected], file_count(total_bytes, file_bytes), seed
    )
    first_row = np.cumsum([0, *counts[:-1]])[dataset] + row  # row of the concatenated datasets
    labels = np.concatenate([one.labels for one in selected])[first_row]
    affine = np.concatenate([one.affine for one in selected])[first_row]
    sources = [file for one in selected for file in one.pixel_files]
    first_source = np.cumsum([0, *(len(one.pixel_files) for one in selected[:-1])])
    source = np.concatenate(
        [start + one.pixel_file.astype(np.int64) for start, one in zip(first_source, selected, strict=True)]
    )
    source_row = np.concatenate([one.pixel_index for one in selected])
    bounds = np.cumsum([0, *file_rows[file_rows > 0]]).tolist()
    plans = [
        PixelPlan(
            name=f"pixels-{number:05d}" + (".rows" if compress else ".npy"),
            sources=sources,
            source=source[first_row[start:stop]],
            source_row=source_row[first_row[start:stop]],
            affine=affine[start:stop],
            shape=shape,
            bits=bits,
            clip=clip,
            compression=BLOSC2 if compress else None,
        )
        for number, (start, stop) in enumerate(pairwise(bounds))
    ]
    files, moments = _write_pixels(plans, staged, reuse, workers, progress)
    np.save(staged / fmt.AFFINE, affine)
    np.save(staged / fmt.LABELS, labels)
    np.save(staged / fmt.DATASETS, dataset.astype(np.uint16))
    write_provenance(staged, selected, dataset, row)
    index = ShardIndex(
        classes=CLASSES,
        split=split,
        rescaling=rescaling,
        clip=clip,
        shape=shape,
        dtype=f"uint{bits}",
        bits=bits,
        images=len(labels),
        images_per_class={name: int((labels == number).sum()) for number, name in enumerate(CLASSES)},
        datasets=tuple(one.name for one in selected),
        seed=seed,
        caps=dict(sorted(caps.items())),
        mean=moments.mean,
        std=moments.std,
        files=tuple(files),
        arrays=tuple(_describe(staged / name, len(labels)) for name in fmt.ARRAYS),
        compression=BLOSC2 if compress else None,
        code_versions={"modality_assets": __version__},
    )
    write_json(staged / fmt.INDEX, index.to_json())
    return index


def _select(
    decoded: Sequence[Path],
    *,
    rescaling: str,
    seed: int,
    caps: Mapping[str, int],
    rescale: RescaleAffine,
    progress: Progress,
) -> list[SelectedDataset]:
    """Return the datasets that have images, by name."""
    selected: dict[str, SelectedDataset] = {}
    with progress.task("Choosing images", total=len(decoded), unit="datasets") as task:
        for folder in decoded:
            one = select_dataset(folder, rescaling=rescaling, seed=seed, caps=caps, rescale=rescale)
            if one is not None and one.name in selected:
                raise DecodedImagesError(f"{folder} and {selected[one.name].folder} are both dataset {one.name!r}")
            if one is not None:
                selected[one.name] = one
            task.advance()
    return [selected[name] for name in sorted(selected)]


def _common_shape(selected: Sequence[SelectedDataset]) -> tuple[int, int]:
    shapes: dict[tuple[int, int], str] = {}
    for one in selected:
        shapes.setdefault(one.shape, one.name)
    if len(shapes) > 1:
        found = ", ".join(f"{name} {shape[0]}×{shape[1]}" for shape, name in shapes.items())
        raise DecodedImagesError(f"images of several sizes ({found}); decode these datasets again with one image_size")
    return next(iter(shapes))


def _write_pixels(
    plans: Sequence[PixelPlan], staged: Path, reuse: Sequence[Path], workers: int | None, progress: Progress
) -> tuple[list[ShardFile], Moments]:
    """Write or link every file; moments are merged in file order, so threads change no digit of them."""
    earlier = _earlier_files(reuse)
    with (
        progress.task("Writing shards", total=sum(len(plan.source) for plan in plans), unit="images") as task,
        ThreadPoolExecutor(workers or min(8, 2 * available_cores())) as pool,
    ):

        def write(plan: PixelPlan) -> tuple[ShardFile, Moments]:
            known = earlier.get(plan.content())
            linked = link_pixel_file(plan, *known, staged, task.advance) if known else None
            return linked or fill_pixel_file(plan, staged, task.advance)

        results = list(pool.map(write, plans))
    moments = Moments()
    for _, one in results:
        moments = moments.merged(one)
    return [file for file, _ in results], moments


def _earlier_files(reuse: Sequence[Path]) -> dict[str, tuple[Path, ShardFile]]:
    """Return content digest → (path, facts) of files that could be linked."""
    found: dict[str, tuple[Path, ShardFile]] = {}
    for folder in reuse:
        try:
            index = read_index(folder)
        except (ShardError, ValueError):
            continue  # nothing to reuse there; what is wrong with it is told where it is read
        found |= {file.content: (folder / file.name, file) for file in index.files}
    return found


def _describe(path: Path, rows: int) -> ShardFile:
    return ShardFile(path.name, rows, sha256_of(path), path.stat().st_size)
