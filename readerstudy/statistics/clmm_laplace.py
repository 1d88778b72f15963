"""Laplace log-likelihood of a cumulative logit model with crossed random effects, and its exact gradient.

P(y <= k) = logistic(theta_k - eta), eta = beta_arm + slice + reader (+ slice:arm + reader:arm). Data lie in a
cube (slices, arms, readers), so that the Hessian of the random effects falls into one small block per slice
(slice and its slice:arm effects) bordered by the readers' effects; blocks are eliminated first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from readerstudy.statistics.estimate import FloatArray, IntArray

FAR = 1e3
INNER_TOLERANCE = 1e-9
INNER_STEPS = 100


@dataclass(frozen=True, eq=False)
class Layout:
    """Codes (slices, arms, readers; -1 missing) over the used categories, and the effects of the model."""

    codes: IntArray
    categories: int
    crossed: bool
    fixed_arms: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        slices, arms, readers = self.codes.shape
        return slices, arms, readers

    @property
    def groups(self) -> int:
        """Standard deviations in the order slice, reader(, slice:arm, reader:arm)."""
        return 4 if self.crossed else 2

    @property
    def n_thresholds(self) -> int:
        return self.categories - 1

    @property
    def n_beta(self) -> int:
        return self.shape[1] - 1 if self.fixed_arms else 0


@dataclass(eq=False)
class Mode:
    """Spherical random effects, kept between evaluations as a warm start."""

    inner: FloatArray
    outer: FloatArray
    steps: int = field(default=0)


@dataclass(frozen=True, eq=False)
class Factor:
    """Factorised Hessian: inverse of each slice's block, its product with the border, Schur complement."""

    block_inverse: FloatArray
    border: FloatArray
    solved_border: FloatArray
    schur_inverse: FloatArray
    log_determinant: float

    def solve(self, inner: FloatArray, outer: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Solve H x = b for b split into (slices, inner) and (outer,)."""
        half = np.einsum("sij,sj->si", self.block_inverse, inner)
        x_outer = self.schur_inverse @ (outer - np.einsum("sim,si->m", self.border, half))
        return half - self.solved_border @ x_outer, x_outer


@dataclass(frozen=True, eq=False)
class Pointwise:
    """Log-likelihood of each score and its derivatives in eta, zero where there is no score."""

    log_p: FloatArray
    slope: FloatArray
    weight: FloatArray
    weight_slope: FloatArray
    density: tuple[FloatArray, FloatArray]
    density_slope: tuple[FloatArray, FloatArray]
    p: FloatArray


class Laplace:
    """Log-likelihood and gradient in (thresholds, beta, log standard deviations)."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        slices, arms, readers = layout.shape
        self.given = layout.codes >= 0
        self.place = np.where(self.given, layout.codes, 0)
        inner = 1 + arms if layout.crossed else 1
        outer = readers * (1 + arms) if layout.crossed else readers
        self.mode = Mode(np.zeros((slices, inner)), np.zeros(outer))

    def unpack(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Thresholds (padded with far ends), beta by arm (0 first), standard deviations (4, 0 if absent)."""
        k, b = self.layout.n_thresholds, self.layout.n_beta
        padded = np.concatenate([[-FAR], parameters[:k], [FAR]])
        beta = np.zeros(self.layout.shape[1])
        if b:
            beta[1:] = parameters[k : k + b]
        sd = np.zeros(4)
        sd[: self.layout.groups] = np.exp(parameters[k + b :])
        return padded, beta, sd

    def effects(self, inner: FloatArray, outer: FloatArray, sd: FloatArray) -> list[FloatArray]:
        """Random effects, each broadcastable to (slices, arms, readers), of spherical ones."""
        _, arms, readers = self.layout.shape
        parts = [sd[0] * inner[:, :1, None], sd[1] * outer[None, None, :readers]]
        if self.layout.crossed:
            parts.append(sd[2] * inner[:, 1:, None])
            parts.append(sd[3] * outer[readers:].reshape(readers, arms).T[None])
        return parts

    def gather(self, values: FloatArray, sd: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Transpose of :meth:`effects`: sums of values (slices, arms, readers) over each effect's scores."""
        by_slice = sd[0] * values.sum(axis=(1, 2))[:, None]
        by_reader = sd[1] * values.sum(axis=(0, 1))
        if not self.layout.crossed:
            return by_slice, by_reader
        inner = np.concatenate([by_slice, sd[2] * values.sum(axis=2)], axis=1)
        return inner, np.concatenate([by_reader, sd[3] * values.sum(axis=0).T.ravel()])

    def pointwise(self, eta: FloatArray, padded: FloatArray) -> Pointwise:
        high, low = padded[self.place + 1] - eta, padded[self.place] - eta
        above, below = _logistic(high), _logistic(low)
        d_above, d_below = above * (1 - above), below * (1 - below)
        log_p = -np.logaddexp(0, -high) - np.logaddexp(0, low) + np.log(-np.expm1(low - high))
        given = self.given.astype(np.float64)
        s_above, s_below = d_above * (1 - 2 * above), d_below * (1 - 2 * below)
        return Pointwise(
            log_p=log_p * given,
            slope=(above + below - 1) * given,
            weight=(d_above + d_below) * given,
            weight_slope=-(s_above + s_below) * given,
            density=(d_above * given, d_below * given),
            density_slope=(s_above * given, s_below * given),
            # Far from any maximum a probability underflows; so does its density: the ratio is 0, not NaN.
            p=np.maximum(np.exp(log_p), 1e-300),
        )

    def factor(self, weight: FloatArray, sd: FloatArray) -> Factor:
        slices, _, readers = self.layout.shape
        inner, outer = self.mode.inner.shape[1], len(self.mode.outer)
        block = np.zeros((slices, inner, inner))
        border = np.zeros((slices, inner, outer))
        corner = np.eye(outer)
        index = np.arange(readers)
        block[:, 0, 0] = 1 + sd[0] ** 2 * weight.sum(axis=(1, 2))
        border[:, 0, :readers] = sd[0] * sd[1] * weight.sum(axis=1)
        corner[index, index] += sd[1] ** 2 * weight.sum(axis=(0, 1))
        if self.layout.crossed:
            self._fill_crossed(weight, sd, block, border, corner)
        inverse: FloatArray = np.asarray(np.linalg.inv(block), dtype=np.float64)
        solved = inverse @ border
        flat_border, flat_solved = border.reshape(-1, outer), solved.reshape(-1, outer)
        schur = corner - flat_border.T @ flat_solved
        schur_inverse: FloatArray = np.asarray(np.linalg.inv(schur), dtype=np.float64)
        determinants = np.linalg.slogdet(block)[1].sum() + np.linalg.slogdet(schur)[1]
        return Factor(inverse, border, solved, schur_inverse, float(determinants))

    def _fill_crossed(
        self, weight: FloatArray, sd: FloatArray, block: FloatArray, border: FloatArray, corner: FloatArray
    ) -> None:
        _, arms, readers = self.layout.shape
        a, r = np.arange(arms), np.arange(readers)
        by_slice_arm = weight.sum(axis=2)
        block[:, 0, 1:] = block[:, 1:, 0] = sd[0] * sd[2] * by_slice_arm
        block[:, 1 + a, 1 + a] = 1 + sd[2] ** 2 * by_slice_arm
        border[:, 1:, :readers] = sd[2] * sd[1] * weight
        column = readers + r[None, :] * arms + a[:, None]
        border[:, 0, column] = sd[0] * sd[3] * weight
        border[:, 1 + a[:, None], column] = sd[2] * sd[3] * weight
        by_arm_reader = weight.sum(axis=0)
        corner[r[None, :], column] = corner[column, r[None, :]] = sd[1] * sd[3] * by_arm_reader
        corner[column, column] = 1 + sd[3] ** 2 * by_arm_reader

    def find_mode(self, beta: FloatArray, padded: FloatArray, sd: FloatArray) -> tuple[Pointwise, Factor]:
        """Newton's method for the mode of the random effects, with halved steps where one overshoots."""
        inner, outer = self.mode.inner, self.mode.outer

        def at(inner: FloatArray, outer: FloatArray) -> tuple[Pointwise, float]:
            eta = beta[None, :, None] + sum(self.effects(inner, outer, sd))
            point = self.pointwise(eta, padded)
            value = float(point.log_p.sum()) - 0.5 * float((inner**2).sum() + outer @ outer)
            return point, value

        point, value = at(inner, outer)
        for _ in range(INNER_STEPS):
            g_inner, g_outer = self.gather(point.slope, sd)
            g_inner, g_outer = g_inner - inner, g_outer - outer
            factor = self.factor(point.weight, sd)
            d_inner, d_outer = factor.solve(g_inner, g_outer)
            gain = float((g_inner * d_inner).sum() + g_outer @ d_outer)
            if gain < INNER_TOLERANCE**2:
                break
            step = 1.0
            while step > 1e-6:
                tried = inner + step * d_inner, outer + step * d_outer
                new_point, new_value = at(*tried)
                if new_value >= value - 1e-12 * abs(value):
                    break
                step /= 2
            inner, outer, point, value = *tried, new_point, new_value
            self.mode.steps += 1
        self.mode.inner, self.mode.outer = inner, outer
        return point, factor

    def evaluate(self, parameters: FloatArray) -> tuple[float, FloatArray]:
        """Log-likelihood and gradient at (thresholds, beta, log sd); thresholds must increase."""
        padded, beta, sd = self.unpack(parameters)
        point, factor = self.find_mode(beta, padded, sd)
        inner, outer = self.mode.inner, self.mode.outer
        value = float(point.log_p.sum()) - 0.5 * float((inner**2).sum() + outer @ outer) - 0.5 * factor.log_determinant
        leverage = self.leverage(factor, sd) * self.given
        adjoint = factor.solve(*self.gather(leverage * point.weight_slope, sd))
        carried = np.broadcast_to(sum(self.effects(*adjoint, sd)), self.given.shape)
        # d logL / d eta at fixed effects: likelihood, then curvature, explicit and through the moving mode.
        of_eta = point.slope - 0.5 * leverage * point.weight_slope + 0.5 * carried * point.weight
        gradient = [self._threshold_gradient(point, leverage, carried)]
        if self.layout.n_beta:
            gradient.append(of_eta.sum(axis=(0, 2))[1:])
        gradient.append(self._sd_gradient(of_eta, factor, adjoint, sd))
        return value, np.concatenate(gradient)

    def leverage(self, factor: Factor, sd: FloatArray) -> FloatArray:
        """Variance of eta from the random effects, z' H^-1 z, of every score: (slices, arms, readers)."""
        slices, arms, readers = self.layout.shape
        inverse = factor.block_inverse
        own = sd[0] ** 2 * inverse[:, 0, 0][:, None]
        through = sd[0] * factor.solved_border[:, 0][:, None, :]
        outer = np.zeros((arms, readers, factor.schur_inverse.shape[0]))
        r, a = np.arange(readers), np.arange(arms)
        outer[:, r, r] = sd[1]
        if self.layout.crossed:
            own = own + 2 * sd[0] * sd[2] * inverse[:, 0, 1:] + sd[2] ** 2 * inverse[:, 1 + a, 1 + a]
            through = through + sd[2] * factor.solved_border[:, 1:]
            outer[a[:, None], r[None, :], readers + r[None, :] * arms + a[:, None]] = sd[3]
        left = through @ factor.schur_inverse
        right = outer @ factor.schur_inverse
        squares = (left * through).sum(axis=2)[:, :, None] + (right * outer).sum(axis=2)[None]
        cross = np.broadcast_to(left, (slices, arms, left.shape[2])).transpose(1, 0, 2) @ outer.transpose(0, 2, 1)
        result: FloatArray = own[:, :, None] + squares - 2 * cross.transpose(1, 0, 2)
        return result

    def _threshold_gradient(self, point: Pointwise, leverage: FloatArray, carried: FloatArray) -> FloatArray:
        gradient = np.zeros(self.layout.categories + 1)
        for side, sign in ((0, 1.0), (1, -1.0)):
            density, bend = point.density[side], point.density_slope[side]
            each = sign * density / point.p - 0.5 * leverage * bend - 0.5 * carried * density
            bins = self.place + (1 - side)
            gradient += np.bincount(bins.ravel(), weights=each.ravel(), minlength=len(gradient))
        return gradient[1:-1]

    def _sd_gradient(
        self,
        of_eta: FloatArray,
        factor: Factor,
        adjoint: tuple[FloatArray, FloatArray],
        sd: FloatArray,
    ) -> FloatArray:
        """In log sd: through eta, through the effects' scale in H, and through the moving mode."""
        inner, outer = self.mode.inner, self.mode.outer
        readers = self.layout.shape[2]
        solved = factor.solved_border
        quadratic = ((solved @ factor.schur_inverse) * solved).sum(axis=2)
        diagonal = np.diagonal(factor.block_inverse, axis1=1, axis2=2) + quadratic
        corner = np.diag(factor.schur_inverse)
        moving = adjoint[0] * inner, adjoint[1] * outer
        groups = [
            (diagonal[:, :1], moving[0][:, :1]),
            (corner[:readers], moving[1][:readers]),
            (diagonal[:, 1:], moving[0][:, 1:]),
            (corner[readers:], moving[1][readers:]),
        ]
        parts = self.effects(inner, outer, sd)
        return np.array(
            [
                float((of_eta * part).sum()) - float((1 - trace).sum()) - 0.5 * float(shift.sum())
                for part, (trace, shift) in zip(parts, groups, strict=False)
            ]
        )


def _logistic(x: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)), dtype=np.float64)
