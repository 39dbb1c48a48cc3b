"""Breasts, hanging free as in a magnet and compressed as in a mammograph."""

import numpy as np

from modality_assets.archives.replica.phantoms.anatomy.parts import beside, lesion, spine
from modality_assets.archives.replica.phantoms.shapes import Body, Vector


def breast(rng: np.random.Generator) -> Body:
    body = Body(rng, warp_mm=5.0)
    size, dense = rng.uniform(0.85, 1.2), rng.uniform(0.45, 1.0)
    body.add("fat", (0, 110, 0), (165, 92, 260), "air")
    body.add("muscle", (0, 116, 0), (148, 76, 255), "fat", roughness=0.04)
    for side in (-1, 1):
        body.add("lung", (side * 66, 122, 0), (54, 50, 240))
        centre = np.array([side * 78.0, -2.0, 0.0])
        body.add("skin", centre, (64 * size, 88 * size, 70 * size), "air")
        body.add("fat", centre, (62 * size, 86 * size, 68 * size), "skin")
        glandular(body, rng, beside(centre, 0, -12 * size, 0), size * dense)
        if rng.random() < 0.4:
            lesion(body, rng, (22, 26, 24), (6, 14), "gland", offset=tuple(centre))
    body.add("myocardium", (26, 92, -20), (46, 42, 55), "lung")
    body.add("blood", (30, 94, -20), (28, 24, 36), "myocardium")
    spine(body, rng, -200, 200, depth=170)
    return body


def compressed_breast(rng: np.random.Generator) -> Body:
    """One breast between the plates of a mammograph, its chest wall at y = 0, its nipple towards -y."""
    body = Body(rng, warp_mm=6.0)
    size, dense = rng.uniform(0.8, 1.25), rng.uniform(0.35, 1.0)
    radii = np.array([82, 98, 27]) * size
    body.add("skin", (0, 12, 0), radii, "air")
    body.add("fat", (0, 12, 0), radii - 1.6, "skin")
    body.add("skin", (0, 12 - radii[1], 0), (6, 6, 6), "air")  # nipple
    glandular(body, rng, np.array([0, -18 * size, 0]), size * dense * 1.15)
    for _ in range(14):  # ligaments
        start = np.array([rng.uniform(-45, 45), rng.uniform(-40, 5), rng.uniform(-14, 14)]) * size
        body.rod("gland", start, start + rng.normal(0, 26, 3) * [1, 1.2, 0.4], 1.2, "fat")
    body.add("muscle", (-52 * size, 22, 0), (52, 26, 15), "fat", turn=(0, 0, rng.uniform(25, 50)))  # pectoral
    if rng.random() < 0.5:
        lesion(body, rng, (26, 22, 8), (5, 12), "gland", offset=(0, -24 * size, 0))
    cluster = np.array([rng.uniform(-30, 30), rng.uniform(-50, -10), 0])
    for _ in range(int(rng.integers(0, 14))):
        body.add("calcification", cluster + rng.normal(0, 7, 3), rng.uniform(0.3, 0.9, 3), "gland")
    return body


def glandular(body: Body, rng: np.random.Generator, centre: Vector, size: float) -> None:
    body.add("gland", centre, np.array([34, 46, 30]) * size, "fat", roughness=0.45)
    for _ in range(9):
        spot = centre + rng.normal(0, 1, 3) * np.array([20, 26, 9]) * size
        body.add("gland", spot, rng.uniform(6, 15, 3) * size, "fat", roughness=0.5)
        body.add("fat", spot + rng.normal(0, 6, 3), rng.uniform(3, 9, 3), "gland", roughness=0.3)
