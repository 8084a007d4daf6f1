"""The layout of the recorded data, made into scenes to be fused and scored.

::

    D/frames/<scene>/{ir,visible}/              successive frames, clean
    D/frames/<scene>/{ir,visible}_degraded/     all or some of these frames, as cameras gave them
    D/videos/<scene>/{ir,visible}.mp4           successive frames, clean
    D/pairs/<set>/{ir,visible}/                 unrelated stills, clean
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.sequences import Clip, Scene, find_clips
from edge_sdk.errors import ConfigError

__all__ = ["CLEAN", "CONDITIONS", "DEGRADED", "VIDEO_SCENES", "load_scenes"]

CLEAN = "clean"
DEGRADED = "degraded"
CONDITIONS = (CLEAN, DEGRADED)

VIDEO_SCENES = "scenes"
"""Group of all that moves, ``frames/`` and ``videos/``; a set of stills is a group of its own."""


def load_scenes(
    root: Path, condition: str, *, max_frames: int = 24, only: Sequence[str] = ()
) -> list[Scene]:
    """Scenes under ``root`` for which the inputs of that condition exist.

    The references are the clean sources under both conditions. Under ``"degraded"`` the inputs are
    the recorded degraded frames; scenes without them are left out.

    Args:
        root: folder of the layout above.
        condition: ``"clean"`` or ``"degraded"``.
        max_frames: how many frames to take from the start of a video; folders are taken whole.
        only: shell patterns of scene names, ``"frames/*"``; empty for all scenes.

    Raises:
        ConfigError: the folder has another layout, or frames without partner.
    """
    if condition not in CONDITIONS:
        raise ConfigError(f"no condition is named '{condition}'; choose from {CONDITIONS}")
    if not any((root / kind).is_dir() for kind in ("frames", "videos", "pairs")):
        raise ConfigError(
            f"'{root}' has none of the folders frames/<scene>/{{ir,visible}}, "
            "videos/<scene>/{ir,visible}.mp4, pairs/<set>/{ir,visible}; give a folder that has"
        )
    scenes: list[Scene] = []
    for folder in _children(root / "frames"):
        name = f"frames/{folder.name}"
        if not _wanted(name, only):
            continue
        clips = _frame_clips(folder, condition)
        if clips is not None:
            scenes.append(Scene(name, VIDEO_SCENES, True, clips))
    if condition == DEGRADED:
        return scenes
    for folder in _children(root / "videos"):
        name = f"videos/{folder.name}"
        if _wanted(name, only):
            clips = _as_inputs(_clip(folder, "ir"), _clip(folder, "visible"))
            scenes.append(Scene(name, VIDEO_SCENES, True, clips, max_frames))
    for folder in _children(root / "pairs"):
        name = f"pairs/{folder.name}"
        if _wanted(name, only):
            clips = _as_inputs(_clip(folder / "ir"), _clip(folder / "visible"))
            scenes.append(Scene(name, name, False, clips))
    return scenes


def _children(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(
            one for one in folder.iterdir() if one.is_dir() and not one.name.startswith(".")
        )


def _wanted(name: str, only: Sequence[str]) -> bool:
    return not only or any(fnmatch(name, pattern) for pattern in only)


def _clip(folder: Path, name: str = ".") -> Clip:
    clips = find_clips(folder)
    if name not in clips:
        what = "images" if name == "." else f"video named '{name}'"
        raise ConfigError(f"'{folder}' holds no {what}; found: {', '.join(clips)}")
    return clips[name]


def _as_inputs(ir: Clip, visible: Clip) -> dict[str, Clip]:
    return {"ir": ir, "visible": visible, "ir_input": ir, "visible_input": visible}


def _frame_clips(folder: Path, condition: str) -> dict[str, Clip] | None:
    ir, visible = _clip(folder / "ir"), _clip(folder / "visible")
    if condition == CLEAN:
        return _as_inputs(ir, visible)
    degraded = {role: folder / f"{role}_degraded" for role in ("ir", "visible")}
    absent = [place for place in degraded.values() if not place.is_dir()]
    if len(absent) == len(degraded):
        return None
    if absent:
        raise ConfigError(f"'{absent[0]}' is missing; a degraded scene needs both sources")
    ir_input, visible_input = _clip(degraded["ir"]), _clip(degraded["visible"])
    # only a part of the frames may have been recorded degraded; Scene checks what is left
    stems = ir_input.stems + visible_input.stems
    return {
        "ir": ir.only(stems),
        "visible": visible.only(stems),
        "ir_input": ir_input,
        "visible_input": visible_input,
    }
