"""Calls into drivers that may never return, with a bound."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["run_bounded"]


def run_bounded(function: Callable[[], object], timeout_s: float, name: str) -> bool:
    """Run ``function`` in a daemon thread; False if it has not returned within ``timeout_s``.

    What it raises in time is raised here; the thread of a call that does not return is abandoned.
    """
    failure: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:  # handed to the caller
            failure.append(error)

    thread = threading.Thread(target=run, name=f"edge_sdk {name}", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if thread.is_alive():
        return False
    if failure:
        raise failure[0]
    return True
