"""The scene at a moment as a camera would see it without flaws."""

from __future__ import annotations

import threading
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.simulation.backdrop import Backdrop, cast
from edge_sdk.capture.simulation.bloom import halo_tile, still_bloom
from edge_sdk.capture.simulation.config import SimulationConfig
from edge_sdk.capture.simulation.draw import Fabric, add_halo, paste, rasterise, shade_ground
from edge_sdk.capture.simulation.geometry import CameraModel, View
from edge_sdk.capture.simulation.layout import CAMERA_HEIGHT_M, build_place
from edge_sdk.capture.simulation.light import COUNTS_PER_KELVIN, counts
from edge_sdk.capture.simulation.mesh import Mesh
from edge_sdk.capture.simulation.rand import fractal_tile, generator
from edge_sdk.capture.simulation.smoke import Smoke
from edge_sdk.capture.simulation.traffic import Actor, Traffic

__all__ = ["Scene"]


class Scene:
    """Pictures of the simulated place; every one is a function of camera model and time alone.

    Safe to use from several threads.

    Attributes:
        visible_model, ir_model: the two cameras; one and the same object if registered.
    """

    def __init__(self, config: SimulationConfig) -> None:
        self._condition = config.condition
        self._place = build_place(config.seed, config.condition)
        self.visible_model = CameraModel(
            config.visible_size,
            config.visible_hfov_deg,
            (0.0, CAMERA_HEIGHT_M, 0.0),
            distortion=config.visible_distortion,
        )
        self.ir_model = self.visible_model
        if not config.registered:
            self.ir_model = CameraModel(
                config.ir_size,
                config.ir_hfov_deg,
                (config.baseline_m, CAMERA_HEIGHT_M, 0.0),
                config.ir_rotation_deg,
                config.ir_distortion,
            )
        self._reach_visible = _reach(self.visible_model.view)
        self._reach_ir = _reach(self.ir_model.view)
        self._traffic = Traffic(
            config.seed,
            config.people,
            config.vehicles,
            max(self._reach_visible, self._reach_ir),
            self._place.street_x_m,
            self._place.side,
        )
        self._fabric = Fabric(fractal_tile(256, 1.45, generator(config.seed, 121)))
        self._halo = halo_tile()
        self._smoke = Smoke(config.seed) if config.condition == "smoke" else None
        self._lock = threading.Lock()
        self._backdrops: dict[tuple[bool, bool], Backdrop] = {}
        self._bloom: NDArray[np.uint8] | None = None

    def actors(self, time_s: float) -> list[Actor]:
        """Everybody on the way, the farthest first."""
        return self._traffic.at(time_s)

    def mesh(self, actor: Actor, model: CameraModel) -> Mesh:
        """An actor as ``model`` needs it."""
        light = self._place.light
        return actor.mesh(model.view.centre, self._place.climate.air_c, light.headlights)

    def visible(self, time_s: float) -> NDArray[np.uint8]:
        """The visible camera's picture, (H, W, 3) uint8 BGR, sharp and free of noise."""
        model = self.visible_model
        view = model.view
        still = self.backdrop(model, infrared=False)
        assert still.visible is not None
        picture = still.visible.copy()
        light = self._place.light
        meshes = self._meshes(time_s, model)
        for mesh in meshes:
            self._shadow(picture, still, view, mesh)
        sheets = list(enumerate(self._smoke.depths_m)) if self._smoke is not None else []
        for mesh in meshes:
            while sheets and sheets[0][1] > mesh.centre[2]:
                assert self._smoke is not None
                self._smoke.veil(picture, view, sheets.pop(0)[0], time_s)
            middles = mesh.middles
            radiance = mesh.albedo * light.on(middles, mesh.normals) + mesh.shine
            colours = light.grey(radiance, np.maximum(middles[:, 2], 0.0))
            cutout = rasterise(mesh, view, colours, self._fabric)
            if cutout is not None:
                paste(picture, still.occluder, cutout, mesh.centre[2])
            self._shine(picture, still, view, mesh)
        for number, _ in sheets:
            assert self._smoke is not None
            self._smoke.veil(picture, view, number, time_s)
        if self._bloom is not None:
            cv2.add(picture, self._bloom, picture)
        return _as_uint8(model.bend(picture))

    def infrared(self, time_s: float, model: CameraModel | None = None) -> NDArray[np.float32]:
        """The infrared picture, (H, W) float32 counts, sharp and free of noise.

        Args:
            time_s: when.
            model: who looks; the infrared camera if None.
        """
        model = self.ir_model if model is None else model
        view = model.view
        still = self.backdrop(model, infrared=True)
        assert still.infrared is not None
        picture = still.infrared.copy()
        meshes = self._meshes(time_s, model)
        for mesh in meshes:
            if mesh.warm_ground_k > 0.0:
                base, ends = mesh.outline[:4], np.array([0, 4])
                warm = COUNTS_PER_KELVIN * mesh.warm_ground_k
                shade_ground(picture, still.ground, view, base, ends, 0.35, warm)
        for mesh in meshes:
            cutout = rasterise(mesh, view, counts(mesh.celsius)[:, None], self._fabric)
            if cutout is not None:
                paste(picture, still.occluder, cutout, mesh.centre[2])
        if self._smoke is not None:
            smoke_counts = float(counts(np.array(self._place.climate.air_c + 3.0)))
            self._smoke.warm(picture, view, smoke_counts, time_s)
        return np.asarray(model.bend(picture), np.float32)

    def backdrop(self, model: CameraModel, *, infrared: bool) -> Backdrop:
        """What stands still, as ``model`` sees it; drawn at the first call."""
        key = (model is self.visible_model, infrared)
        with self._lock:
            if key not in self._backdrops:
                shared = self.ir_model is self.visible_model
                still = cast(
                    self._place,
                    model.view,
                    visible=shared or not infrared,
                    infrared=shared or infrared,
                )
                self._backdrops[key] = still
                if shared:
                    self._backdrops[key[0], not infrared] = still
                if still.visible is not None:
                    self._bloom = still_bloom(self._place.light, model.view, self._condition)
            return self._backdrops[key]

    def _meshes(self, time_s: float, model: CameraModel) -> list[Mesh]:
        """Everybody who, or whose shadow, may be in the picture, the farthest first."""
        cast_x, cast_z = self._place.light.cast
        reach = self._reach_ir if model is self.ir_model else self._reach_visible
        meshes = []
        for actor in self.actors(time_s):
            # The actor, its shadow and the light of its lamps, generously.
            half = 1.0
            if actor.label == "car":
                half = 9.5 if self._place.light.headlights else 2.8
            aside = abs(actor.x) - half - 2.0 * abs(cast_x)
            if aside > reach * (actor.z + half + max(0.0, 2.0 * cast_z)):
                continue
            meshes.append(self.mesh(actor, model))
        return meshes

    def _shadow(self, picture: NDArray[Any], still: Backdrop, view: View, mesh: Mesh) -> None:
        light = self._place.light
        if mesh.pool is not None:
            ends = np.array([0, len(mesh.pool)])
            shade_ground(picture, still.ground, view, mesh.pool, ends, 0.55, light.pool)
        cast_x, cast_z = light.cast
        flat = mesh.outline.copy()
        flat[:, 0] += flat[:, 1] * cast_x
        flat[:, 2] += flat[:, 1] * cast_z
        flat[:, 1] = 0.0
        shade_ground(
            picture, still.ground, view, flat, mesh.outline_starts, light.penumbra_m, light.shadow
        )

    def _shine(self, picture: NDArray[np.uint8], still: Backdrop, view: View, mesh: Mesh) -> None:
        if not mesh.glows:
            return
        places, depths = view.project(np.array([glow.position for glow in mesh.glows]))
        height, width = still.occluder.shape
        for glow, place, depth in zip(mesh.glows, places, depths, strict=True):
            column, row = round(float(place[0])), round(float(place[1]))
            outside = not (0 <= column < width and 0 <= row < height)
            if outside or depth < 0.5 or still.occluder[row, column] < depth:
                continue
            # A lamp's halo is made in the lens: it shrinks with distance far less than the lamp.
            strength = glow.strength * self._place.light.flare
            radius = width * strength * (0.03 + 0.9 / (depth + 6.0))
            if radius >= 2.0:
                blue, green, red = glow.colour
                add_halo(picture, self._halo, (column, row), radius, (blue, green, red))


def _reach(view: View) -> float:
    """Half the width of what a view sees, per metre of depth ahead of the visible camera."""
    columns = np.array([-0.5, view.size[0] - 0.5])
    rows = np.array([0.0, view.size[1] / 2.0, view.size[1] - 1.0])
    rays = view.rays(columns, rows)
    return float(np.abs(rays[..., 0] / rays[..., 2]).max()) + abs(view.centre[0]) / 5.0


def _as_uint8(picture: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(picture, np.uint8)
