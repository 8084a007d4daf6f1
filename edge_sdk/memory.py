"""Pictures in memory of their own, so that a process that runs for days does not grow."""

from __future__ import annotations

import ctypes
import functools
import os

__all__ = ["keep_pictures_off_the_heap"]

_M_MMAP_THRESHOLD = -3
"""``<malloc.h>``."""
THRESHOLD = 256 * 1024
"""Bytes: below any picture of 640x480, far above what lives long."""


@functools.cache
def keep_pictures_off_the_heap() -> bool:
    """Let glibc map every block of 256 KiB or more by itself, for the whole process, once.

    glibc begins so, but raises that limit to the size of the largest block freed so far (up to 32
    MiB; ``man mallopt``, M_MMAP_THRESHOLD). Pictures then come from the heap, among small objects
    that outlive them, and the holes they leave fill up less and less well: the resident memory of a
    640x480 pipeline with tracking crept up by 20 MiB in 1,000 frames. A mapped block goes back to
    the kernel when it is freed.

    Does nothing where the allocator is another one, or where its user has tuned it himself by
    ``MALLOC_MMAP_THRESHOLD_`` or ``GLIBC_TUNABLES``.

    Returns:
        whether it was done.
    """
    if "MALLOC_MMAP_THRESHOLD_" in os.environ or "GLIBC_TUNABLES" in os.environ:
        return False
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  (musl, for one, has a mallopt that does nothing)
        return bool(library.mallopt(_M_MMAP_THRESHOLD, THRESHOLD))
    except (OSError, AttributeError):
        return False
