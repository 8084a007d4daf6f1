"""How a command of this folder ends: with its exit code, and a user's mistake as one line."""

from __future__ import annotations

import sys
from collections.abc import Callable

from edge_sdk.errors import EdgeSdkError

__all__ = ["exit_code"]


def exit_code(work: Callable[[], None]) -> int:
    """Do the work: 0, or 2 with one line on standard error for what the user can mend."""
    try:
        work()
    except EdgeSdkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
