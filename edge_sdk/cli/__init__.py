"""The command line, ``edge-sdk``: thin; every command calls the library."""

from __future__ import annotations

import signal
import sys
from typing import Annotated, Any

import typer

from edge_sdk.errors import EdgeSdkError

__all__ = ["app", "main"]

app = typer.Typer(
    name="edge-sdk",
    help="Fused, restored and tracked video from a thermal and a visible camera.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from edge_sdk import __version__

        print(f"edge-sdk {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Fused, restored and tracked video from a thermal and a visible camera."""


def _register() -> None:
    """Commands live in modules of their own; importing one adds its command to ``app``."""
    from edge_sdk.cli import bench, calibrate, devices, doctor, run, start  # noqa: F401


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Our own errors are one line and exit code 2; Ctrl-C and SIGTERM are 130."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)  # a background job of a shell would ignore it
    try:
        _register()
        app(args=arguments, standalone_mode=True)
    except EdgeSdkError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except ImportError as error:
        from edge_sdk.dependencies import explain_import_error

        explained = explain_import_error(error)
        if explained is None:
            raise
        print(f"error: {explained}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _interrupt(number: int, frame: Any) -> None:
    """A service manager stops us as Ctrl-C does: files are closed as they should be."""
    raise KeyboardInterrupt
