"""Knee and hand."""

import numpy as np

from modality_assets.archives.replica.phantoms.anatomy.parts import lesion, long_bone
from modality_assets.archives.replica.phantoms.shapes import Body


def knee(rng: np.random.Generator) -> Body:
    body = Body(rng, warp_mm=2.5)
    s, stout = rng.normal(1, 0.05), rng.uniform(3, 12)
    body.add("fat", (0, 4, 120), (62 * s + stout, 64 * s + stout, 210), "air")
    body.add("fat", (0, 8, -130), (50 * s + stout, 54 * s + stout, 210), "air")
    body.add("muscle", (0, 10, 150), (56 * s, 56 * s, 190), "fat", roughness=0.06)
    body.add("muscle", (0, 26, -140), (46 * s, 40 * s, 180), "fat", roughness=0.06)
    body.add("fat", (0, 0, 0), (54 * s, 50 * s, 50), roughness=0.12)
    body.add("fluid", (0, -22, 24), (26, 7, 26), "fat", roughness=0.2)
    long_bone(body, (0, 4, 14), (2, 4, 330), 15, "fat")
    for side in (-1, 1):
        body.add("cartilage", (side * 21, 2, 12), (22.5, 32.5, 24.5), "fat")
        body.add("cortical_bone", (side * 21, 2, 13), (20.5, 30, 22.5), "cartilage")
        body.add("spongy_bone", (side * 21, 2, 13), (18.5, 28, 20.5), "cortical_bone")
        body.add("cartilage", (side * 21, 2, -14), (19, 22, 4), "fat")  # meniscus
    body.add("cortical_bone", (0, 4, 34), (34, 24, 26), "fat")
    body.add("spongy_bone", (0, 4, 34), (32, 22, 24), "cortical_bone")
    long_bone(body, (0, 4, -30), (0, 2, -330), 14, "fat")
    body.add("cortical_bone", (0, 4, -32), (40 * s, 27, 17), "fat")
    body.add("spongy_bone", (0, 4, -32), (38 * s, 25, 15), "cortical_bone")
    long_bone(body, (34, 22, -46), (30, 20, -330), 7, "muscle")
    body.add("cortical_bone", (0, -42, 18), (20, 10, 22), "fat")
    body.add("spongy_bone", (0, -42, 18), (17.5, 7.5, 19.5), "cortical_bone")
    body.rod("muscle", (0, -44, 40), (0, -40, 150), 11, "fat")  # quadriceps
    body.rod("cartilage", (0, -44, 0), (0, -30, -50), 5, "fat")  # patellar ligament
    body.rod("cartilage", (6, -10, -20), (-6, 18, 14), 4.5, "fat")  # cruciate ligament
    body.rod("blood", (2, 42, 150), (2, 34, -150), 5)
    if rng.random() < 0.25:
        body.rod("metal", (-40, 2, -44), (36, 4, -48), 3.0, "spongy_bone")
    if rng.random() < 0.6:
        lesion(body, rng, (20, 14, 10), (5, 12), "spongy_bone", offset=(0, 4, 30))
    return body


def hand(rng: np.random.Generator) -> Body:
    body = Body(rng, warp_mm=2.0)
    s = rng.normal(1, 0.07)
    spread = rng.uniform(0.7, 1.3)
    body.add("muscle", (0, 0, -20), (42 * s, 14, 56), "air")
    body.add("muscle", (0, 0, -110), (29 * s, 20, 90), "air")
    long_bone(body, (-11, 0, -66), (-13, 0, -230), 9, "muscle")
    long_bone(body, (12, 0, -70), (13, 0, -230), 7, "muscle")
    for k in range(8):  # carpal bones
        spot = np.array([-18 + 12 * (k % 4), rng.normal(0, 1.5), -46 - 12 * (k // 4)]) + rng.normal(0, 1, 3)
        body.add("cortical_bone", spot, (7, 7, 7))
        body.add("spongy_bone", spot, (5.5, 5.5, 5.5), "cortical_bone")
    for finger, (base, angle, lengths) in enumerate(
        (
            (-38, 42, (40, 30, 24)),
            (-24, 9 * spread, (60, 40, 24, 18)),
            (-9, 2 * spread, (58, 44, 28, 19)),
            (6, -5 * spread, (54, 40, 26, 19)),
            (20, -13 * spread, (50, 32, 20, 17)),
        )
    ):
        direction = np.array([-np.sin(np.radians(angle)), 0, np.cos(np.radians(angle))])
        point = np.array([base * s * 0.8, 0, -38 if finger else -50])
        for joint, length in enumerate(lengths):
            end = point + direction * length * s
            thick = 6.2 - 0.9 * joint
            if joint:
                body.rod("muscle", point - 3 * direction, end + 3 * direction, 10.5 - joint, "air", overlap=1.35)
            body.rod("cortical_bone", point + 2 * direction, end - 2 * direction, thick * 0.8, overlap=1.1)
            for tip in (point + 3 * direction, end - 3 * direction):
                body.add("cortical_bone", tip, (thick, thick, thick))
                body.add("spongy_bone", tip, (thick - 1.6,) * 3, "cortical_bone")
            body.rod("spongy_bone", point + 4 * direction, end - 4 * direction, thick * 0.4, "cortical_bone")
            point = end + 1.5 * direction
    return body
