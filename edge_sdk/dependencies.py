"""Libraries that are installed and still do not load: one line that says what to do."""

from __future__ import annotations

import re

from edge_sdk.errors import DependencyError

__all__ = ["explain_import_error", "require_opencv"]

SYSTEM_PACKAGES = {
    "libGL.so.1": "libgl1",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgomp.so.1": "libgomp1",
    "libSM.so.6": "libsm6",
    "libXext.so.6": "libxext6",
}
"""Shared libraries that a small system may lack -> Debian's and Ubuntu's package."""


def explain_import_error(error: ImportError) -> DependencyError | None:
    """One line for an import that failed by a missing system library or by missing OpenCV.

    None if the error is of another kind.
    """
    missing = re.search(r"(lib[\w.+-]+\.so[\w.]*)", str(error))
    if missing is not None:
        library = missing[1]
        package = SYSTEM_PACKAGES.get(library)
        remedy = (
            f"install it with: apt install {package}" if package else "install the package it is in"
        )
        also = (
            "; or, on a machine without a desktop: pip uninstall opencv-python && pip install "
            "opencv-python-headless"
            if library == "libGL.so.1"
            else ""
        )
        return DependencyError(f"the system library {library} is missing; {remedy}{also}")
    if (error.name or "").split(".")[0] == "cv2":
        return DependencyError(
            f"OpenCV cannot be loaded ({error}); install it with: pip install opencv-python"
        )
    return None


def require_opencv() -> None:
    """Load OpenCV.

    Raises:
        DependencyError: it, or a system library that it needs, is not there.
    """
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        raise explain_import_error(error) or error from error
