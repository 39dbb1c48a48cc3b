"""One random patient per call: the regions of a body as ellipsoids, from which every modality is rendered."""

from collections.abc import Callable

import numpy as np

from modality_assets.archives.replica.phantoms.shapes import Body

# Each function draws one region around the origin. Sizes are those of an adult in mm, varied by some per cent.


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
        _lesion(body, rng, (40, 50, 45), (8, 20), "white_matter", core="fluid")
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
        body.add("cortical_bone", middle + [0, 2, 13], (5, 5, 9))
        if rng.random() < 0.12:
            body.add("metal", middle + [0, 2, 15], (3, 3, 3), "cortical_bone")
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
    _spine(body, rng, -240, 10, depth=38, size=0.62)
    for _ in range(int(rng.integers(1, 4))):
        _lesion(body, rng, (36, 20, 60), (6, 14), "muscle", offset=(0, 0, -60))
    return body


def chest(rng: np.random.Generator) -> Body:
    body = Body(rng)
    s, stout = rng.normal(1, 0.06), rng.uniform(0, 22)
    _torso(body, (165 * s, 100 * s), stout)
    for side in (-1, 1):
        body.add("lung", (side * 74 * s, 0, 0), (58 * s, 82 * s, rng.normal(132, 9)), roughness=0.03)
    body.add("liver", (72, -8, -150), (88, 82, 68), "lung")
    body.add("spleen", (-92, 26, -140), (42, 40, 44), "lung")
    body.add("muscle", (4, -8, 0), (26, 58, 150))  # mediastinum
    body.add("fat", (0, -50, 40), (16, 18, 60))
    heart = np.array([24.0, -30.0, -58.0]) * s
    body.add("myocardium", heart, (58 * s, 48 * s, 62 * s), "lung", turn=(0, 20, 30))
    body.add("blood", heart + [6, 4, -4], (26, 22, 36), "myocardium", turn=(0, 20, 30))
    body.add("blood", heart + [-30, 4, 8], (22, 26, 32), "myocardium")
    body.rod("blood", (4, -20, -30), (-6, -34, 62), 15)
    body.rod("blood", (22, 44, 60), (16, 48, -210), 12)
    body.add("blood", (8, 6, 66), (20, 44, 12), turn=(0, 0, 20))
    body.rod("blood", (-26, -24, 110), (-24, -18, -10), 9)
    body.rod("gas", (0, 12, 190), (0, 18, 26), 9)
    for side in (-1, 1):
        body.rod("gas", (0, 18, 30), (side * 42, 20, -6), 6)
        body.rod("blood", (side * 8, -2, 18), (side * 50, 6, 2), 9, "lung")
        _vessels(body, rng, side, 26)
        body.rod("cortical_bone", (side * 12, -78, 130), (side * 140 * s, -30, 150), 7)  # clavicle
        body.add("cortical_bone", (side * 118 * s, 74, 60), (42, 6, 66), turn=(0, 0, side * 32))
        body.add("muscle", (side * 108 * s, 82, 60), (44, 12, 70), "fat", turn=(0, 0, side * 32))
    _ribs(body, s, range(11))
    _spine(body, rng, -220, 200, depth=66 * s)
    body.add("cortical_bone", (0, -90 * s, 30), (18, 6, 92))
    body.add("spongy_bone", (0, -90 * s, 30), (14, 3.5, 88), "cortical_bone")
    if rng.random() < 0.75:
        side = rng.choice([-1, 1])
        for _ in range(int(rng.integers(1, 4))):
            _lesion(body, rng, (30, 45, 75), (7, 24), "lung", offset=(side * 76, 0, 10))
    return body


def abdomen(rng: np.random.Generator) -> Body:
    body = Body(rng)
    s, stout = rng.normal(1, 0.07), rng.uniform(5, 40)
    _torso(body, (148 * s, 96 * s), stout)
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
        body.add("fat", kidney + [side * -8, -2, 0], (12, 13, 28), "kidney")
        body.add("urine", kidney + [side * -10, -2, 0], (6, 7, 16), "fat")
        body.add("muscle", (side * 42, 42, -90), (25, 25, 115), "fat")  # psoas
        body.add("muscle", (side * 44, 76, 0), (36, 24, 260), "fat")
    body.rod("blood", (10, 26, 200), (8, 30, -150), 11)
    body.rod("blood", (-18, 22, 200), (-16, 26, -150), 12.5)
    for _ in range(int(rng.integers(20, 30))):
        spot = np.array([rng.normal(0, 52), rng.normal(-34, 15), rng.uniform(-180, -20)])
        _bowel_loop(body, rng, spot)
    _ribs(body, s, range(8, 12), lift=205)
    _spine(body, rng, -210, 210, depth=52)
    for _ in range(int(rng.integers(1, 5))):
        _lesion(body, rng, (42, 34, 46), (7, 22), "liver", offset=(-62, -12, 48))
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
        body.add("cartilage", socket + [side * 6, 0, -2], (27, 27, 27), "spongy_bone")
        body.add("cortical_bone", socket + [side * 6, 0, -2], (24.5, 24.5, 24.5), "cartilage")
        body.add("spongy_bone", socket + [side * 6, 0, -2], (22.5, 22.5, 22.5), "cortical_bone")
        neck_end = socket + [side * 46, 6, -36]
        body.rod("cortical_bone", socket, neck_end, 17)
        body.rod("spongy_bone", socket, neck_end, 14, "cortical_bone")
        body.rod("cortical_bone", neck_end + [0, 0, 26], neck_end + [side * -12, 0, -300], 17, overlap=1.05)
        body.rod(
            "spongy_bone", neck_end + [0, 0, 26], neck_end + [side * -12, 0, -290], 10, "cortical_bone", overlap=1.0
        )
        body.rod("cortical_bone", socket + [side * -16, -18, 8], (side * 10, -52, -50), 11)
        body.rod("spongy_bone", socket + [side * -16, -18, 8], (side * 10, -52, -50), 7, "cortical_bone")
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
        _bowel_loop(body, rng, np.array([rng.normal(0, 40), rng.normal(-22, 12), rng.uniform(40, 140)]))
    _spine(body, rng, 90, 280, depth=54)
    _lesion(body, rng, (14, 8, 8), (4, 9), "prostate", offset=(0, -6, -56))
    for _ in range(int(rng.integers(2, 8))):
        spot = (rng.choice([-1, 1]) * rng.uniform(40, 105), rng.uniform(0, 60), rng.uniform(-30, 90))
        body.add("metastasis", spot, rng.uniform(4, 10, 3), "spongy_bone")
    return body


def knee(rng: np.random.Generator) -> Body:
    body = Body(rng, warp_mm=2.5)
    s, stout = rng.normal(1, 0.05), rng.uniform(3, 12)
    body.add("fat", (0, 4, 120), (62 * s + stout, 64 * s + stout, 210), "air")
    body.add("fat", (0, 8, -130), (50 * s + stout, 54 * s + stout, 210), "air")
    body.add("muscle", (0, 10, 150), (56 * s, 56 * s, 190), "fat", roughness=0.06)
    body.add("muscle", (0, 26, -140), (46 * s, 40 * s, 180), "fat", roughness=0.06)
    body.add("fat", (0, 0, 0), (54 * s, 50 * s, 50), roughness=0.12)
    body.add("fluid", (0, -22, 24), (26, 7, 26), "fat", roughness=0.2)
    _long_bone(body, (0, 4, 14), (2, 4, 330), 15, "fat")
    for side in (-1, 1):
        body.add("cartilage", (side * 21, 2, 12), (22.5, 32.5, 24.5), "fat")
        body.add("cortical_bone", (side * 21, 2, 13), (20.5, 30, 22.5), "cartilage")
        body.add("spongy_bone", (side * 21, 2, 13), (18.5, 28, 20.5), "cortical_bone")
        body.add("cartilage", (side * 21, 2, -14), (19, 22, 4), "fat")  # meniscus
    body.add("cortical_bone", (0, 4, 34), (34, 24, 26), "fat")
    body.add("spongy_bone", (0, 4, 34), (32, 22, 24), "cortical_bone")
    _long_bone(body, (0, 4, -30), (0, 2, -330), 14, "fat")
    body.add("cortical_bone", (0, 4, -32), (40 * s, 27, 17), "fat")
    body.add("spongy_bone", (0, 4, -32), (38 * s, 25, 15), "cortical_bone")
    _long_bone(body, (34, 22, -46), (30, 20, -330), 7, "muscle")
    body.add("cortical_bone", (0, -42, 18), (20, 10, 22), "fat")
    body.add("spongy_bone", (0, -42, 18), (17.5, 7.5, 19.5), "cortical_bone")
    body.rod("muscle", (0, -44, 40), (0, -40, 150), 11, "fat")  # quadriceps
    body.rod("cartilage", (0, -44, 0), (0, -30, -50), 5, "fat")  # patellar ligament
    body.rod("cartilage", (6, -10, -20), (-6, 18, 14), 4.5, "fat")  # cruciate ligament
    body.rod("blood", (2, 42, 150), (2, 34, -150), 5)
    if rng.random() < 0.25:
        body.rod("metal", (-40, 2, -44), (36, 4, -48), 3.0, "spongy_bone")
    if rng.random() < 0.6:
        _lesion(body, rng, (20, 14, 10), (5, 12), "spongy_bone", offset=(0, 4, 30))
    return body


def hand(rng: np.random.Generator) -> Body:
    body = Body(rng, warp_mm=2.0)
    s = rng.normal(1, 0.07)
    spread = rng.uniform(0.7, 1.3)
    body.add("muscle", (0, 0, -20), (42 * s, 14, 56), "air")
    body.add("muscle", (0, 0, -110), (29 * s, 20, 90), "air")
    _long_bone(body, (-11, 0, -66), (-13, 0, -230), 9, "muscle")
    _long_bone(body, (12, 0, -70), (13, 0, -230), 7, "muscle")
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
        _glandular(body, rng, centre + [0, -12 * size, 0], size * dense)
        if rng.random() < 0.4:
            _lesion(body, rng, (22, 26, 24), (6, 14), "gland", offset=tuple(centre))
    body.add("myocardium", (26, 92, -20), (46, 42, 55), "lung")
    body.add("blood", (30, 94, -20), (28, 24, 36), "myocardium")
    _spine(body, rng, -200, 200, depth=170)
    return body


def compressed_breast(rng: np.random.Generator) -> Body:
    """One breast between the plates of a mammograph, its chest wall at y = 0, its nipple towards -y."""
    body = Body(rng, warp_mm=6.0)
    size, dense = rng.uniform(0.8, 1.25), rng.uniform(0.35, 1.0)
    radii = np.array([82, 98, 27]) * size
    body.add("skin", (0, 12, 0), radii, "air")
    body.add("fat", (0, 12, 0), radii - 1.6, "skin")
    body.add("skin", (0, 12 - radii[1], 0), (6, 6, 6), "air")  # nipple
    _glandular(body, rng, np.array([0, -18 * size, 0]), size * dense * 1.15)
    for _ in range(14):  # ligaments
        start = np.array([rng.uniform(-45, 45), rng.uniform(-40, 5), rng.uniform(-14, 14)]) * size
        body.rod("gland", start, start + rng.normal(0, 26, 3) * [1, 1.2, 0.4], 1.2, "fat")
    body.add("muscle", (-52 * size, 22, 0), (52, 26, 15), "fat", turn=(0, 0, rng.uniform(25, 50)))  # pectoral
    if rng.random() < 0.5:
        _lesion(body, rng, (26, 22, 8), (5, 12), "gland", offset=(0, -24 * size, 0))
    cluster = np.array([rng.uniform(-30, 30), rng.uniform(-50, -10), 0])
    for _ in range(int(rng.integers(0, 14))):
        body.add("calcification", cluster + rng.normal(0, 7, 3), rng.uniform(0.3, 0.9, 3), "gland")
    return body


def _torso(body: Body, muscle: tuple[float, float], stout: float) -> None:
    rx, ry = muscle
    body.add("fat", (0, 0, 0), (rx + 10 + stout, ry + 8 + stout * 0.8, 640), "air")
    body.add("muscle", (0, 4, 0), (rx, ry, 630), "fat", roughness=0.02)


def _spine(body: Body, rng: np.random.Generator, low: float, high: float, depth: float, size: float = 1.0) -> None:
    step = 32 * size
    for z in np.arange(low, high, step):
        wide, deep = 22 * size, 17 * size
        body.add("cortical_bone", (0, depth, z), (wide, deep, step * 0.46))
        body.add("spongy_bone", (0, depth, z), (wide - 1.8, deep - 1.8, step * 0.42), "cortical_bone")
        body.add("cartilage", (0, depth, z + step / 2), (wide - 2, deep - 2, step * 0.14))
        body.add("cortical_bone", (0, depth + 28 * size, z), (19 * size, 13 * size, 11 * size))
        body.rod("cortical_bone", (0, depth + 30 * size, z), (rng.normal(0, 1.5), depth + 52 * size, z - 10), 5 * size)
        for side in (-1, 1):
            body.rod(
                "cortical_bone", (side * 8, depth + 20 * size, z), (side * 38 * size, depth + 28 * size, z), 5 * size
            )
    body.rod(
        "fluid",
        (0, depth + 24 * size, low - step),
        (0, depth + 24 * size, high),
        8.5 * size,
        "cortical_bone",
        overlap=1.1,
    )
    body.rod(
        "white_matter", (0, depth + 24 * size, low - step), (0, depth + 24 * size, high), 5 * size, "fluid", overlap=1.1
    )


def _ribs(body: Body, s: float, numbers: range, lift: float = 0.0) -> None:
    for number in numbers:
        reach = 0.62 + 0.38 * np.sin(np.pi * min(number + 1.5, 8) / 12)
        for side in (-1, 1):
            last = 0.86 if number < 8 else 0.55
            angles = np.linspace(0.06, last, 9) * np.pi
            points = [
                (
                    side * (152 * s * reach * np.sin(t)),
                    86 * s * np.cos(t) * 0.95,
                    150 - 29 * number + lift - 62 * t / np.pi - 22 * np.sin(t),
                )
                for t in angles
            ]
            for start, end in zip(points[:-1], points[1:], strict=True):
                body.rod("cortical_bone", start, end, 5.4, overlap=1.35)
                body.rod("spongy_bone", start, end, 3.2, "cortical_bone", overlap=1.3)


def _vessels(body: Body, rng: np.random.Generator, side: int, number: int) -> None:
    for _ in range(number):
        direction = rng.normal(0, 1, 3) * [0.7, 1, 1.3]
        direction[0] = side * abs(direction[0])
        direction /= np.linalg.norm(direction)
        point = np.array([side * 34.0, 4.0, 4.0])
        radius = rng.uniform(2.6, 4.6)
        for _ in range(3):
            end = point + direction * rng.uniform(16, 34)
            body.rod("blood", point, end, radius, "lung", overlap=1.4)
            point, radius = end, radius * 0.62
            direction = direction + rng.normal(0, 0.35, 3)
            direction /= np.linalg.norm(direction)


def _bowel_loop(body: Body, rng: np.random.Generator, spot: np.ndarray) -> None:  # type: ignore[type-arg]
    radii = rng.uniform(9, 19, 3)
    body.add("bowel", spot, radii, "fat", turn=tuple(rng.uniform(0, 180, 3)), roughness=0.1)
    inside = rng.choice(["gas", "fluid", "bowel"])
    if inside != "bowel":
        body.add(str(inside), spot + [0, -2, 0], radii * 0.68, "bowel", roughness=0.1)


def _long_bone(body: Body, start: tuple[float, ...], end: tuple[float, ...], radius: float, within: str) -> None:
    body.rod("cortical_bone", start, end, radius, within, overlap=1.05)
    body.rod("spongy_bone", start, end, radius * 0.62, "cortical_bone", overlap=1.0)


def _glandular(body: Body, rng: np.random.Generator, centre: np.ndarray, size: float) -> None:  # type: ignore[type-arg]
    body.add("gland", centre, np.array([34, 46, 30]) * size, "fat", roughness=0.45)
    for _ in range(9):
        spot = centre + rng.normal(0, 1, 3) * np.array([20, 26, 9]) * size
        body.add("gland", spot, rng.uniform(6, 15, 3) * size, "fat", roughness=0.5)
        body.add("fat", spot + rng.normal(0, 6, 3), rng.uniform(3, 9, 3), "gland", roughness=0.3)


def _lesion(
    body: Body,
    rng: np.random.Generator,
    spread: tuple[float, ...],
    radius: tuple[float, float],
    within: str,
    *,
    offset: tuple[float, ...] = (0, 0, 0),
    core: str | None = None,
) -> None:
    spot = np.asarray(offset) + rng.uniform(-1, 1, 3) * spread
    radii = rng.uniform(*radius) * rng.uniform(0.75, 1.25, 3)
    body.add("tumour", spot, radii, within, roughness=0.2)
    if core is not None and rng.random() < 0.6:
        body.add(core, spot, radii * 0.5, "tumour", roughness=0.2)


REGIONS: dict[str, Callable[[np.random.Generator], Body]] = {
    "brain": brain,
    "head_neck": head_neck,
    "chest": chest,
    "abdomen": abdomen,
    "pelvis": pelvis,
    "knee": knee,
    "hand": hand,
    "breast": breast,
    "compressed_breast": compressed_breast,
}

TRUNK = (("pelvis", -290.0), ("abdomen", -60.0), ("chest", 190.0), ("head_neck", 440.0))
"""The regions of a scan from the thighs to the head, with the height in mm at which each is centred."""
