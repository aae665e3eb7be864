"""Figures of scores."""

from ._plot import Svg, plane

__all__ = ["Svg", "plane"]
