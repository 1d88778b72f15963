"""Procedural carotid: B-mode frames, along or across the artery, from scatterers and a point spread.

Each pixel holds a random complex scatterer whose mean strength (dB) is the tissue's; interfaces add coherent
lines; the sum is blurred by a point spread that widens with depth, its envelope log-compressed to 60 dB.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.data.phantoms_shapes import Canvas, Field, Image, paint

DYNAMIC_RANGE = 60.0
MUSCLE, FAT, THYROID, DEEP, WALL, MEDIA, LUMEN = -26.0, -30.0, -17.0, -25.0, -9.0, -34.0, -62.0


@dataclass(frozen=True)
class _Neck:
    """Everything that one seed decides; lengths in mm, strengths in dB."""

    extent: float
    across: bool
    sector: float
    depth: float
    radius: float
    tilt: float
    media: float
    plaque: float
    plaque_at: float
    plaque_size: float
    calcified: bool
    vein: tuple[float, float, float, float]
    gain: float
    falloff: float
    pulse: float
    layers: tuple[float, float, float]
    bend: Field
    patchy: Field
    fibres: Field
    edges: Field


def carotid_frames(rng: np.random.Generator, size: int, n_frames: int) -> tuple[Image, float]:
    """Return (n, size, size) grey values 0..255 of a short cine, and the pixel spacing in mm."""
    neck = _neck(rng)
    canvas = Canvas.square(size, neck.extent)
    still = _scatterers(rng, size)
    frames = []
    for number in range(n_frames):
        beat = math.sin(2 * math.pi * number / 9.0)
        # Most scatterers stay between frames; blood and the hand that holds the probe change the rest.
        moving = 0.93 * still + math.sqrt(1 - 0.93**2) * _scatterers(rng, size)
        frames.append(_frame(neck, canvas, moving, beat, _scatterers(rng, size)))
    return np.stack(frames), neck.extent / size


def _neck(rng: np.random.Generator) -> _Neck:
    across = bool(rng.random() < 0.45)
    depth = float(rng.uniform(-3, 4))
    vein_a, vein_b = float(rng.uniform(3.2, 5.5)), float(rng.uniform(1.6, 3.6))
    return _Neck(
        extent=float(rng.uniform(34, 44)),
        across=across,
        sector=float(rng.choice([0.0, 0.0, 9.0, 15.0])),
        depth=depth,
        radius=float(rng.uniform(2.7, 3.7)),
        tilt=float(rng.uniform(-7, 7)),
        media=float(rng.uniform(0.55, 1.0)),
        plaque=float(rng.choice([0.0, 0.0, -24.0, -15.0, -6.0])),
        plaque_at=float(rng.uniform(-9, 9)),
        plaque_size=float(rng.uniform(1.2, 2.6)),
        calcified=bool(rng.random() < 0.5),
        vein=(float(rng.uniform(7, 11)), depth - float(rng.uniform(1, 5)), vein_a, vein_b),
        gain=float(rng.uniform(-3, 4)),
        falloff=float(rng.uniform(0.25, 0.55)),
        pulse=float(rng.uniform(0.15, 0.35)),
        layers=(float(rng.uniform(2.5, 4.5)), float(rng.uniform(7, 9.5)), float(rng.uniform(4, 6))),
        bend=Field(rng, 16, 12),
        patchy=Field(rng, 4, 8),
        fibres=Field(rng, 1.0, 8),
        edges=Field(rng, 3, 8),
    )


def _scatterers(rng: np.random.Generator, size: int) -> NDArray[np.complex128]:
    parts = rng.standard_normal((2, size, size))
    return np.asarray((parts[0] + 1j * parts[1]) / math.sqrt(2), np.complex128)


def _frame(
    neck: _Neck,
    plain: Canvas,
    scatterers: NDArray[np.complex128],
    beat: float,
    electronic: NDArray[np.complex128],
) -> Image:
    strength, lines, shadow = _tissue(neck, plain, beat)
    # The point spread adds up what is in phase, which lifts interfaces by about 13 dB over speckle.
    broken = lines - 13 + 3.5 * neck.edges(plain.x * 1.5, plain.y, 2.0) + 2.5 * neck.patchy(plain.x, plain.y, 6.0)
    echo = 10 ** (strength / 20) * scatterers + 10 ** (broken / 20) * np.exp(0.6j * np.angle(scatterers))
    blurred = _point_spread(echo, plain.pixel)
    down = plain.y + neck.extent / 2
    focus = neck.extent / 2 + neck.depth
    level = -neck.falloff * np.maximum(down - focus, 0) - 0.12 * np.abs(down - focus) + neck.gain + shadow
    received = blurred * 10 ** (level / 20) + 10 ** ((-66 + 0.35 * down) / 20) * electronic
    decibel = 20 * np.log10(np.abs(received) + 1e-6)
    grey = np.clip((decibel + DYNAMIC_RANGE - 9) / DYNAMIC_RANGE, 0, 1) * 255
    if neck.sector:
        slope = math.tan(math.radians(neck.sector))
        half = neck.extent / 2 - slope * neck.extent
        grey = grey * (np.abs(plain.x) <= half + slope * down)
    return np.asarray(grey, np.float64)


def _tissue(neck: _Neck, plain: Canvas, beat: float) -> tuple[Image, Image, Image]:
    """Return scatterer strength, interface strength and shadow (all dB) of every pixel."""
    wave = neck.bend(plain.x, 0 * plain.y, 0.0)
    bent = plain.warped(0 * plain.x, 0.7 * wave + 0.25 * neck.edges(plain.x, plain.y, 0.0))
    down = bent.y + neck.extent / 2
    strength: Image = np.full(plain.x.shape, DEEP) + 3.5 * neck.patchy(plain.x, plain.y, 0.0)
    lines: Image = np.full(plain.x.shape, -90.0)
    shadow: Image = np.zeros_like(strength)
    _paint_layers(neck, plain, bent, down, strength, lines)
    if neck.across:
        _paint_across(neck, bent, beat, strength, lines, shadow)
    else:
        _paint_along(neck, bent, beat, strength, lines, shadow)
    return strength, lines, shadow


def _paint_layers(neck: _Neck, plain: Canvas, bent: Canvas, down: Image, strength: Image, lines: Image) -> None:
    """Paint skin, subcutaneous fat, the sternocleidomastoid with its fibrils, fasciae and deep muscle."""
    fat_end, muscle_end, _ = neck.layers
    fibres = neck.fibres(plain.x * 0.12 + 3, down * 1.5, 0.0)
    _ramp(strength, bent, fat_end - down, FAT + 3 * neck.patchy(plain.x, plain.y * 2, 3.0))
    muscle = np.maximum(fat_end - down, down - muscle_end)
    paint(strength, bent.cover(muscle, 0.4), MUSCLE - 5 + 5.5 * fibres)
    floor = neck.extent - 11 + neck.layers[2] * 0.4
    deep = floor - down
    paint(strength, bent.cover(deep, 0.6), MUSCLE - 4 + 6 * neck.fibres(plain.x * 0.15, down * 1.1, 9.0))
    paint(strength, bent.cover(np.abs(down - 0.7) - 0.55), -4)
    septa = np.clip(neck.fibres(plain.x * 0.14, down * 1.2, 5.0) - 1.0, 0, 1.2)
    strength += 13 * septa * (down < fat_end)
    for place, strong in ((fat_end, -7), (muscle_end, -5), (floor, -9)):
        broken = strong + 3.5 * neck.patchy(plain.x, 0 * plain.y, place)
        _line(lines, bent, down - place, 0.16, broken)


def _ramp(image: Image, canvas: Canvas, edge: Image, value: Image) -> None:
    paint(image, canvas.cover(-edge, 0.4), value)


def _line(lines: Image, canvas: Canvas, distance: Image, half: float, decibel: Image | float) -> None:
    """Raise an interface: coherent, a fraction of a millimetre thick, in place."""
    paint(lines, canvas.cover(np.abs(distance) - half, 1.2 * canvas.pixel), decibel)


def _paint_along(neck: _Neck, bent: Canvas, beat: float, strength: Image, lines: Image, shadow: Image) -> None:
    """Paint the artery lengthwise: lumen, the double line of intima and media, adventitia, plaque."""
    slope = math.tan(math.radians(neck.tilt))
    centre = neck.depth + slope * bent.x
    widening = 0.9 / (1 + np.exp(-(bent.x - 10) / 2.5))
    radius = neck.radius + neck.pulse * beat + widening
    offset = bent.y - centre
    wall = np.abs(offset) - radius
    bright = -20 * abs(slope)
    plaque = _plaque_along(neck, bent, offset - radius)
    _paint_wall(neck, bent, wall, strength, lines, bright + 0 * offset)
    _paint_plaque(neck, bent, plaque, strength, lines, shadow, offset)


def _plaque_along(neck: _Neck, bent: Canvas, from_far_wall: Image) -> Image:
    hump = neck.plaque_size * np.exp(-0.5 * ((bent.x - neck.plaque_at) / (1.4 * neck.plaque_size)) ** 2)
    rough = hump * (1 + 0.14 * neck.edges(bent.x * 1.4, 0 * bent.y, 4.0))
    return np.asarray(np.maximum(-from_far_wall - rough, from_far_wall - 0.2), np.float64)


def _paint_across(neck: _Neck, bent: Canvas, beat: float, strength: Image, lines: Image, shadow: Image) -> None:
    """Paint the artery in cross-section between thyroid and jugular vein, with the trachea's edge."""
    lobe = bent.ellipse(-9.5, neck.depth + 0.5, 7.2, 6.4, 10)
    paint(strength, bent.cover(lobe, 0.5), THYROID + 1.2 * neck.patchy(bent.x, bent.y, 1.0))
    _line(lines, bent, lobe, 0.12, -12.0)
    cartilage = bent.ellipse(-24, neck.depth + 2, 9, 9)
    _line(lines, bent, cartilage, 0.3, -2.0)
    shadow += -26 * bent.cover(cartilage + 0.3, 1.0)
    x, y, a, b = neck.vein
    vein = bent.ellipse(x, y, a * (1 - 0.12 * beat), b * (1 - 0.2 * beat), 12)
    paint(strength, bent.cover(vein, 0.3), LUMEN)
    _line(lines, bent, vein, 0.14, -11.0 - 9 * np.abs(bent.x - x) / a)
    reach = np.hypot(bent.x, bent.y - neck.depth)
    wall = reach - neck.radius - neck.pulse * beat
    # Walls across the beam reflect, walls along it hardly do.
    steep = -22 * (1 - np.abs(bent.y - neck.depth) / np.maximum(reach, 1e-6)) ** 1.2
    _paint_wall(neck, bent, wall, strength, lines, np.asarray(steep, np.float64))
    crescent = np.maximum(wall, neck.radius * 1.25 - np.hypot(bent.x + 1.1, bent.y - neck.depth + 1.7))
    _paint_plaque(neck, bent, crescent, strength, lines, shadow, bent.y - neck.depth)
    behind = (np.abs(bent.x) < neck.radius * 0.75) & (bent.y > neck.depth + neck.radius)
    shadow += 4.0 * ndimage.gaussian_filter1d(behind.astype(np.float64), 0.6 / bent.pixel, axis=1)


def _paint_wall(neck: _Neck, bent: Canvas, wall: Image, strength: Image, lines: Image, bright: Image) -> None:
    paint(strength, bent.cover(wall - neck.media - 1.1, 0.3), WALL - 3 + 0.8 * bright)
    paint(strength, bent.cover(wall - neck.media), MEDIA)
    paint(strength, bent.cover(wall), LUMEN)
    paint(lines, bent.cover(wall - 0.3), -90)
    _line(lines, bent, wall - 0.05, 0.12, -13 + bright)
    _line(lines, bent, wall - neck.media - 0.2, 0.22, -3 + bright)


def _paint_plaque(
    neck: _Neck, bent: Canvas, plaque: Image, strength: Image, lines: Image, shadow: Image, offset: Image
) -> None:
    """Paint a plaque on the far wall with its cap; a calcified one throws a shadow."""
    if neck.plaque == 0.0:
        return
    body = bent.cover(plaque, 0.2)
    paint(strength, body, neck.plaque + 3 * neck.patchy(bent.x * 1.5, bent.y * 1.5, 2.0))
    _line(lines, bent, np.maximum(plaque, offset - 2.2), 0.12, neck.plaque - 1)
    if neck.calcified and neck.plaque > -20:
        core = bent.cover(plaque + 0.6, 0.3)
        paint(lines, core * 0.8, 1.0)
        struck = np.maximum.accumulate(core, axis=0)
        shadow += -24 * ndimage.gaussian_filter1d(struck * (1 - core), 0.3 / bent.pixel, axis=1)


def _point_spread(echo: NDArray[np.complex128], pixel: float) -> NDArray[np.complex128]:
    """Blur 0.13 mm along the beam and 0.25 mm (near) to 0.5 mm (deep) across, energy kept."""
    axial = _blur(echo, 0.13 / pixel, 0)
    near, deep = _blur(axial, 0.22 / pixel, 1), _blur(axial, 0.5 / pixel, 1)
    share = np.linspace(0, 1, echo.shape[0])[:, None]
    return np.asarray(near * np.sqrt(1 - share) + deep * np.sqrt(share), np.complex128)


def _blur(echo: NDArray[np.complex128], sigma: float, axis: int) -> NDArray[np.complex128]:
    blurred = ndimage.gaussian_filter1d(echo.real, sigma, axis=axis) + 1j * ndimage.gaussian_filter1d(
        echo.imag, sigma, axis=axis
    )
    # A normalised Gaussian keeps sums; speckle needs its power kept: divide by the kernel's root energy.
    return np.asarray(blurred * math.sqrt(max(1.0, 2 * math.sqrt(math.pi) * sigma)), np.complex128)
