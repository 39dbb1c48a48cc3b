"""The head, and the head with the neck."""

import numpy as np

from modality_assets.archives.replica.phantoms.anatomy.parts import beside, lesion, spine
from modality_assets.archives.replica.phantoms.shapes import Body


def brain(rng: np.random.Generator) -> Body:
    body = Body(rng, warp_mm=3.0)
    s = rng.normal(1, 0.04, 3)
    tilt = (rng.normal(0, 4), 0, rng.normal(0, 4))
    for tissue, within, radii, rough in (
        ("skin", "air", (78, 97, 105), 0.0),
        ("fat", "skin", (76, 95, 103), 0.0),
        ("cortical_bone", "fat", (73, 92, 99), 0.0),
        ("csf", "cortical_bone", (66, 85, 92), 0.0),
        ("grey_matter", "csf", (64.5, 83, 90), 0.05),
        ("white_matter", "grey_matter", (57, 75, 82), 0.22),
    ):
        body.add(tissue, (0, 0, 0), np.multiply(radii, s), within, turn=tilt, roughness=rough)
    body.add("csf", (0, 0, 45), (1.2, 80 * s[1], 45), "grey_matter")  # the cleft between the hemispheres
    gap = rng.uniform(0.7, 1.5)
    for side in (-1, 1):
        body.add("csf", (side * 11, -12, 12), (6 * gap, 26, 11), "white_matter", turn=(0, 0, side * -14))
        body.add("csf", (side * 20, 28, 4), (5 * gap, 18, 8), "white_matter", turn=(0, 0, side * 20))
        body.add("grey_matter", (side * 14, 2, 2), (9, 15, 11), "white_matter")
        body.add("grey_matter", (side * 24, -8, 4), (6, 19, 12), "white_matter", turn=(0, 0, side * 10))
        body.add("grey_matter", (side * 24, 42, -52), (26, 24, 18), "csf", roughness=0.2)  # cerebellum
        body.add("csf", (side * 32, -78, -42), (13, 13, 13), "fat")  # eyes
    body.add("white_matter", (0, 20, -50), (11, 12, 34), "csf")  # brain stem
    body.add("gas", (0, -80, -62), (16, 14, 14), "fat")
    if rng.random() < 0.7:
        lesion(body, rng, (40, 50, 45), (8, 20), "white_matter", core="fluid")
    return body


def head_neck(rng: np.random.Generator) -> Body:
    body = Body(rng, warp_mm=3.0)
    s = rng.normal(1, 0.05)
    body.add("fat", (0, -5, 60), (74 * s, 92, 110), "air")
    body.add("fat", (0, 10, -80), (62 * s, 64, 190), "air")
    body.add("fat", (0, 22, -190), (190, 92, 70), "air")
    body.add("muscle", (0, -5, 60), (69 * s, 87, 104), "fat")
    body.add("muscle", (0, 12, -80), (55 * s, 55, 190), "fat", roughness=0.06)
    body.add("muscle", (0, 22, -190), (178, 80, 60), "fat")
    body.add("cortical_bone", (0, 8, 92), (70 * s, 84, 72), "muscle")
    body.add("grey_matter", (0, 8, 92), (63 * s, 77, 65), "cortical_bone")
    body.add("white_matter", (0, 8, 96), (50 * s, 62, 52), "grey_matter", roughness=0.2)
    for k in range(9):  # the jaw, as an arch of rods, and the teeth on it
        a, b = (np.pi * (k - 0.5) / 8, np.pi * (k + 0.5) / 8)
        points = [(48 * s * np.cos(t), -8 - 62 * np.sin(t), -28.0) for t in (a, b)]
        body.rod("cortical_bone", points[0], points[1], 8)
        body.rod("spongy_bone", points[0], points[1], 4.5, "cortical_bone")
        middle = np.mean(points, axis=0)
        body.add("cortical_bone", beside(middle, 0, 2, 13), (5, 5, 9))
        if rng.random() < 0.12:
            body.add("metal", beside(middle, 0, 2, 15), (3, 3, 3), "cortical_bone")
    body.add("gas", (0, -45, 12), (16, 28, 12))
    body.add("muscle", (0, -28, -14), (22, 32, 16))  # tongue
    body.rod("gas", (0, 2, 5), (0, -6, -240), 8.5)
    for side in (-1, 1):
        body.add("gas", (side * 24, -52, 24), (14, 15, 16), "muscle")  # maxillary sinus
        body.add("gland", (side * 50 * s, 12, -8), (10, 19, 24), "fat")
        body.add("fluid", (side * 30, -70, 52), (12, 12, 12))
        body.rod("blood", (side * 26, 6, -30), (side * 22, 8, -230), 4.5)
        body.rod("blood", (side * 33, 10, -30), (side * 30, 12, -230), 6.5)
        body.add("gland", (side * 16, -8, -122), (9, 11, 24))
    spine(body, rng, -240, 10, depth=38, size=0.62)
    for _ in range(int(rng.integers(1, 4))):
        lesion(body, rng, (36, 20, 60), (6, 14), "muscle", offset=(0, 0, -60))
    return body
