"""A plane of recall and precision, by matplotlib where it is, else as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Sequence, Tuple

if TYPE_CHECKING:
    from ._score import Value

__all__ = ["Svg", "plane"]

Named = Tuple[str, "Value", "Value"]


class Svg(str):
    """An SVG picture as text; a notebook shows it."""

    def _repr_svg_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"<llmpr.Svg of {len(self)} characters>"


def plane(points: Sequence[Named], ax: Any = None) -> Any:
    """Named points ``(name, precision, recall)`` with intervals and ceilings; the axes, or an :class:`Svg`."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        if ax is not None:
            raise
        return _svg(points)
    if ax is None:
        _, ax = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
    for name, precision, recall in points:
        x, y = recall.value, precision.value
        ax.errorbar(
            [x], [y], fmt="o", capsize=3, label=name,
            xerr=_reach(recall), yerr=_reach(precision),
        )
    ceilings = [(recall.ceiling, precision.ceiling) for _, precision, recall in points]
    for right, top in ceilings[:1]:
        if right is not None and top is not None:
            ax.axvline(right, color="0.6", linestyle=":", linewidth=1)
            ax.axhline(top, color="0.6", linestyle=":", linewidth=1, label="ceiling")
    ax.set_xlabel("recall (diversity)")
    ax.set_ylabel("precision (quality)")
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.02, 1.02)
    ax.set_aspect("equal")
    if len(points) > 1:
        ax.legend(frameon=False)
    return ax


def _reach(value: "Value") -> Any:
    if value.low is None or value.high is None:
        return None
    return [[max(value.value - value.low, 0.0)], [max(value.high - value.value, 0.0)]]


def _svg(points: Sequence[Named]) -> Svg:
    import html

    size, edge = 360, 48
    side = size - 2 * edge

    def x(share: float) -> str:
        return f"{edge + side * share:.1f}"

    def y(share: float) -> str:
        return f"{size - edge - side * share:.1f}"

    parts: List[str] = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" width="{size}" font-family="sans-serif" '
        f'font-size="11"><rect width="{size}" height="{size}" fill="white"/>'
        f'<rect x="{edge}" y="{edge}" width="{side}" height="{side}" fill="none" stroke="#888"/>'
    ]
    for tick in (0.0, 0.5, 1.0):
        parts.append(f'<text x="{x(tick)}" y="{size - edge + 16}" text-anchor="middle">{tick:g}</text>')
        parts.append(f'<text x="{edge - 6}" y="{y(tick)}" dy="4" text-anchor="end">{tick:g}</text>')
    parts.append(f'<text x="{size / 2}" y="{size - 10}" text-anchor="middle">recall (diversity)</text>')
    parts.append(
        f'<text x="14" y="{size / 2}" text-anchor="middle" transform="rotate(-90 14 {size / 2})">precision (quality)</text>'
    )
    for name, precision, recall in points:
        if recall.low is not None and recall.high is not None:
            parts.append(
                f'<line x1="{x(recall.low)}" x2="{x(recall.high)}" y1="{y(precision.value)}" y2="{y(precision.value)}" '
                'stroke="#2266aa"/>'
            )
        if precision.low is not None and precision.high is not None:
            parts.append(
                f'<line y1="{y(precision.low)}" y2="{y(precision.high)}" x1="{x(recall.value)}" x2="{x(recall.value)}" '
                'stroke="#2266aa"/>'
            )
        parts.append(
            f'<circle cx="{x(recall.value)}" cy="{y(precision.value)}" r="4" fill="#2266aa">'
            f"<title>{html.escape(name)}</title></circle>"
        )
        if len(points) > 1:
            parts.append(f'<text x="{x(recall.value)}" y="{y(precision.value)}" dx="7" dy="-5">{html.escape(name)}</text>')
    return Svg("".join(parts) + "</svg>")
