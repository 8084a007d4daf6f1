"""Reading what is scored: folders of frames, videos, and the layout of the recorded data."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.folder import natural_key, read_image
from edge_sdk.capture.video import VideoReader
from edge_sdk.errors import ConfigError, SourceError
from edge_sdk.frames import Image

__all__ = ["Clip", "Scene", "find_clips", "match_folders"]

Picture = NDArray[np.uint8]

# told by the name and not by the content, so that a damaged file is reported and not passed over
_IMAGE = re.compile(
    r"\.(bmp|dib|jpe?g|jpe|jp2|png|webp|avif|p[bgpxn]m|sr|ras|tiff?|exr|hdr|pic|gif)", re.IGNORECASE
)
_VIDEO = re.compile(r"\.(mp4|m4v|avi|mkv|mov|webm|mpe?g|wmv|mjpeg)", re.IGNORECASE)
_NAMES_SHOWN = 5


@dataclass(frozen=True)
class Clip:
    """The frames of one camera in one sequence: image files in natural order, or a video.

    Attributes:
        place: the folder of the images, or the video file.
        images: the image files; empty for a video.
    """

    place: Path
    images: tuple[Path, ...] = ()

    @property
    def stems(self) -> tuple[str, ...]:
        """File names without suffix, in order; empty for a video."""
        return tuple(image.stem for image in self.images)

    def only(self, stems: Sequence[str]) -> Clip:
        """The same clip, with just the images of these stems."""
        wanted = set(stems)
        return Clip(self.place, tuple(one for one in self.images if one.stem in wanted))

    def frame_count(self) -> int:
        """Number of frames; for a video what its header says, 0 if it does not.

        Raises:
            SourceError: the video cannot be opened.
        """
        if self.images:
            return len(self.images)
        reader = VideoReader(self.place, None)
        reader.close()
        return reader.frame_count or 0

    def read(self) -> Iterator[Picture]:
        """Yield every frame, (H, W, 3) uint8 BGR.

        Raises:
            SourceError: a file is damaged, is no image or video that OpenCV reads, or not 8 bit.
        """
        if self.images:
            yield from (_as_bgr_u8(read_image(path), f"'{path}'") for path in self.images)
        else:
            yield from _read_video(self.place)


@dataclass(frozen=True)
class Scene:
    """Clips that belong together, frame by frame.

    Attributes:
        name: path of the sequence inside the data, ``"frames/0111_1803"``.
        group: scenes of one group share a row of the table.
        temporal: True if the frames follow each other in time, False for stills.
        clips: role to clip. ``"ir"`` and ``"visible"`` are the clean references; besides them
            either ``"fused"``, or ``"ir_input"`` and ``"visible_input"`` which are to be fused.
        max_frames: how many frames to take from the start; None for all.
    """

    name: str
    group: str
    temporal: bool
    clips: Mapping[str, Clip]
    max_frames: int | None = None

    def __post_init__(self) -> None:
        if all(clip.images for clip in self.clips.values()):
            stems = {f"'{clip.place}'": clip.stems for clip in self.clips.values()}
            _require_equal_names(f"the frames of sequence '{self.name}'", stems)

    def frame_count(self) -> int:
        """Number of frames that :meth:`frames` is expected to yield."""
        count = min(clip.frame_count() for clip in set(self.clips.values()))
        return count if self.max_frames is None else min(count, self.max_frames)

    def frames(self) -> Iterator[dict[str, Picture]]:
        """Yield role to picture, (H, W, 3) uint8 BGR, all of one size.

        Raises:
            SourceError: a frame cannot be read, a clip ends before another, or sizes differ.
        """
        previous: tuple[int, ...] | None = None
        # clean inputs are their own references: one clip in two roles is read once
        clips = tuple(dict.fromkeys(self.clips.values()))
        readers = [islice(clip.read(), self.max_frames) for clip in clips]
        for index, pictures in enumerate(zip_longest(*readers)):
            by_clip = dict(zip(clips, pictures, strict=True))
            frame = {role: by_clip[clip] for role, clip in self.clips.items()}
            ended = [role for role, picture in frame.items() if picture is None]
            if ended:
                going = next(role for role in frame if role not in ended)
                raise SourceError(
                    f"sequence '{self.name}': '{ended[0]}' ({self.clips[ended[0]].place}) ends "
                    f"after {index} frames while '{going}' ({self.clips[going].place}) goes on; "
                    "give streams of the same frames"
                )
            size = self._require_one_size(index, frame)
            if self.temporal and previous not in (None, size):
                raise SourceError(
                    f"sequence '{self.name}': frame {index} is {_size(size)}, the one before it "
                    f"{_size(previous or size)}; if these are unrelated stills, say --stills"
                )
            previous = size
            yield frame

    def _require_one_size(self, index: int, frame: Mapping[str, Picture]) -> tuple[int, ...]:
        sizes = {role: picture.shape[:2] for role, picture in frame.items()}
        if len(set(sizes.values())) > 1:
            found = ", ".join(f"{role} {_size(size)}" for role, size in sizes.items())
            raise SourceError(
                f"sequence '{self.name}', frame {index}: the sizes differ ({found}); all must be "
                "in one pixel grid"
            )
        return next(iter(sizes.values()))


def find_clips(root: Path) -> dict[str, Clip]:
    """All sequences under ``root``: path relative to it, without suffix, to clip.

    A folder that holds images is one sequence (``"."`` for ``root`` itself), every video is one.
    ``root`` may be a video file. Hidden files and files of other kinds are passed over.

    Raises:
        ConfigError: there is no such folder, it holds no frames, or two files share a name.
    """
    if root.is_file() and _VIDEO.fullmatch(root.suffix):
        return {".": Clip(root)}
    if not root.is_dir():
        raise ConfigError(f"'{root}' is neither a folder nor a video file; give one of the two")
    clips: dict[str, Clip] = {}
    for folder, inner, files in os.walk(root):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        place = Path(folder)
        found: dict[str, Clip] = {}
        present = [place / name for name in sorted(files) if not name.startswith(".")]
        images = [path for path in present if _IMAGE.fullmatch(path.suffix)]
        if images:
            found[place.relative_to(root).as_posix()] = _image_clip(place, images)
        for path in present:
            if _VIDEO.fullmatch(path.suffix):
                name = path.relative_to(root).with_suffix("").as_posix()
                if name in found:
                    raise ConfigError(f"two videos in '{place}' are named '{name}'; rename one")
                found[name] = Clip(path)
        for name, clip in found.items():
            if name in clips:
                raise ConfigError(
                    f"'{clips[name].place}' and '{clip.place}' are both sequence '{name}'; "
                    "move one away"
                )
            clips[name] = clip
    if not clips:
        raise ConfigError(f"'{root}' holds no images and no videos that OpenCV reads")
    return clips


def match_folders(fused: Path, ir: Path, visible: Path, *, stills: bool = False) -> list[Scene]:
    """Scenes of a folder of fused frames and the folders of its clean sources.

    Sub-folders and videos are sequences and match by name, images match by file stem, and the
    frames of a video by their order.

    Args:
        fused: folder (or video) of the fused frames.
        ir: folder (or video) of the clean infrared.
        visible: folder (or video) of the clean visible.
        stills: the images of a folder do not follow each other in time.

    Raises:
        ConfigError: a folder has no frames, or names are missing in one of the three.
    """
    found = {"fused": find_clips(fused), "ir": find_clips(ir), "visible": find_clips(visible)}
    roots = {"fused": fused, "ir": ir, "visible": visible}
    _require_equal_names(
        "the sequences", {f"'{roots[role]}'": tuple(clips) for role, clips in found.items()}
    )
    return [
        Scene(name, "all", not stills, {role: clips[name] for role, clips in found.items()})
        for name in sorted(found["fused"], key=natural_key)
    ]


def _image_clip(place: Path, images: Sequence[Path]) -> Clip:
    first: dict[str, Path] = {}
    for path in images:
        if path.stem in first:
            raise ConfigError(
                f"'{first[path.stem].name}' and '{path.name}' in '{place}' are the same frame by "
                "name; remove one"
            )
        first[path.stem] = path
    return Clip(place, tuple(sorted(images, key=lambda path: natural_key(path.stem))))


def _require_equal_names(what: str, names: Mapping[str, Sequence[str]]) -> None:
    everything = list(dict.fromkeys(name for given in names.values() for name in given))
    lacking = []
    for where, given in names.items():
        present = set(given)
        missing = [name for name in everything if name not in present]
        if missing:
            more = len(missing) - _NAMES_SHOWN
            shown = ", ".join(missing[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
            lacking.append(f"{where} lacks {shown}")
    if lacking:
        raise ConfigError(
            f"{what} do not match: {'; '.join(lacking)}. Frames belong together by file name "
            "without suffix, sequences by the name of the folder or video"
        )


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _read_video(path: Path) -> Iterator[Picture]:
    reader = VideoReader(path, None)
    try:
        while (stored := reader.read()) is not None:
            yield _as_bgr_u8(stored.image, f"'{path}', {stored.label}")
    finally:
        reader.close()


def _as_bgr_u8(image: Image, place: str) -> Picture:
    if image.dtype != np.uint8:
        raise SourceError(
            f"{place} is {image.dtype}; the metrics are defined on 8 bit, convert it first"
        )
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
