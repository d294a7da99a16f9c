"""Numba where it is there and switched on, plain Python where not (可选编译).

`COMPILED` says which. Every function that is decorated with `jit` runs unchanged as Python: the numpy twin in
`geo.index.plain` calls the scalar ones for the few points that need them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    import numba
except ImportError:  # pragma: no cover - numba is a dependency, yet no wheel exists on some machines
    numba = None

COMPILED: bool = numba is not None and not numba.config.DISABLE_JIT


def jit(*signature: str, inline: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile without the interpreter lock and keep the machine code on disk, if numba is there."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if not COMPILED:
            return function
        options: dict[str, Any] = {"nogil": True, "inline": "always" if inline else "never"}
        try:
            return numba.njit(*signature, cache=True, **options)(function)
        except RuntimeError:  # nowhere to write a cache: compile in every process
            return numba.njit(*signature, **options)(function)

    return decorate
