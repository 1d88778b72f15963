"""Building blocks of the phantoms: smooth random fields in millimetres, distance shapes, trees, painting."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float64]


class Field:
    """A smooth random function of (x, y, z) in mm with unit variance and features of about `scale` mm.

    It is a periodic lattice of normal numbers, interpolated by cubic splines, so that it does not depend on
    the pixel grid and neighbouring slices fit together. `every`: evaluate every so many pixels and repeat
    them, for canvases that are drawn finer than they are kept.
    """

    _NODES = 24

    def __init__(self, rng: np.random.Generator, scale: float, scale_z: float, every: int = 1) -> None:
        lattice = rng.standard_normal((8, self._NODES, self._NODES))
        self._lattice = ndimage.spline_filter(lattice, order=3, mode="grid-wrap")
        self._scale = scale
        self._scale_z = scale_z
        self._every = every

    def __call__(self, x: Image, y: Image, z: float) -> Image:
        weights, first = _spline_weights(z / self._scale_z)
        plane = sum(w * self._lattice[(first + k) % 8] for k, w in enumerate(weights))
        step = self._every
        places = np.stack([y[::step, ::step], x[::step, ::step]]) / self._scale + self._NODES / 2
        values = 1.5 * ndimage.map_coordinates(plane, places, order=3, mode="grid-wrap", prefilter=False)
        if step > 1:
            values = np.repeat(np.repeat(values, step, axis=0), step, axis=1)[: x.shape[0], : x.shape[1]]
        return np.asarray(values, np.float64)


def _spline_weights(position: float) -> tuple[tuple[float, float, float, float], int]:
    base = math.floor(position)
    t = position - base
    weights = (
        (1 - t) ** 3 / 6,
        (4 - 6 * t**2 + 3 * t**3) / 6,
        (1 + 3 * t + 3 * t**2 - 3 * t**3) / 6,
        t**3 / 6,
    )
    return weights, base - 1


@dataclass(frozen=True)
class Canvas:
    """Pixel centres of one slice in mm from the middle: x to the right, y downwards."""

    x: Image
    y: Image
    pixel: float

    @classmethod
    def square(cls, size: int, extent: float) -> "Canvas":
        """Return a square canvas of size x size pixels over `extent` mm."""
        pixel = extent / size
        axis = (np.arange(size) + 0.5) * pixel - extent / 2
        x, y = np.meshgrid(axis, axis)
        return cls(x, y, pixel)

    def warped(self, dx: Image, dy: Image) -> "Canvas":
        """Return the same pixels at displaced places."""
        return Canvas(self.x + dx, self.y + dy, self.pixel)

    def turned(self, x: float, y: float, degrees: float) -> tuple[Image, Image]:
        """Return coordinates about (x, y), turned clockwise on the screen by so many degrees."""
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        u, v = self.x - x, self.y - y
        return c * u + s * v, -s * u + c * v

    def ellipse(self, x: float, y: float, a: float, b: float, degrees: float = 0.0, power: float = 2.0) -> Image:
        """Return the approximate distance (mm, negative inside) to a (super)ellipse of half axes a and b."""
        u, v = self.turned(x, y, degrees)
        radius = (np.abs(u / a) ** power + np.abs(v / b) ** power) ** (1 / power)
        # Dividing by the gradient keeps rims of flat ellipses evenly thick.
        gradient = np.sqrt((u / a**2) ** 2 + (v / b**2) ** 2) / np.maximum(radius, 1e-6)
        return np.asarray((radius - 1) / np.maximum(gradient, 1 / max(a, b)), np.float64)

    def capsule(self, start: Sequence[float], end: Sequence[float], r0: float, r1: float) -> Image:
        """Return the distance to a tapered rod from start to end."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        length2 = dx * dx + dy * dy or 1e-9
        t = np.clip(((self.x - start[0]) * dx + (self.y - start[1]) * dy) / length2, 0, 1)
        distance = np.hypot(self.x - start[0] - t * dx, self.y - start[1] - t * dy)
        return np.asarray(distance - (r0 + t * (r1 - r0)), np.float64)

    def path(self, points: Sequence[Sequence[float]], radius: float) -> Image:
        """Return the distance to a band of constant half width along a polyline."""
        rods = [self.capsule(a, b, radius, radius) for a, b in pairwise(points)]
        return np.asarray(np.minimum.reduce(rods), np.float64)

    def polygon(self, corners: Sequence[Sequence[float]]) -> Image:
        """Return the distance to a convex polygon given clockwise on the screen."""
        sides = []
        for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
            length = math.hypot(x1 - x0, y1 - y0)
            sides.append(((self.x - x0) * (y1 - y0) - (self.y - y0) * (x1 - x0)) / length)
        return np.asarray(np.maximum.reduce(sides), np.float64)

    def cover(self, distance: Image, softness: float = 0.0) -> Image:
        """Return how much of each pixel lies inside (0..1), over one pixel or `softness` mm."""
        return np.asarray(np.clip(0.5 - distance / max(self.pixel, softness), 0, 1), np.float64)


def blend(distances: Sequence[Image], radius: float) -> Image:
    """Return the union of shapes with their joints rounded over about `radius` mm."""
    joined = distances[0]
    for other in distances[1:]:
        h = np.clip(0.5 + 0.5 * (other - joined) / radius, 0, 1)
        joined = other * (1 - h) + joined * h - radius * h * (1 - h)
    return np.asarray(joined, np.float64)


def paint(image: Image, cover: Image, value: Image | float) -> None:
    """Lay a value over the image in place, as far as each pixel is covered."""
    image += cover * (value - image)


@dataclass(frozen=True)
class Branch:
    """One segment of a vessel tree, in mm."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    r0: float
    r1: float


def grow_tree(
    rng: np.random.Generator,
    start: tuple[float, float, float],
    direction: tuple[float, float, float],
    radius: float,
    length: float,
    depth: int,
) -> list[Branch]:
    """Grow a three-dimensional tree: two daughters per fork, the cube of radii kept (Murray's law)."""
    heading = np.asarray(direction) / np.linalg.norm(direction)
    tip = tuple(float(value) for value in np.asarray(start) + heading * length)
    share = float(rng.uniform(0.35, 0.65))
    branches = [Branch(start, (tip[0], tip[1], tip[2]), radius, radius * 0.85)]
    if depth == 0 or radius < 0.35:
        return branches
    aside = np.cross(heading, rng.standard_normal(3))
    aside /= np.linalg.norm(aside)
    for part, sign in ((share, 1), (1 - share, -1)):
        angle = math.radians(float(rng.uniform(18, 48))) * (1.3 - part)
        turned = heading * math.cos(angle) + sign * aside * math.sin(angle) + 0.08 * rng.standard_normal(3)
        child = (float(turned[0]), float(turned[1]), float(turned[2]))
        step = length * float(rng.uniform(0.68, 0.95))
        branches += grow_tree(rng, branches[0].end, child, radius * 0.85 * part ** (1 / 3), step, depth - 1)
    return branches


def draw_tree(cover: Image, branches: Sequence[Branch], pixel: float, z: float, thickness: float) -> None:
    """Raise `cover` in place to each branch's share of the pixels of the slice at height z."""
    rows, cols = cover.shape
    for branch in branches:
        reach = branch.r0 + thickness / 2
        if min(branch.start[2], branch.end[2]) - reach > z or max(branch.start[2], branch.end[2]) + reach < z:
            continue
        low_x, high_x = sorted((branch.start[0], branch.end[0]))
        low_y, high_y = sorted((branch.start[1], branch.end[1]))
        left = max(0, int((low_x - reach) / pixel + cols / 2) - 1)
        right = min(cols, int((high_x + reach) / pixel + cols / 2) + 2)
        top = max(0, int((low_y - reach) / pixel + rows / 2) - 1)
        bottom = min(rows, int((high_y + reach) / pixel + rows / 2) + 2)
        if left >= right or top >= bottom:
            continue
        x = (np.arange(left, right) + 0.5) * pixel - cols * pixel / 2
        y = ((np.arange(top, bottom) + 0.5) * pixel - rows * pixel / 2)[:, None]
        inside = _rod_cover(branch, x, y, z, pixel, thickness)
        part = cover[top:bottom, left:right]
        np.maximum(part, inside, out=part)


def _rod_cover(branch: Branch, x: Image, y: Image, z: float, pixel: float, thickness: float) -> Image:
    """Return a rod's cover, averaged over three heights of the slice (its partial volume)."""
    axis = np.subtract(branch.end, branch.start)
    length2 = float(axis @ axis) or 1e-9
    total: Image = np.zeros((y.shape[0], x.shape[0]))
    for height in (z - thickness / 3, z, z + thickness / 3):
        u, v, w = x - branch.start[0], y - branch.start[1], height - branch.start[2]
        t = np.clip((u * axis[0] + v * axis[1] + w * axis[2]) / length2, 0, 1)
        distance = np.sqrt((u - t * axis[0]) ** 2 + (v - t * axis[1]) ** 2 + (w - t * axis[2]) ** 2)
        total += np.clip(0.5 - (distance - branch.r0 - t * (branch.r1 - branch.r0)) / pixel, 0, 1)
    return total / 3


def halve(image: Image) -> Image:
    """Average 2 x 2 pixels: shapes are drawn twice as fine as they are kept."""
    rows, cols = image.shape[0] // 2, image.shape[1] // 2
    return np.asarray(image.reshape(rows, 2, cols, 2).mean(axis=(1, 3)), np.float64)
