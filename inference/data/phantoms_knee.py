"""Procedural knee: sagittal proton-density-like MR magnitude, fat bright, tendons and cortex dark."""

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

SLICE_STEP = 3.5
FULL_SCALE = 1800.0
MARROW, FAT, MUSCLE, CARTILAGE, FLUID, DARK = 0.72, 0.86, 0.36, 0.5, 0.7, 0.05


@dataclass(frozen=True)
class _Person:
    """Everything that one seed decides; lengths in mm, `off` is the slice's distance from the notch."""

    extent: float
    scale: float
    bend: float
    off: float
    fat: float
    noise: float
    effusion: float
    tear: bool
    bruise: tuple[float, float, float] | None
    cyst: float
    vessels: tuple[Branch, ...]
    shape_x: Field
    shape_y: Field
    trabeculae: Field
    patchy: Field
    fine: Field
    septa: Field
    coil: tuple[float, float]


def knee_slices(rng: np.random.Generator, size: int, n_slices: int) -> tuple[Image, float, float]:
    """Return (n, size, size) magnitudes, the pixel spacing and the slice distance in mm."""
    person = _person(rng)
    canvas = Canvas.square(2 * size, person.extent)
    places = person.off + SLICE_STEP * (np.arange(n_slices) - (n_slices - 1) / 2)
    slices = []
    for off in places:
        clean = halve(_slice(person, canvas, float(off)))
        parts = person.noise * rng.standard_normal((2, size, size))
        slices.append(FULL_SCALE * np.hypot(clean + parts[0], parts[1]))
    return np.stack(slices), person.extent / size, SLICE_STEP


def _person(rng: np.random.Generator) -> _Person:
    bruise = None
    if rng.random() < 0.35:
        bruise = (float(rng.uniform(-14, 14)), float(rng.choice([-9.0, 17.0])), float(rng.uniform(6, 12)))
    vessels: list[Branch] = []
    for _ in range(5):
        start = (float(rng.uniform(28, 44)), -85.0, float(rng.uniform(-6, 6)))
        vessels += grow_tree(rng, start, (float(rng.uniform(-0.1, 0.25)), 1.0, 0.0), 1.1, 26.0, 5)
    return _Person(
        extent=float(rng.uniform(150, 168)),
        scale=float(rng.uniform(0.94, 1.08)),
        bend=float(rng.uniform(-7, 7)),
        off=float(rng.uniform(-22, 22)),
        fat=float(rng.uniform(5, 13)),
        noise=float(rng.uniform(0.012, 0.022)),
        effusion=float(rng.uniform(3, 8)) if rng.random() < 0.35 else 1.2,
        tear=bool(rng.random() < 0.4),
        bruise=bruise,
        cyst=float(rng.uniform(5, 10)) if rng.random() < 0.2 else 0.0,
        vessels=tuple(vessels),
        shape_x=Field(rng, 34, 30, 2),
        shape_y=Field(rng, 34, 30, 2),
        trabeculae=Field(rng, 1.6, 6, 2),
        patchy=Field(rng, 9, 12, 2),
        fine=Field(rng, 1.1, 4, 2),
        septa=Field(rng, 6, 9, 2),
        coil=(float(rng.uniform(-0.0025, 0.0025)), float(rng.uniform(-0.0015, 0.0015))),
    )


def _slice(person: _Person, plain: Canvas, off: float) -> Image:
    scaled = Canvas(plain.x / person.scale, plain.y / person.scale, plain.pixel / person.scale)
    x, y = scaled.x, scaled.y
    canvas = scaled.warped(1.6 * person.shape_x(x, y, off), 1.6 * person.shape_y(x, y, off))
    condyle = math.sqrt(max(0.15, 1 - (max(0.0, abs(off) - 14) / 24) ** 2))
    notch = max(0.0, 1 - abs(off) / 9)
    image: Image = np.full(x.shape, 0.0)
    leg = _leg_outline(canvas)
    paint(image, canvas.cover(leg), 0.45)
    fat = FAT + 0.05 * person.patchy(x, y, off)
    paint(image, canvas.cover(leg + 1.6), fat)
    septa = np.abs(person.septa(x * 1.6, y * 0.8, off)) - 0.05
    paint(image, canvas.cover(leg + 1.6) * np.clip(0.5 - 6 * septa, 0, 1) * 0.3, 0.35)
    _paint_muscles(image, person, canvas, leg, off)
    _paint_vessels(image, person, canvas, off)
    bones = _bones(person, canvas, condyle, notch)
    _paint_joint(image, person, canvas, bones, off, notch)
    for number, bone in enumerate(bones):
        _paint_bone(image, person, canvas, bone, off, number)
    _paint_cartilage(image, person, canvas, bones, off)
    _paint_menisci(image, person, canvas, notch)
    _paint_tendons(image, person, canvas, bones, notch)
    shading = 1 + person.coil[0] * plain.x + person.coil[1] * plain.y
    depth = np.clip(-leg / 40, 0, 1)
    return np.asarray(image * shading * (1.06 - 0.22 * depth), np.float64)


def _leg_outline(canvas: Canvas) -> Image:
    """Return the distance to the leg's skin: thigh above, calf bulging behind below."""
    thigh = canvas.capsule((12, -140), (8, -30), 54, 50)
    knee = canvas.ellipse(-2, -5, 51, 46)
    calf = canvas.capsule((8, 20), (16, 130), 44, 46)
    return blend([thigh, knee, calf], 18)


def _bones(person: _Person, canvas: Canvas, condyle: float, notch: float) -> tuple[Image, Image, Image]:
    """Return the distances to femur, tibia and patella."""
    shaft = canvas.capsule((2 + person.bend, -110), (0, -34), 14.5, 17)
    round_part = canvas.ellipse(3, -21, 27 * (0.78 + 0.22 * condyle), 23.5 * condyle + 1.5, -12)
    back = canvas.ellipse(15, -19, 17 * condyle, 18.5 * condyle, 0)
    femur = blend([shaft, round_part, back], 9)
    if notch > 0:
        femur = np.maximum(femur, -(canvas.ellipse(21, -5, 19 * notch + 1, 16 * notch + 1)))
    plateau = canvas.ellipse(3, 19.5, 26.5 * (0.72 + 0.28 * condyle), 10.5, 4, power=3.2)
    stem = canvas.capsule((2, 28), (-2 - person.bend, 120), 18, 12.5)
    spine = canvas.polygon([(-4, 11), (3, 5 - 2 * notch), (10, 11)]) if notch > 0.3 else plateau + 5
    tubercle = canvas.ellipse(-18, 36, 6.5, 13, 16)
    tibia = blend([plateau, stem, spine, tubercle], 7)
    slide = max(0.0, 1 - abs(person.off) / 40)
    patella = canvas.ellipse(-35.5, -24, 8.8 * (0.6 + 0.4 * slide), 18.5 * (0.7 + 0.3 * slide), -6, power=2.3)
    return femur, tibia, patella


def _paint_muscles(image: Image, person: _Person, canvas: Canvas, leg: Image, off: float) -> None:
    """Paint quadriceps, hamstrings, gastrocnemius and soleus as bundles with fibres and fat planes."""
    x, y = canvas.x, canvas.y
    fibres = 0.035 * person.fine(x * 0.9, y * 0.12, off) + 0.03 * person.septa(x * 1.3, y * 0.25, off)
    streaks = np.clip(person.septa(x * 2.2 + 0.1 * y, y * 0.22, off) - 1.25, 0, 1)
    deep = canvas.cover(leg + person.fat)
    bellies = (
        canvas.capsule((-31, -120), (-25, -52), 15, 5),
        canvas.capsule((34, -130), (40, -38), 16, 6),
        canvas.capsule((47, -130), (44, -20), 8, 4),
        canvas.capsule((36, -16), (47, 110), 8, 17),
        canvas.capsule((26, 18), (24, 120), 7, 13),
        canvas.capsule((-24, 66), (-26, 130), 3, 11),
    )
    for belly in bellies:
        edge = belly + 0.9 * person.patchy(x, y, off)
        paint(image, canvas.cover(edge, 0.8) * deep, MUSCLE + fibres)
        paint(image, canvas.cover(edge + 1.5) * deep * streaks, 0.62)
        paint(image, canvas.cover(np.abs(edge) - 0.35) * deep * 0.5, 0.15)


def _paint_vessels(image: Image, person: _Person, canvas: Canvas, off: float) -> None:
    """Paint the popliteal artery (flow void) and vein behind the joint, and small branches in the fat."""
    small: Image = np.zeros_like(image)
    draw_tree(small, person.vessels, canvas.pixel, 0.4 * off, 2.0)
    paint(image, small * 0.7, 0.2)
    near = max(0.0, 1 - abs(off) / 14)
    if near > 0:
        course = [(27.0, -110.0), (31.0, -50.0), (33.5, -5.0), (30.0, 30.0), (27.0, 110.0)]
        artery = canvas.path(course, 2.6 * near)
        paint(image, canvas.cover(artery), 0.28)
        paint(image, canvas.cover(artery + 0.9), 0.1)
        vein = canvas.path([(px + 7, py) for px, py in course], 3.6 * near)
        paint(image, canvas.cover(vein), 0.25)
        paint(image, canvas.cover(vein + 0.8), 0.5)


def _paint_bone(image: Image, person: _Person, canvas: Canvas, bone: Image, off: float, number: int) -> None:
    """Paint cortex as a dark shell, marrow with trabeculae along the load, the scar of the growth plate."""
    x, y = canvas.x, canvas.y
    texture = 0.03 * person.trabeculae(x * 1.5, y * 0.55, off) + 0.02 * person.fine(x, y, off)
    patches = 0.045 * person.patchy(x, y, off)
    far = np.clip((np.abs(y) - 30) / 40, 0, 1)
    paint(image, canvas.cover(bone), DARK + 0.03)
    thick = 0.8 + 1.8 * far
    inner = bone + thick
    paint(image, canvas.cover(inner), MARROW + texture * (1 - 0.5 * far) + patches)
    if number < 2:
        bow = 0.0015 * (x - 2) ** 2
        level = -37 + 6 * bow if number == 0 else 27 - 5 * bow
        scar = np.abs(y - level - 0.9 * person.patchy(x, y * 0.3, off)) - 0.5
        paint(image, canvas.cover(scar, 0.8) * canvas.cover(inner + 1) * 0.55, 0.3)
    if person.bruise and number == (0 if person.bruise[1] < 0 else 1):
        bx, by, radius = person.bruise
        edge = np.hypot(x - bx, y - by) - radius + 3 * person.patchy(x, y, off)
        paint(image, canvas.cover(edge, 5.0) * canvas.cover(inner) * 0.6, 0.44)


def _paint_joint(
    image: Image, person: _Person, canvas: Canvas, bones: tuple[Image, Image, Image], off: float, notch: float
) -> None:
    """Paint the fat pads, the capsule, joint fluid and, in some, a cyst behind the knee."""
    pad = canvas.polygon([(-33, -8), (-20, -6), (-14, 8), (-18, 22), (-25, 22)]) - 4
    paint(image, canvas.cover(pad, 1.2), FAT + 0.04 * person.patchy(canvas.x, canvas.y, off))
    strands = np.clip(person.septa(canvas.x * 2.4, canvas.y * 1.6, off) - 0.9, 0, 1)
    paint(image, canvas.cover(pad) * strands * 0.7, 0.35)
    capsule = np.abs(canvas.ellipse(2, -5, 32.5, 30)) - 0.5
    paint(image, canvas.cover(capsule) * (canvas.x > 12) * 0.7, 0.16)
    pouch = canvas.capsule((-26, -44), (-20, -66), person.effusion * 0.9, person.effusion * 0.45)
    between = np.maximum(np.minimum(bones[0] - 4.2, bones[1] - 3.4), canvas.ellipse(2, 3, 27, 9))
    paint(image, canvas.cover(pouch), FLUID + 0.12)
    paint(image, canvas.cover(between, 0.8), FLUID)
    if notch > 0:
        gap = canvas.ellipse(19, -6, 15 * notch + 1, 13 * notch + 1)
        paint(image, canvas.cover(gap, 1.5), 0.62 + 0.08 * person.septa(canvas.x * 2, canvas.y * 2, off))
    if person.cyst:
        bag = canvas.ellipse(42, 12, person.cyst * 0.6, person.cyst * 1.4, -12)
        paint(image, canvas.cover(bag - 0.6), 0.2)
        paint(image, canvas.cover(bag), FLUID + 0.16)


def _paint_cartilage(
    image: Image, person: _Person, canvas: Canvas, bones: tuple[Image, Image, Image], off: float
) -> None:
    """Paint the layer on the load-bearing surfaces, thinned here and there as with age."""
    femur, tibia, patella = bones
    x, y = canvas.x, canvas.y
    worn = np.clip(1 + 0.22 * person.septa(x * 0.6, y * 0.6, off), 0.35, 1.4)
    surfaces = (
        (femur, 2.3, (y > -34) & (y < 12) & ~((y < -18) & (x > -8) & (x < 16))),
        (tibia, 2.2, (y < 19) & (x > -19) & (x < 26)),
        (patella, 2.6, (x > -36) & (y > -40) & (y < -8)),
    )
    for bone, thickness, where in surfaces:
        layer = np.maximum(bone - thickness * worn, 0.1 - bone)
        others = np.minimum.reduce([other for other in bones if other is not bone])
        paint(image, canvas.cover(layer) * where * canvas.cover(0.3 - others), CARTILAGE + 0.05 * worn)


def _paint_menisci(image: Image, person: _Person, canvas: Canvas, notch: float) -> None:
    """Paint the two dark wedges in front and behind; near the rim of the joint they meet in a bow tie."""
    if notch > 0.5:
        return
    reach = 13.0 + 9.0 * max(0.0, min(1.0, (abs(person.off) - 12) / 12))
    front = canvas.polygon([(-23, -1.0), (-23 + reach, 5.2), (-22.5, 9.2)])
    rear = canvas.polygon([(27, -2.5), (26.5, 9.0), (27 - reach, 5.0)])
    for wedge in (front, rear):
        paint(image, canvas.cover(wedge - 0.4), DARK + 0.03)
    if person.tear:
        line = np.abs(canvas.y - 3.6 + 0.35 * (canvas.x - 21)) - 0.35
        paint(image, canvas.cover(line, 0.7) * canvas.cover(rear + 0.3), 0.55)


def _paint_tendons(
    image: Image, person: _Person, canvas: Canvas, bones: tuple[Image, Image, Image], notch: float
) -> None:
    """Paint quadriceps and patellar tendon, and in the middle slices both cruciate ligaments."""
    near = max(0.25, 1 - abs(person.off) / 45)
    quadriceps = canvas.path([(-35.5, -42), (-31, -64), (-27, -100)], 3.0 * near)
    patellar = canvas.path([(-35.5, -7), (-30.5, 12), (-24.5, 30)], 2.5 * near)
    stripes = 0.04 * np.clip(person.fine(canvas.x * 1.4, canvas.y * 0.2, 0.0), 0, None)
    for tendon in (quadriceps, patellar):
        paint(image, canvas.cover(tendon, 0.6), DARK + 0.02 + stripes)
    if notch > 0.15:
        free = canvas.cover(0.8 - np.minimum(bones[0], bones[1]), 1.0)
        posterior = canvas.path([(7, -13), (17, -11), (23, -2), (25, 11)], 2.7)
        anterior = canvas.path([(20, -17), (9, -5), (-6, 7)], 2.4)
        paint(image, canvas.cover(posterior, 0.8) * free * min(1.0, 1.6 * notch), DARK + 0.03)
        torn = 0.3 if person.tear else 0.12
        paint(image, canvas.cover(anterior, 1.2) * free * min(0.9, 1.4 * notch), torn + 2 * stripes)
