"""Chest, abdomen and pelvis."""

import numpy as np

from modality_assets.archives.replica.phantoms.anatomy.parts import (
    beside,
    bowel_loop,
    lesion,
    lung_vessels,
    ribs,
    spine,
    torso,
)
from modality_assets.archives.replica.phantoms.shapes import Body


def chest(rng: np.random.Generator) -> Body:
    body = Body(rng)
    s, stout = rng.normal(1, 0.06), rng.uniform(0, 22)
    torso(body, (165 * s, 100 * s), stout)
    for side in (-1, 1):
        body.add("lung", (side * 74 * s, 0, 0), (58 * s, 82 * s, rng.normal(132, 9)), roughness=0.03)
    body.add("liver", (72, -8, -150), (88, 82, 68), "lung")
    body.add("spleen", (-92, 26, -140), (42, 40, 44), "lung")
    body.add("muscle", (4, -8, 0), (26, 58, 150))  # mediastinum
    body.add("fat", (0, -50, 40), (16, 18, 60))
    heart = np.array([24.0, -30.0, -58.0]) * s
    body.add("myocardium", heart, (58 * s, 48 * s, 62 * s), "lung", turn=(0, 20, 30))
    body.add("blood", beside(heart, 6, 4, -4), (26, 22, 36), "myocardium", turn=(0, 20, 30))
    body.add("blood", beside(heart, -30, 4, 8), (22, 26, 32), "myocardium")
    body.rod("blood", (4, -20, -30), (-6, -34, 62), 15)
    body.rod("blood", (22, 44, 60), (16, 48, -210), 12)
    body.add("blood", (8, 6, 66), (20, 44, 12), turn=(0, 0, 20))
    body.rod("blood", (-26, -24, 110), (-24, -18, -10), 9)
    body.rod("gas", (0, 12, 190), (0, 18, 26), 9)
    for side in (-1, 1):
        body.rod("gas", (0, 18, 30), (side * 42, 20, -6), 6)
        body.rod("blood", (side * 8, -2, 18), (side * 50, 6, 2), 9, "lung")
        lung_vessels(body, rng, side, 26)
        body.rod("cortical_bone", (side * 12, -78, 130), (side * 140 * s, -30, 150), 7)  # clavicle
        body.add("cortical_bone", (side * 118 * s, 74, 60), (42, 6, 66), turn=(0, 0, side * 32))
        body.add("muscle", (side * 108 * s, 82, 60), (44, 12, 70), "fat", turn=(0, 0, side * 32))
    ribs(body, s, range(11))
    spine(body, rng, -220, 200, depth=66 * s)
    body.add("cortical_bone", (0, -90 * s, 30), (18, 6, 92))
    body.add("spongy_bone", (0, -90 * s, 30), (14, 3.5, 88), "cortical_bone")
    if rng.random() < 0.75:
        side = rng.choice([-1, 1])
        for _ in range(int(rng.integers(1, 4))):
            lesion(body, rng, (30, 45, 75), (7, 24), "lung", offset=(side * 76, 0, 10))
    return body


def abdomen(rng: np.random.Generator) -> Body:
    body = Body(rng)
    s, stout = rng.normal(1, 0.07), rng.uniform(5, 40)
    torso(body, (148 * s, 96 * s), stout)
    body.add("fat", (0, -18, -20), (122 * s, 66 * s, 260), roughness=0.03)  # inside the abdominal wall
    body.add("liver", (-62 * s, -14, 52), (80 * s, 68 * s, 82), "fat", roughness=0.06)
    body.add("liver", (8, -42, 62), (60, 32, 40), "fat")
    for _ in range(7):
        start = np.array([-60, -10, 50]) + rng.normal(0, 12, 3)
        body.rod("blood", start, start + rng.normal(0, 32, 3), 3.2, "liver")
    body.add("fluid", (-44, -52, 20), (14, 19, 24), "fat")  # gall bladder
    body.add("spleen", (98 * s, 22, 66), (30, 46, 50), "fat", turn=(0, 0, -20))
    body.add("bowel", (56, -34, 58), (46, 38, 44), "fat")  # stomach
    body.add("gas", (56, -48, 62), (34, 18, 28), "bowel")
    body.add("gland", (10, -8, 18), (62, 13, 14), "fat", turn=(0, -14, 10), roughness=0.15)  # pancreas
    for side in (-1, 1):
        kidney = np.array([side * 66 * s, 38, -6 + side * 6])
        body.add("kidney", kidney, (27, 30, 54), "fat", turn=(0, side * 8, side * 20), roughness=0.04)
        body.add("fat", beside(kidney, side * -8, -2, 0), (12, 13, 28), "kidney")
        body.add("urine", beside(kidney, side * -10, -2, 0), (6, 7, 16), "fat")
        body.add("muscle", (side * 42, 42, -90), (25, 25, 115), "fat")  # psoas
        body.add("muscle", (side * 44, 76, 0), (36, 24, 260), "fat")
    body.rod("blood", (10, 26, 200), (8, 30, -150), 11)
    body.rod("blood", (-18, 22, 200), (-16, 26, -150), 12.5)
    for _ in range(int(rng.integers(20, 30))):
        spot = np.array([rng.normal(0, 52), rng.normal(-34, 15), rng.uniform(-180, -20)])
        bowel_loop(body, rng, spot)
    ribs(body, s, range(8, 12), lift=205)
    spine(body, rng, -210, 210, depth=52)
    for _ in range(int(rng.integers(1, 5))):
        lesion(body, rng, (42, 34, 46), (7, 22), "liver", offset=(-62, -12, 48))
    return body


def pelvis(rng: np.random.Generator) -> Body:
    body = Body(rng)
    s, stout = rng.normal(1, 0.05), rng.uniform(8, 36)
    body.add("fat", (0, 0, 60), (162 * s + stout, 96 * s + stout, 290), "air")
    for side in (-1, 1):
        body.add("fat", (side * 86 * s, 6, -190), (86 + stout / 3, 90 + stout / 3, 240), "air")
        body.add("muscle", (side * 86 * s, 6, -190), (74, 78, 235), "fat", roughness=0.05)
        body.add("muscle", (side * 70 * s, 58, -6), (66, 42, 105), "fat", turn=(0, 0, side * 18))  # gluteal
    body.add("muscle", (0, 0, 50), (142 * s, 82 * s, 240), "fat", roughness=0.04)
    body.add("fat", (0, -16, 30), (88 * s, 54, 160), roughness=0.05)
    for side in (-1, 1):
        body.add("cortical_bone", (side * 92 * s, 14, 62), (52, 9, 68), turn=(14, 0, side * 58))
        body.add("spongy_bone", (side * 92 * s, 14, 62), (47, 5, 62), "cortical_bone", turn=(14, 0, side * 58))
        socket = np.array([side * 88 * s, -4, -32])
        body.add("cortical_bone", socket, (34, 32, 32))
        body.add("spongy_bone", socket, (31, 29, 29), "cortical_bone")
        body.add("cartilage", beside(socket, side * 6, 0, -2), (27, 27, 27), "spongy_bone")
        body.add("cortical_bone", beside(socket, side * 6, 0, -2), (24.5, 24.5, 24.5), "cartilage")
        body.add("spongy_bone", beside(socket, side * 6, 0, -2), (22.5, 22.5, 22.5), "cortical_bone")
        neck_end = beside(socket, side * 46, 6, -36)
        body.rod("cortical_bone", socket, neck_end, 17)
        body.rod("spongy_bone", socket, neck_end, 14, "cortical_bone")
        body.rod("cortical_bone", beside(neck_end, 0, 0, 26), beside(neck_end, side * -12, 0, -300), 17, overlap=1.05)
        body.rod(
            "spongy_bone",
            beside(neck_end, 0, 0, 26),
            beside(neck_end, side * -12, 0, -290),
            10,
            "cortical_bone",
            overlap=1.0,
        )
        body.rod("cortical_bone", beside(socket, side * -16, -18, 8), (side * 10, -52, -50), 11)
        body.rod("spongy_bone", beside(socket, side * -16, -18, 8), (side * 10, -52, -50), 7, "cortical_bone")
        body.rod("cortical_bone", (side * 12, -50, -54), (side * 52, 22, -88), 10)
        body.rod("blood", (side * 44, -22, 60), (side * 70, -62, -120), 7)
    body.add("cortical_bone", (0, 66, 50), (48, 24, 56), turn=(-24, 0, 0))
    body.add("spongy_bone", (0, 66, 50), (44, 20, 52), "cortical_bone", turn=(-24, 0, 0))
    fill = rng.uniform(0.7, 1.4)
    body.add("muscle", (0, -26, -10), (40 * fill, 32 * fill, 30 * fill), "fat")
    body.add("urine", (0, -26, -10), (36 * fill, 28 * fill, 26 * fill), "muscle")
    gland = rng.uniform(0.85, 1.4)
    body.add("prostate", (0, -12, -54), (26 * gland, 19 * gland, 21 * gland), "fat", roughness=0.08)
    body.add("gland", (0, -16, -52), (15 * gland, 10 * gland, 14 * gland), "prostate", roughness=0.3)
    body.add("bowel", (0, 26, -30), (20, 17, 70), "fat")
    body.add("gas", (2, 22, -20), (9, 7, 40), "bowel")
    for _ in range(10):
        bowel_loop(body, rng, np.array([rng.normal(0, 40), rng.normal(-22, 12), rng.uniform(40, 140)]))
    spine(body, rng, 90, 280, depth=54)
    lesion(body, rng, (14, 8, 8), (4, 9), "prostate", offset=(0, -6, -56))
    for _ in range(int(rng.integers(2, 8))):
        spot = (rng.choice([-1, 1]) * rng.uniform(40, 105), rng.uniform(0, 60), rng.uniform(-30, 90))
        body.add("metastasis", spot, rng.uniform(4, 10, 3), "spongy_bone")
    return body
