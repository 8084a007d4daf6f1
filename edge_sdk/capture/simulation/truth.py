"""What is true at a moment: who is where, how far everything is, and the flawless pictures."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.simulation.draw import silhouette
from edge_sdk.capture.simulation.geometry import CameraModel
from edge_sdk.capture.simulation.mesh import Mesh
from edge_sdk.capture.simulation.scene import Scene
from edge_sdk.capture.simulation.sky import FAR_M
from edge_sdk.capture.simulation.traffic import Actor

__all__ = ["GroundTruth", "TruthObject"]

_MAX_WINDOW_PX = 8192


@dataclass(frozen=True)
class TruthObject:
    """One person or vehicle in the visible picture.

    Attributes:
        object_id: stays the same while the object is in the scene; counts from 1.
        label: ``"person"`` or ``"car"``.
        box: (x1, y1, x2, y2) of the whole object, hidden parts included, cut to the picture;
            pixels of the visible image, x2 and y2 exclusive.
        visible_fraction: share of the object's silhouette that is inside the picture and not
            behind something else, above 0 up to 1. Smoke and darkness hide nothing here.
        distance_m: depth along the optical axis of the visible camera.
        speed_m_s: over the ground.
        velocity_m_s: (x, y, z) in the visible camera's axes (right, down, ahead).
    """

    object_id: int
    label: str
    box: tuple[float, float, float, float]
    visible_fraction: float
    distance_m: float
    speed_m_s: float
    velocity_m_s: tuple[float, float, float]

    @property
    def occlusion(self) -> float:
        """Share of the silhouette that is hidden or outside the picture."""
        return 1.0 - self.visible_fraction


class GroundTruth:
    """The truth about the scene at one moment. Pictures are drawn when they are first asked for.

    Attributes:
        timestamp_ns: the moment, in the clock of the rig's frames.
    """

    def __init__(self, scene: Scene, timestamp_ns: int, time_s: float) -> None:
        self.timestamp_ns = timestamp_ns
        self._scene = scene
        self._time_s = time_s

    @functools.cached_property
    def clean_visible(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR: the visible image without blur and noise (smoke and glare stay)."""
        return self._scene.visible(self._time_s)

    @functools.cached_property
    def clean_ir(self) -> NDArray[np.uint16]:
        """(H, W) uint16 counts in the infrared grid, without blur, noise, stripes and drift."""
        return _to_counts(self._scene.infrared(self._time_s))

    @functools.cached_property
    def clean_ir_aligned(self) -> NDArray[np.uint16]:
        """(H, W) uint16 counts: the same as the visible camera would see it, in its grid."""
        scene = self._scene
        return _to_counts(scene.infrared(self._time_s, scene.visible_model))

    @property
    def objects(self) -> tuple[TruthObject, ...]:
        """All objects of which something is seen, the farthest first."""
        return self._solids[0]

    @property
    def depth(self) -> NDArray[np.float32]:
        """(H, W) float32 metres along the visible camera's optical axis; inf for the sky."""
        return self._solids[1]

    @functools.cached_property
    def _solids(self) -> tuple[tuple[TruthObject, ...], NDArray[np.float32]]:
        scene = self._scene
        model = scene.visible_model
        still = scene.backdrop(model, infrared=False)
        depth = still.depth.copy()
        drawn: list[tuple[Actor, Mesh, int, NDArray[np.bool_]]] = []
        owner = np.zeros(depth.shape, np.int32)
        actors = scene.actors(self._time_s)
        for number, actor in enumerate(actors, start=1):
            mesh = scene.mesh(actor, model)
            pixels, away = model.view.project(mesh.points)
            if away.min() < 0.3:
                continue
            low = np.floor(pixels.min(axis=0)).astype(int) - 1
            high = np.ceil(pixels.max(axis=0)).astype(int) + 2
            if (high - low).max() > _MAX_WINDOW_PX:
                continue
            window = (int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))
            mask = silhouette(mesh, model.view, window) > 0
            inside = _inside(window, depth.shape)
            if inside is None or not mask.any():
                continue
            target, source = inside
            seen = mask[source] & (still.occluder[target] > mesh.centre[2])
            owner[target][seen] = number
            drawn.append((actor, mesh, number, mask))
            _draw_depth(depth, mesh, model, target, seen)
        who = np.asarray(model.bend(owner, nearest=True))
        seen_px = np.bincount(owner.ravel(), minlength=len(actors) + 1)
        present = np.unique(who)
        objects = []
        for actor, mesh, number, mask in drawn:
            box = _box(model, mesh)
            if seen_px[number] == 0 or number not in present or box is None:
                continue
            share = min(1.0, float(seen_px[number]) / float(mask.sum()))
            objects.append(_object(actor, box, share))
        bent = np.asarray(model.bend(depth, nearest=True), np.float32)
        return tuple(objects), np.where(bent >= FAR_M, np.float32(math.inf), bent)


def _object(actor: Actor, box: tuple[float, float, float, float], share: float) -> TruthObject:
    return TruthObject(
        object_id=actor.number,
        label=actor.label,
        box=box,
        visible_fraction=share,
        distance_m=actor.z,
        speed_m_s=actor.speed_m_s,
        velocity_m_s=(
            actor.speed_m_s * math.cos(actor.heading),
            0.0,
            actor.speed_m_s * math.sin(actor.heading),
        ),
    )


def _box(model: CameraModel, mesh: Mesh) -> tuple[float, float, float, float] | None:
    """Box of all corners, through the lens, cut to the picture."""
    pixels, _ = model.pixels(mesh.points)
    width, height = model.size
    # From pixel centres at whole numbers to pixel edges at whole numbers.
    x1, y1 = (pixels.min(axis=0) + 0.5).tolist()
    x2, y2 = (pixels.max(axis=0) + 0.5).tolist()
    x1, x2 = max(0.0, x1), min(float(width), x2)
    y1, y2 = max(0.0, y1), min(float(height), y2)
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _inside(
    window: tuple[int, int, int, int], shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """Where a window lies in the picture, and the same part of the window itself."""
    left, top, width, height = window
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(shape[1], left + width), min(shape[0], top + height)
    if x0 >= x1 or y0 >= y1:
        return None
    picture = slice(y0, y1), slice(x0, x1)
    return picture, (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))


def _draw_depth(
    depth: NDArray[np.float32],
    mesh: Mesh,
    model: CameraModel,
    target: tuple[slice, slice],
    seen: NDArray[np.bool_],
) -> None:
    """Write the mean depth of each polygon where the actor is seen."""
    pixels, away = model.view.project(mesh.points)
    rows, columns = target
    own = np.full(seen.shape, mesh.centre[2], np.float32)
    corners = np.rint((pixels - (columns.start, rows.start)) * 16.0).astype(np.int32)
    for polygon in range(len(mesh.starts) - 1):
        part = slice(mesh.starts[polygon], mesh.starts[polygon + 1])
        value = float(away[part].mean())
        cv2.fillConvexPoly(own, corners[part], value, cv2.LINE_8, 4)
    depth[target][seen] = own[seen]


def _to_counts(picture: NDArray[np.float32]) -> NDArray[np.uint16]:
    return np.rint(np.clip(picture, 0.0, 16383.0)).astype(np.uint16)
