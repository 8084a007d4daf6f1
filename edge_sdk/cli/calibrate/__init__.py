"""``edge-sdk calibrate``: thin commands in front of the calibration workshop.

One module a command; it registers itself with :data:`calibrate_app` when it is imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any, Final

import typer

from edge_sdk.cli import app
from edge_sdk.errors import DependencyError

__all__ = ["calibrate_app", "workshop"]

_NAME: Final = "edge_sdk_calibration"
_PACKAGES: Final = Path(__file__).resolve().parents[3]  # the folder that holds edge_sdk

calibrate_app = typer.Typer(
    name="calibrate",
    help="Lenses and alignment of a rig: measure, check, convert.",
    no_args_is_help=True,
)
app.add_typer(calibrate_app)


def workshop(module: str) -> Any:
    """A module of the calibration workshop, loaded when a command needs it.

    The wheel carries the checkout's folder ``calibration`` as the package
    ``edge_sdk_calibration``. It is loaded by its place beside ``edge_sdk`` and under that name in
    both cases: a robot's own ``calibration.py`` is neither shadowed nor taken for it.

    Args:
        module: dotted name inside of the workshop, for instance ``"intrinsics"``.

    Raises:
        DependencyError: the workshop is not there.
    """
    if _NAME not in sys.modules:
        folder = _PACKAGES / _NAME
        if not folder.is_dir() and (_PACKAGES / "setup.py").is_file():
            folder = _PACKAGES / "calibration"
        spec = importlib.util.spec_from_file_location(
            _NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        if spec is None or spec.loader is None or not (folder / "__init__.py").is_file():
            raise DependencyError(
                f"the calibration tools are not installed: {folder} is not there; install edge_sdk "
                "again, or run edge-sdk in a checkout (pip install -e .)"
            )
        package = importlib.util.module_from_spec(spec)
        sys.modules[_NAME] = package
        spec.loader.exec_module(package)
    return importlib.import_module(f"{_NAME}.{module}")


from edge_sdk.cli.calibrate import check, intrinsics, register, stereo  # noqa: E402, F401
