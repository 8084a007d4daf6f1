"""Loading of the optional packages, with an error that says what to install."""

from __future__ import annotations

import importlib
from typing import Any

from edge_sdk.errors import DependencyError

__all__ = ["load"]


def load(package: str, purpose: str) -> Any:
    """The module ``package``.

    Raises:
        DependencyError: it is not installed, or one of its own dependencies is not.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise DependencyError(
            f"{purpose} needs the package {package!r}, which cannot be imported ({error}); "
            'install it with: pip install "edge-sdk[track]"'
        ) from error
