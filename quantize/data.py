"""Recordings made into training clips.

A data folder has ``videos/<scene>/{ir,visible}.mp4``, ``frames/<scene>/{ir,visible}/``,
``pairs/<set>/{ir,visible}/`` and ``ir_only/*.mp4``; any of them may be absent. Sequences are
decoded once, on first use, to 8-bit arrays in a cache folder and memory-mapped from there: to grey,
and in a file of its own to RGB where colour is asked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import ConfigError, SourceError
from quantize.degradation import degrade_infrared, degrade_visible

__all__ = ["Clip", "ClipSampler", "Recordings", "Scene"]

IMAGE_SUFFIXES = {".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class Scene:
    """One scene: an infrared and a visible sequence of equal length, or infrared alone.

    Attributes:
        name: ``<kind>/<scene>``; stills are scenes of one frame.
        ir, visible: video file, or image files in order; ``visible`` is None for ``ir_only``.
    """

    name: str
    ir: tuple[Path, ...]
    visible: tuple[Path, ...] | None


@dataclass
class Clip:
    """A training clip, float32 in [0, 1], each (T, size, size).

    The two visible parts are luma, or RGB (T, size, size, 3) from a sampler with ``colour``.
    """

    ir: NDArray[np.float32]
    visible: NDArray[np.float32]
    clean_ir: NDArray[np.float32]
    clean_visible: NDArray[np.float32]


class Recordings:
    """All scenes of a data folder, decoded lazily.

    Raises:
        ConfigError: the folder does not exist or holds no scene.
        SourceError: a scene's halves have unequal counts, or a file cannot be decoded.
    """

    def __init__(self, root: Path, cache: Path) -> None:
        self.root = Path(root)
        self.cache = Path(cache)
        if not self.root.is_dir():
            raise ConfigError(f"data folder {self.root}: no such folder")
        self.scenes = list(_find_scenes(self.root))
        if not self.scenes:
            raise ConfigError(
                f"data folder {self.root}: found no videos/, frames/, pairs/ or ir_only/ with "
                "recordings in it"
            )
        self._open: dict[str, NDArray[np.uint8]] = {}

    @property
    def paired(self) -> list[Scene]:
        return [scene for scene in self.scenes if scene.visible is not None]

    def sequence(self, scene: Scene, camera: str, *, colour: bool = False) -> NDArray[np.uint8]:
        """One camera's frames, memory-mapped: (N, H, W) uint8 luma, or (N, H, W, 3) RGB."""
        files = scene.ir if camera == "ir" else scene.visible
        assert files is not None
        key = hashlib.sha256("|".join(map(str, files)).encode()).hexdigest()[:16] + "_rgb" * colour
        if key not in self._open:
            target = self.cache / f"{key}.npy"
            if not target.exists():
                self.cache.mkdir(parents=True, exist_ok=True)
                partial = target.with_suffix(f".{np.random.default_rng().integers(1 << 40)}.part")
                with partial.open("wb") as stream:
                    np.save(stream, _decode(files, colour))
                partial.replace(target)
            self._open[key] = np.load(target, mmap_mode="r")
        return self._open[key]

    def check(self, *, colour: bool = False) -> None:
        """Decode everything once, and raise the first error before a training starts."""
        for scene in self.scenes:
            ir = self.sequence(scene, "ir")
            if scene.visible is None:
                continue
            visible = self.sequence(scene, "visible", colour=colour)
            if len(visible) != len(ir):
                raise SourceError(
                    f"scene {scene.name}: {len(ir)} infrared and {len(visible)} visible frames; "
                    "counts must be equal"
                )
            (height, width), (rows, columns) = ir.shape[1:], visible.shape[1:3]
            if (height, width) != (rows, columns):
                raise SourceError(
                    f"scene {scene.name}: infrared of {width}x{height} and visible of "
                    f"{columns}x{rows} pixels; register them to one size"
                )


@dataclass
class ClipSampler:
    """Draws clips; everything random comes from ``seed``, so a run can be repeated.

    Attributes:
        recordings: what to draw from.
        size: side of the square crop in pixels, a multiple of 32.
        frames: frames of a clip.
        seed: of the generator.
        clean, degraded: probability of clips with both sources clean, or both degraded; the
            rest has one of each.
        unpaired: probability that the infrared and the visible come from different scenes.
        fault: probability of a frozen stretch, an exposure jump or a cut within the clip.
        colour: deliver the visible in RGB. All but the sensor noise of a degraded clip is drawn as
            without it, so that the same seed shows the same windows, tones and faults; tones,
            veils and lifts are of the light, and apply to each channel alike.
    """

    recordings: Recordings
    size: int = 128
    frames: int = 8
    seed: int = 0
    clean: float = 0.35
    degraded: float = 0.45
    unpaired: float = 0.25
    fault: float = 0.12
    colour: bool = False
    generator: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.generator = np.random.default_rng(self.seed)
        scenes = self.recordings.paired
        if not scenes:
            raise ConfigError(f"data folder {self.recordings.root}: no infrared-visible pairs")
        self._scenes = scenes
        self._weights = _sampling_weights([self._length(scene) for scene in scenes])
        self._ir_only = [scene for scene in self.recordings.scenes if scene.visible is None]

    def draw(self) -> Clip:
        rng = self.generator
        ir, visible = self._sources()
        if rng.random() < self.fault:
            kind = rng.integers(3)
            at = int(rng.integers(1, self.frames))
            if kind == 0:
                stop = min(self.frames, at + int(rng.integers(1, 5)))
                frozen = ir if rng.random() < 0.7 else visible
                frozen[at:stop] = frozen[at - 1]
            elif kind == 1:
                visible[at:] = np.clip(visible[at:] * rng.uniform(0.4, 1.8), 0, 1)
            else:
                other_ir, other_visible = self._sources()
                ir[at:], visible[at:] = other_ir[at:], other_visible[at:]
        draw = rng.random()
        both = draw < self.clean + self.degraded
        degrade_both = both and draw >= self.clean
        half = int(rng.integers(2))
        noisy_ir = degrade_infrared(ir, rng) if degrade_both or (not both and half) else ir
        soft = degrade_visible(visible, rng) if degrade_both or (not both and not half) else visible
        return Clip(noisy_ir, soft, ir, visible)

    def _length(self, scene: Scene) -> int:
        return len(self.recordings.sequence(scene, "ir")) if len(scene.ir) == 1 else len(scene.ir)

    def _sources(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rng = self.generator
        scene = self._scenes[rng.choice(len(self._scenes), p=self._weights)]
        ir_scene = scene
        if rng.random() < self.unpaired:
            pool = self._ir_only if self._ir_only and rng.random() < 0.7 else self._scenes
            ir_scene = pool[rng.integers(len(pool))]
        if ir_scene is scene:
            ir, visible = self._cut(scene, ("ir", "visible"))
        else:
            (ir,), (visible,) = self._cut(ir_scene, ("ir",)), self._cut(scene, ("visible",))
        return self._vary_infrared(ir), self._vary_visible(visible)

    def _cut(self, scene: Scene, cameras: tuple[str, ...]) -> list[NDArray[np.float32]]:
        """The same random window of space and time out of each camera's sequence."""
        rng = self.generator
        sequences = [
            self.recordings.sequence(scene, camera, colour=self.colour and camera == "visible")
            for camera in cameras
        ]
        length, height, width = sequences[0].shape[:3]
        low = self.size / min(height, width)
        scale = float(np.clip(rng.choice([1.0, 1.0, rng.uniform(0.45, 1.2)]), low, None))
        side = self.size / scale
        flip = rng.random() < 0.5
        stride = int(rng.choice([1, 1, 1, 2, 3]))
        moving = length < self.frames or rng.random() < 0.15
        if moving:
            indices = np.full(self.frames, rng.integers(length))
        else:
            stride = max(1, min(stride, (length - 1) // max(1, self.frames - 1)))
            start = rng.integers(length - (self.frames - 1) * stride)
            indices = start + stride * np.arange(self.frames)
            if rng.random() < 0.3:
                indices = indices[::-1]
        speed = rng.normal(0, 1.2, 2) * (moving and rng.random() < 0.75)
        swing = rng.uniform(0, 2, 2) * (moving and rng.random() < 0.5)
        phase = rng.uniform(0, 2 * np.pi, 2)
        zoom = 1 + rng.normal(0, 0.004) * moving
        room = np.array([width - side, height - side])
        corner = _lively_corner(rng, np.maximum(room, 0), sequences[0][indices[0]], side)
        cut = [
            np.empty((self.frames, self.size, self.size, *sequence.shape[3:]), np.float32)
            for sequence in sequences
        ]
        for t, index in enumerate(indices):
            span = side * zoom**t
            at = corner + (speed * t + swing * np.sin(phase + t)) / scale
            factor = span / self.size
            if factor == 1.0 and not moving:
                x, y = np.clip(np.rint(at).astype(int), 0, np.maximum(room, 0).astype(int))
                for target, sequence in zip(cut, sequences, strict=True):
                    window = sequence[index, y : y + self.size, x : x + self.size]
                    target[t] = window * np.float32(1 / 255)
            else:
                matrix = np.array([[factor, 0, at[0]], [0, factor, at[1]]], np.float64)
                for target, sequence in zip(cut, sequences, strict=True):
                    target[t] = _warp(np.asarray(sequence[index]), matrix, self.size)
        if flip:
            cut = [np.ascontiguousarray(clip[:, :, ::-1]) for clip in cut]
        return cut

    def _vary_infrared(self, clip: NDArray[np.float32]) -> NDArray[np.float32]:
        rng = self.generator
        if rng.random() < 0.5:
            clip = np.clip(clip, 0, 1) ** np.float32(rng.uniform(0.7, 1.4))
            clip = clip * np.float32(rng.uniform(0.7, 1.3)) + np.float32(rng.uniform(-0.05, 0.12))
        if rng.random() < 0.06:
            clip = 1 - clip
        return np.clip(clip, 0, 1).astype(np.float32)

    def _vary_visible(self, clip: NDArray[np.float32]) -> NDArray[np.float32]:
        rng = self.generator
        if rng.random() < 0.5:
            clip = np.clip(clip, 0, 1) ** np.float32(rng.uniform(0.75, 1.6))
            clip = clip * np.float32(rng.uniform(0.5, 1.2))
        if rng.random() < 0.06:  # a dark night
            clip = clip * np.float32(rng.uniform(0.05, 0.3))
        if rng.random() < 0.06:  # fog and smoke: a veil, see Koschmieder's law
            veil = np.float32(rng.uniform(0.3, 0.8))
            clip = clip * (1 - veil) + veil * np.float32(rng.uniform(0.4, 0.8))
        return np.clip(clip, 0, 1).astype(np.float32)


def _sampling_weights(lengths: list[int]) -> NDArray[np.float64]:
    """Long videos count more than stills, but not in proportion to their length."""
    weights = np.sqrt(np.minimum(np.asarray(lengths, np.float64), 40.0))
    return weights / weights.sum()


def _lively_corner(
    rng: np.random.Generator, room: NDArray[np.float64], frame: NDArray[np.uint8], side: float
) -> NDArray[np.float64]:
    """The window with the most contrast out of a few: skies and walls teach little."""
    corners = rng.uniform(0, room, (int(rng.integers(1, 5)), 2))
    if frame.ndim == 3:
        frame = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.uint8)
    span = int(side)
    spread = [
        frame[int(y) : int(y) + span : 4, int(x) : int(x) + span : 4].std() for x, y in corners
    ]
    return corners[int(np.argmax(spread))]


def _warp(frame: NDArray[np.uint8], matrix: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    factor = matrix[0, 0]
    if factor > 1.3:  # smooth first, or small structures alias
        frame = cv2.GaussianBlur(frame, (0, 0), 0.4 * factor).astype(np.uint8, copy=False)
    warped = cv2.warpAffine(
        frame,
        matrix,
        (size, size),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return warped.astype(np.float32) * np.float32(1 / 255)


def _find_scenes(root: Path) -> list[Scene]:
    scenes = []
    for folder in sorted((root / "videos").glob("*")):
        ir, visible = folder / "ir.mp4", folder / "visible.mp4"
        if ir.exists() and visible.exists():
            scenes.append(Scene(f"videos/{folder.name}", (ir,), (visible,)))
    for folder in sorted((root / "frames").glob("*")):
        scenes.append(_scene_of_images(f"frames/{folder.name}", folder))
    for folder in sorted((root / "pairs").glob("*")):
        if not (folder / "ir").is_dir():
            continue
        whole = _scene_of_images(f"pairs/{folder.name}", folder)
        assert whole.visible is not None
        for ir, visible in zip(whole.ir, whole.visible, strict=True):
            scenes.append(Scene(f"{whole.name}/{ir.stem}", (ir,), (visible,)))
    for file in sorted((root / "ir_only").glob("*.mp4")):
        scenes.append(Scene(f"ir_only/{file.stem}", (file,), None))
    return scenes


def _scene_of_images(name: str, folder: Path) -> Scene:
    halves = []
    for camera in ("ir", "visible"):
        files = [p for p in sorted((folder / camera).glob("*")) if p.suffix in IMAGE_SUFFIXES]
        halves.append({p.stem: p for p in files})
    ir, visible = halves
    if not ir or ir.keys() != visible.keys():
        odd = sorted(ir.keys() ^ visible.keys())
        found = f"no partner for {', '.join(odd[:3])}" if odd else "no images"
        raise SourceError(
            f"scene {name}: needs the same file names in ir/ and visible/, found {found}"
        )
    return Scene(name, tuple(ir.values()), tuple(visible[stem] for stem in ir))


def _decode(files: tuple[Path, ...], colour: bool) -> NDArray[np.uint8]:
    conversion = cv2.COLOR_BGR2RGB if colour else cv2.COLOR_BGR2GRAY
    if len(files) == 1 and files[0].suffix not in IMAGE_SUFFIXES:
        capture = cv2.VideoCapture(str(files[0]))
        frames = []
        while True:
            ok, frame = capture.read()
            if not ok:
                break
            frames.append(cv2.cvtColor(frame, conversion))
        capture.release()
    else:
        frames = []
        for file in files:
            image = cv2.imread(str(file), cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE)
            if image is None:
                raise SourceError(f"{file}: cannot be decoded as an image")
            frames.append(cv2.cvtColor(image, conversion) if colour else image)
    if not frames:
        raise SourceError(f"{files[0]}: cannot be decoded as a video")
    odd = next((k for k, frame in enumerate(frames) if frame.shape != frames[0].shape), None)
    if odd is not None:
        (height, width), (rows, columns) = frames[0].shape[:2], frames[odd].shape[:2]
        raise SourceError(
            f"{files[odd]}: {columns}x{rows} pixels, but {files[0].name} of the same scene has "
            f"{width}x{height}; all frames of a scene need one size"
        )
    return np.stack(frames).astype(np.uint8)
