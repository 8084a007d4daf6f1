"""Everything that can go wrong, as one tree.

::

    EdgeSdkError
    +-- ConfigError            a rig file, an option or an argument is wrong
    |   +-- CalibrationError   a calibration file is wrong, or belongs to another camera or size
    +-- SourceError            a camera or a recording cannot deliver what was asked
    |   +-- BandwidthError
    |   +-- DeviceNotFoundError
    |   +-- StreamTimeoutError
    |   +-- DisconnectedError
    +-- SerialError            the control port of an infrared core
    |   +-- SerialTimeoutError
    |   +-- SerialProtocolError  wrong checksum, wrong sequence, malformed reply
    |   +-- CoreRejectedError    the core answered with an error code
    +-- ModelError             a model folder is incomplete, damaged or of another kind
    +-- EngineError            no engine can run the model, or one failed while running
    +-- DependencyError        an optional package is needed and not installed

Every message says what was asked, what was found and what to do about it.
"""

from __future__ import annotations

__all__ = [
    "BandwidthError",
    "CalibrationError",
    "ConfigError",
    "CoreRejectedError",
    "DependencyError",
    "DeviceNotFoundError",
    "DisconnectedError",
    "EdgeSdkError",
    "EngineError",
    "ModelError",
    "SerialError",
    "SerialProtocolError",
    "SerialTimeoutError",
    "SourceError",
    "StreamTimeoutError",
]


class EdgeSdkError(Exception):
    """Root of every error that edge_sdk raises on purpose."""


class ConfigError(EdgeSdkError):
    """A rig file, an option or an argument is wrong."""


class CalibrationError(ConfigError):
    """A calibration file is wrong, or belongs to another camera or image size."""


class SourceError(EdgeSdkError):
    """A camera or a recording cannot deliver what was asked of it."""


class BandwidthError(SourceError):
    """A camera cannot stream because its bus has no room for it beside the others."""


class DeviceNotFoundError(SourceError):
    """No device matches the identity that was asked for."""


class StreamTimeoutError(SourceError):
    """A camera delivered nothing within the bound."""


class DisconnectedError(SourceError):
    """A camera went away while it was streaming."""


class SerialError(EdgeSdkError):
    """The control port of an infrared core failed."""


class SerialTimeoutError(SerialError):
    """The core did not answer within the bound."""


class SerialProtocolError(SerialError):
    """A reply has a wrong checksum, a wrong sequence number or a malformed body."""


class CoreRejectedError(SerialError):
    """The core understood the request and answered with an error code."""


class ModelError(EdgeSdkError):
    """A model folder is incomplete, damaged, or made for something else."""


class EngineError(EdgeSdkError):
    """No engine can run the model here, or an engine failed while running."""


class DependencyError(EdgeSdkError):
    """An optional package is needed for what was asked and is not installed."""
