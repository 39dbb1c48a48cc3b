"""Parts that several regions share: walls, bones, vessels, lesions. Sizes are those of an adult in mm."""

import itertools

import numpy as np

from modality_assets.archives.replica.phantoms.shapes import Body, Point, Vector


def beside(point: Point, x: float, y: float, z: float) -> Vector:
    """Return the point that lies (x, y, z) mm from ``point``."""
    return np.add(np.asarray(point, float), (x, y, z))


def torso(body: Body, muscle: tuple[float, float], stout: float) -> None:
    rx, ry = muscle
    body.add("fat", (0, 0, 0), (rx + 10 + stout, ry + 8 + stout * 0.8, 640), "air")
    body.add("muscle", (0, 4, 0), (rx, ry, 630), "fat", roughness=0.02)


def spine(body: Body, rng: np.random.Generator, low: float, high: float, depth: float, size: float = 1.0) -> None:
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


def ribs(body: Body, s: float, numbers: range, lift: float = 0.0) -> None:
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
            for start, end in itertools.pairwise(points):
                body.rod("cortical_bone", start, end, 5.4, overlap=1.35)
                body.rod("spongy_bone", start, end, 3.2, "cortical_bone", overlap=1.3)


def lung_vessels(body: Body, rng: np.random.Generator, side: int, number: int) -> None:
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


def bowel_loop(body: Body, rng: np.random.Generator, spot: Vector) -> None:
    radii = rng.uniform(9, 19, 3)
    body.add("bowel", spot, radii, "fat", turn=tuple(rng.uniform(0, 180, 3)), roughness=0.1)
    inside = rng.choice(["gas", "fluid", "bowel"])
    if inside != "bowel":
        body.add(str(inside), beside(spot, 0, -2, 0), radii * 0.68, "bowel", roughness=0.1)


def long_bone(body: Body, start: tuple[float, ...], end: tuple[float, ...], radius: float, within: str) -> None:
    body.rod("cortical_bone", start, end, radius, within, overlap=1.05)
    body.rod("spongy_bone", start, end, radius * 0.62, "cortical_bone", overlap=1.0)


def lesion(
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
