"""The curves of a training as one SVG, drawn without a plotting library: loss, gain and KID over steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, MARGIN = 320, 200, 44
NAMES = {"loss": "loss", "gain": "validation gain (dB)", "kid": "validation KID"}


def curves_svg(title: str, history: Sequence[Mapping[str, float]]) -> str:
    """One panel per quantity that ``history`` (rows with ``step``) holds; a circle marks the best validation."""
    drawn = [key for key in NAMES if any(key in row for row in history)]
    width = WIDTH * max(1, len(drawn))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT + 24}" width="{width}" '
        f'height="{HEIGHT + 24}" font-family="sans-serif" font-size="11">',
        f"<title>{escape(title)}</title>",
        f'<text x="8" y="16" font-weight="bold">{escape(title)}</text>',
    ]
    for number, key in enumerate(drawn):
        points = [(row["step"], row[key]) for row in history if key in row]
        parts += _panel(NAMES[key], points, number * WIDTH, key == "gain")
    return "\n".join([*parts, "</svg>", ""])


def _panel(name: str, points: Sequence[tuple[float, float]], left: float, highest: bool) -> list[str]:
    steps, values = zip(*points, strict=True)
    low, high = min(values), max(values)
    spread = (high - low) or 1.0
    x0, y0 = left + MARGIN, 24 + HEIGHT - MARGIN
    across, up = WIDTH - MARGIN - 16, HEIGHT - MARGIN - 20

    def place(step: float, value: float) -> tuple[float, float]:
        return x0 + across * step / max(steps), y0 - up * (value - low) / spread

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
    x, y = place(*(max if highest else min)(points, key=lambda point: point[1]))
    return [
        f'<polyline points="{x0},{y0 - up} {x0},{y0} {x0 + across},{y0}" fill="none" stroke="#6b7785"/>',
        f'<polyline points="{line}" fill="none" stroke="#1f5fa8" stroke-width="1.6"/>',
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="none" stroke="#b35c00" stroke-width="1.6"/>',
        f'<text x="{x0 - 4}" y="{y0}" text-anchor="end">{low:.3g}</text>',
        f'<text x="{x0 - 4}" y="{y0 - up + 4}" text-anchor="end">{high:.3g}</text>',
        f'<text x="{x0 + across}" y="{y0 + 14}" text-anchor="end">{max(steps):,.0f} steps</text>',
        f'<text x="{x0 + across / 2}" y="{y0 + 30}" text-anchor="middle">{escape(name)}</text>',
    ]
