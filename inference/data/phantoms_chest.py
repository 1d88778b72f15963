"""Procedural chest: axial CT slices in Hounsfield units, from the heart's middle to above the carina."""

import math
from dataclasses import dataclass

import numpy as np

from inference.data.phantoms_shapes import (
    Branch,
    Canvas,
    Field,
    Image,
    blend,
    draw_tree,
    grow_tree,
    halve,
    paint,
)

SLICE_STEP = 5.0
AIR, LUNG, FAT, MUSCLE, BLOOD, CORTEX = -1000.0, -860.0, -102.0, 55.0, 42.0, 950.0


@dataclass(frozen=True)
class _Person:
    """Everything that one seed decides, in mm."""

    extent: float
    half_width: float
    half_depth: float
    fat: float
    level: float
    contrast: float
    fissure: float
    dose_noise: float
    nodules: tuple[tuple[float, float, float, float, float], ...]
    vessels: tuple[Branch, ...]
    airways: tuple[Branch, ...]
    shape_x: Field
    shape_y: Field
    coarse: Field
    fine: Field
    calcified: bool
    effusion: float


def chest_slices(rng: np.random.Generator, size: int, n_slices: int) -> tuple[Image, float, float]:
    """Return (n, size, size) HU, the pixel spacing and the slice distance in mm."""
    person = _person(rng)
    canvas = Canvas.square(2 * size, person.extent)
    heights = person.level + SLICE_STEP * (np.arange(n_slices) - (n_slices - 1) / 2)
    slices = []
    for z in heights:
        clean = halve(_slice(person, canvas, float(z)))
        slices.append(clean + person.dose_noise * _scanner_noise(rng, size))
    return np.stack(slices), person.extent / size, SLICE_STEP


def _person(rng: np.random.Generator) -> _Person:
    half_width, half_depth = float(rng.uniform(158, 182)), float(rng.uniform(102, 122))
    level = float(rng.uniform(-45, 45))
    vessels: list[Branch] = []
    airways: list[Branch] = []
    for side in (-1, 1):
        for height in np.linspace(level - 30, level + 30, 11):
            start = (side * float(rng.uniform(30, 48)), float(rng.uniform(-14, 22)), float(height))
            heading = (side * 1.0, float(rng.uniform(-1.9, 1.9)), float(rng.uniform(-0.7, 0.7)))
            vessels += grow_tree(rng, start, heading, float(rng.uniform(2.4, 5.0)), 22.0, 8)
        for _ in range(3):
            start = (side * 38.0, float(rng.uniform(-4, 12)), level + float(rng.uniform(-12, 12)))
            heading = (side * 1.0, float(rng.uniform(-0.9, 0.9)), float(rng.uniform(-0.8, 0.8)))
            airways += grow_tree(rng, start, heading, float(rng.uniform(2.8, 4.0)), 17.0, 4)
    return _Person(
        extent=2 * half_width * float(rng.uniform(1.06, 1.14)),
        half_width=half_width,
        half_depth=half_depth,
        fat=float(rng.uniform(8, 24)),
        level=level,
        contrast=float(rng.choice([0.0, 0.0, 130.0, 220.0])),
        fissure=float(rng.uniform(10, 30)),
        dose_noise=float(rng.uniform(9, 14)),
        nodules=_nodules(rng, level),
        vessels=tuple(vessels),
        airways=tuple(airways),
        shape_x=Field(rng, 75, 90, 2),
        shape_y=Field(rng, 75, 90, 2),
        coarse=Field(rng, 14, 20, 2),
        fine=Field(rng, 2.2, 5, 2),
        calcified=bool(rng.random() < 0.5),
        effusion=float(rng.uniform(6, 16)) if rng.random() < 0.2 else 0.0,
    )


def _nodules(rng: np.random.Generator, level: float) -> tuple[tuple[float, float, float, float, float], ...]:
    """Return none to four nodules as x, y, z, radius and HU (ground glass to calcified)."""
    found = []
    for _ in range(int(rng.integers(0, 5))):
        side = float(rng.choice([-1, 1]))
        x, y = side * float(rng.uniform(60, 105)), float(rng.uniform(-45, 50))
        found.append((x, y, level + float(rng.uniform(-9, 9)), float(rng.uniform(2, 8)), _nodule_density(rng)))
    return tuple(found)


def _nodule_density(rng: np.random.Generator) -> float:
    return float(rng.choice([-620.0, -350.0, 20.0, 40.0, 380.0]))


def _slice(person: _Person, plain: Canvas, z: float) -> Image:
    canvas = plain.warped(4 * person.shape_x(plain.x, plain.y, z), 4 * person.shape_y(plain.x, plain.y, z))
    coarse, fine = person.coarse(plain.x, plain.y, z), person.fine(plain.x, plain.y, z)
    image: Image = np.full(plain.x.shape, AIR)
    table = np.abs(np.hypot(plain.x, plain.y + 330) - (330 + person.half_depth + 9)) - 2.2
    paint(image, plain.cover(table) * (np.abs(plain.x) < 200), -420)
    body = canvas.ellipse(0, 0, person.half_width, person.half_depth, power=2.5)
    paint(image, canvas.cover(body), 30)
    paint(image, canvas.cover(body + 2.0), FAT + 5 * coarse + 14 * np.clip(fine - 1.1, 0, None))
    wall = person.fat * (1 + 0.45 * np.abs(canvas.y) / person.half_depth)
    muscle = body + 2 + wall * (0.75 + 0.12 * person.coarse(plain.x * 0.4, plain.y * 0.4, z))
    _paint_muscle(image, canvas, muscle, coarse, fine)
    cage_a, cage_b = person.half_width - wall.mean() - 24, person.half_depth - wall.mean() * 0.6 - 17
    cavity = canvas.ellipse(0, 2, float(cage_a), float(cage_b), power=2.35)
    mediastinum = _mediastinum(person, canvas, z)
    _paint_lungs(image, person, canvas, cavity, mediastinum, z, (coarse, fine))
    _paint_mediastinum(image, person, canvas, cavity, mediastinum, z, fine)
    _paint_ribs(image, person, canvas, float(cage_a), float(cage_b), z, fine)
    _paint_spine(image, canvas, float(cage_b), muscle, fine, coarse)
    return image


def _paint_muscle(image: Image, canvas: Canvas, muscle: Image, coarse: Image, fine: Image) -> None:
    tissue = MUSCLE + 4 * coarse + 4 * fine
    paint(image, canvas.cover(muscle), tissue)
    # Fat planes between the layers of the chest wall: pectorals in front, latissimus and serratus beside.
    for depth, strength in ((7.0, 0.85), (14.5, 0.6)):
        layer = np.abs(muscle + depth + 2.2 * coarse) - 0.9
        paint(image, canvas.cover(layer) * strength * np.clip(0.6 + 0.5 * coarse, 0, 1), FAT)


def _mediastinum(person: _Person, canvas: Canvas, z: float) -> Image:
    """Return the distance to everything between the lungs; the heart shrinks towards the great vessels."""
    heart = max(0.0, min(1.0, (38 - z) / 70))
    column = canvas.ellipse(2, 8, 30 - 4 * heart, 72, power=2.6)
    front = canvas.ellipse(0, -62, 20, 34)
    shapes = [column, front]
    if heart > 0:
        shapes.append(canvas.ellipse(18 + 8 * heart, -22, 34 + 24 * heart, 26 + 18 * heart, 28))
    return blend(shapes, 12)


def _paint_lungs(
    image: Image,
    person: _Person,
    canvas: Canvas,
    cavity: Image,
    mediastinum: Image,
    z: float,
    texture: tuple[Image, Image],
) -> None:
    coarse, fine = texture
    lung = np.maximum(cavity, 1.5 - mediastinum)
    gravity = 55 * (canvas.y / person.half_depth)
    paint(image, canvas.cover(cavity - 2.2), MUSCLE - 15)
    paint(image, canvas.cover(lung), LUNG + gravity + 16 * coarse + 22 * fine)
    inside = canvas.cover(lung + 0.8)
    for side in (-1, 1):
        bend = person.fissure + 0.35 * (side * canvas.x - 70) + 6 * coarse * 0.4 - 0.5 * z
        fissure = np.abs(canvas.y - bend) - 0.35
        paint(image, canvas.cover(fissure, 1.2) * inside * (side * canvas.x > 25) * 0.55, -560)
    tree: Image = np.zeros_like(image)
    draw_tree(tree, person.vessels, canvas.pixel, z, SLICE_STEP * 0.5)
    paint(image, tree * inside, BLOOD + 0.8 * person.contrast)
    _paint_airways(image, person, canvas, z, inside)
    for x, y, height, radius, density in person.nodules:
        flat = radius**2 - (z - height) ** 2
        if flat > 0:
            rim = canvas.ellipse(x, y, math.sqrt(flat), math.sqrt(flat) * 0.88, 20) + 0.5 * fine
            paint(image, canvas.cover(rim, 1.4) * inside, density + 12 * fine)
    if person.effusion:
        level = np.maximum(cavity, person.half_depth - 34 - person.effusion - canvas.y - 0.08 * canvas.x)
        paint(image, canvas.cover(level) * (canvas.x > 20), 12 + 3 * coarse)


def _paint_airways(image: Image, person: _Person, canvas: Canvas, z: float, inside: Image) -> None:
    walls: Image = np.zeros_like(image)
    lumen: Image = np.zeros_like(image)
    outer = tuple(Branch(b.start, b.end, b.r0 + 0.9, b.r1 + 0.7) for b in person.airways)
    draw_tree(walls, outer, canvas.pixel, z, 1.0)
    draw_tree(lumen, person.airways, canvas.pixel, z, 1.0)
    paint(image, walls * inside * 0.8, -60)
    paint(image, lumen * inside, -985)


def _paint_mediastinum(
    image: Image, person: _Person, canvas: Canvas, cavity: Image, mediastinum: Image, z: float, fine: Image
) -> None:
    within = canvas.cover(np.maximum(cavity, mediastinum))
    paint(image, within, FAT + 12 + 4 * fine)
    blood = BLOOD + person.contrast
    heart = max(0.0, min(1.0, (38 - z) / 70))
    if heart > 0.1:
        _paint_heart(image, person, canvas, heart, within, fine)
    rise = max(0.0, min(1.0, (z + 25) / 60))
    if rise > 0.15:
        _vessel(image, canvas, within, (-12, -32, 15.5, 14.5), blood + 3 * fine)
        _vessel(image, canvas, within, (14, -30, 13, 12), blood + 20 + 3 * fine)
        _vessel(image, canvas, within, (-31, -22, 8.5, 10), blood + 3 * fine)
        for end in ((-46.0, 4.0), (46.0, 0.0)):
            artery = canvas.capsule((10, -22), end, 10 * rise, 6.5)
            paint(image, canvas.cover(artery) * canvas.cover(mediastinum - 7), blood + 10 + 3 * fine)
    _paint_trachea(image, canvas, z)
    gullet = canvas.ellipse(8, 33, 8.5, 5.5, 15)
    paint(image, canvas.cover(gullet) * within, 38 + 4 * fine)
    paint(image, canvas.cover(canvas.ellipse(8.5, 32.5, 2.6, 1.1, 10)), -600)
    aorta = canvas.ellipse(27, 45, 12.5, 12.5)
    paint(image, canvas.cover(aorta + 0.2), 50)
    paint(image, canvas.cover(aorta + 1.5), blood + 3 * fine)
    if person.calcified:
        plaque = np.abs(aorta + 0.8) - 0.9
        sector = np.abs(np.arctan2(canvas.y - 45, canvas.x - 27) - 0.6) < 0.55
        paint(image, canvas.cover(plaque) * sector, 620)


def _vessel(image: Image, canvas: Canvas, within: Image, at: tuple[float, float, float, float], value: Image) -> None:
    rim = canvas.ellipse(*at)
    paint(image, canvas.cover(rim - 1.0) * within, MUSCLE - 10)
    paint(image, canvas.cover(rim + 0.4) * within, value)


def _paint_heart(image: Image, person: _Person, canvas: Canvas, heart: float, within: Image, fine: Image) -> None:
    """Paint myocardium and four chambers, which differ from it only where contrast was given."""
    blood = BLOOD + person.contrast
    myocardium = canvas.ellipse(19 + 8 * heart, -22, 30 + 23 * heart, 22 + 17 * heart, 28)
    paint(image, canvas.cover(myocardium) * within, 48 + 0.35 * person.contrast + 4 * fine)
    chambers = ((44, -12, 21, 11, 33), (16, -40, 20, 11, 28), (-13, -24, 13, 15, 10), (12, 8, 17, 12, 12))
    for x, y, a, b, turn in chambers:
        room = canvas.ellipse(x, y, a * (0.4 + 0.6 * heart), b * (0.4 + 0.6 * heart), turn) + 0.7 * fine
        paint(image, canvas.cover(room, 2.0) * canvas.cover(myocardium + 2) * within, blood - 6 + 3 * fine)
    groove = canvas.path([(2, -4), (-2, -26), (6, -47)], 1.5)
    paint(image, canvas.cover(groove, 1.5) * canvas.cover(myocardium + 1) * 0.7, FAT + 20)


def _paint_trachea(image: Image, canvas: Canvas, z: float) -> None:
    """Paint the windpipe above the carina and the main bronchi, drifting apart, below it."""
    apart = max(0.0, (22 - z) * 0.75)
    if apart > 30:  # below the hila the bronchi have entered the lungs
        return
    lumens = ((0.0, 8.0, 9.0, 8.0),) if apart == 0 else ((-apart - 4, 10.0, 7.5, 6.0), (apart + 4, 9.0, 7.0, 5.5))
    for x, y, a, b in lumens:
        tube = canvas.ellipse(x, y, a, b, 12 if x > 0 else -12)
        paint(image, canvas.cover(tube - 1.4), 30)
        paint(image, canvas.cover(tube), -990)


def _paint_ribs(
    image: Image, person: _Person, canvas: Canvas, cage_a: float, cage_b: float, z: float, fine: Image
) -> None:
    """Paint ribs where the slanting arches cross the slice, sternum and shoulder blades."""
    for side in (-1, 1):
        for number in range(7):
            phase = number / 7 + z / 190 + (0.04 if side > 0 else 0)
            angle = math.radians(-68 + 142 * (phase % 1.0))
            x, y = side * (cage_a + 6) * math.cos(angle), 2 + (cage_b + 6) * math.sin(angle)
            tangent = math.degrees(math.atan2(cage_b * math.cos(angle), -side * cage_a * math.sin(angle)))
            long = 13 + 5 * math.sin(number * 2.1 + side)
            _bone(image, canvas, canvas.ellipse(x, y, long, 4.6, tangent), 1.5, 210, fine)
        if z > -25:
            far = min(1.0, (z + 25) / 40)
            x, y = side * (cage_a * 0.72), cage_b * 0.72 + 22
            blade = canvas.path([(x - side * 26 * far, y + 5), (x, y + 2), (x + side * 22, y - 17)], 3.0)
            _bone(image, canvas, blade, 1.5, 240, fine)
    sternum = canvas.ellipse(0, -cage_b - 7, 17, 5.5)
    _bone(image, canvas, sternum, 1.3, 120, fine)


def _bone(image: Image, canvas: Canvas, shape: Image, cortex: float, marrow: float, fine: Image) -> None:
    paint(image, canvas.cover(shape), CORTEX - 160 + 60 * fine)
    paint(image, canvas.cover(shape + cortex, 1.2), marrow + 70 * fine)


def _paint_spine(image: Image, canvas: Canvas, cage_b: float, wall: Image, fine: Image, coarse: Image) -> None:
    y = cage_b - 27.0
    for side in (-1, 1):
        muscle = np.maximum(canvas.ellipse(side * 25, y + 34, 24, 15, side * 14), wall - 4)
        paint(image, canvas.cover(muscle), MUSCLE + 4 * coarse + 5 * fine)
        paint(image, canvas.cover(np.abs(muscle) - 0.8) * 0.6, FAT)
    body = canvas.ellipse(0, y, 18.5, 15, power=2.4)
    arch = [canvas.capsule((side * 11, y + 12), (side * 13, y + 22), 4.0, 4.2) for side in (-1, 1)]
    arch += [canvas.capsule((side * 13, y + 22), (side * 32, y + 27), 4.5, 3.4) for side in (-1, 1)]
    arch += [canvas.capsule((side * 13, y + 22), (0, y + 33), 3.6, 3.6) for side in (-1, 1)]
    arch.append(canvas.capsule((0, y + 33), (0, y + 46), 3.6, 2.8))
    for side in (-1, 1):
        _bone(image, canvas, canvas.ellipse(side * 36, y + 19, 11, 5.2, side * 24), 1.4, 220, fine)
    _bone(image, canvas, blend(arch, 3), 1.4, 260, fine)
    _bone(image, canvas, body, 1.3, 165, 0.9 * fine + 0.5 * coarse)
    canal = canvas.ellipse(0, y + 21.5, 8.8, 7.2)
    paint(image, canvas.cover(canal - 0.6), FAT + 60)
    paint(image, canvas.cover(canal + 0.6), 12)
    paint(image, canvas.cover(canvas.ellipse(0, y + 21.5, 5.0, 4.0)), 38)


def _scanner_noise(rng: np.random.Generator, size: int) -> Image:
    """Return unit noise with the spectrum of filtered back-projection: a ramp under a smooth kernel."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    gain = np.sqrt(frequency) * np.cos(np.pi * np.minimum(frequency, 0.5)) ** 1.0
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((size, size))) * gain, s=(size, size))
    return np.asarray(noise / noise.std(), np.float64)
