"""Package metadata of edge_sdk. Settings of the development tools are in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

TRACK = ["supervision>=0.26", "trackers>=2.6"]
# linuxpy is GPL-3.0 and loaded only when a camera is opened; simplejpeg decodes Motion JPEG.
V4L2 = ["linuxpy>=0.25", "simplejpeg>=1.7"]
TRAIN = [
    "matplotlib>=3.8",
    "onnx>=1.16",
    "onnxscript>=0.5",
    "safetensors>=0.4.5",
    "torch>=2.6",
    "tqdm>=4.66",
]

CALIBRATION = [
    "edge_sdk_" + name for name in find_packages(include=["calibration", "calibration.*"])
]

setup(
    name="edge-sdk",
    version="0.1.0",
    description="Fused, restored and tracked video from a thermal and a visible camera, in real "
    "time, on embedded GPUs and plain CPUs",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Multimedia :: Video :: Capture",
        "Topic :: Scientific/Engineering :: Image Processing",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    # A robot calibrates itself but does not train: the wheel carries calibration/, under a name
    # that collides with nobody's calibration.py. Quantize and benchmarks stay in the checkout.
    packages=[*find_packages(include=["edge_sdk*"]), *CALIBRATION],
    package_dir={"edge_sdk_calibration": "calibration"},
    package_data={
        "edge_sdk": ["py.typed", "*.yaml"],
        "edge_sdk.fusion": ["models/*/*"],
    },
    install_requires=[
        "numpy>=1.26",
        "onnxruntime>=1.18",
        "opencv-python>=4.8",
        "openvino>=2024.6; platform_machine == 'x86_64' or platform_machine == 'AMD64'",
        "pydantic>=2.7",
        "pyserial>=3.5",
        "pyyaml>=6.0",
        "rich>=13.5",
        "typer>=0.12",
    ],
    extras_require={
        "track": TRACK,
        "v4l2": V4L2,
        "train": TRAIN,
        "tensorrt": ["torch>=2.11", "torch-tensorrt>=2.11"],
        "rtx": ["torch>=2.11", "torch-tensorrt-rtx>=2.11"],
        "test": [
            *TRACK,
            *TRAIN,
            *V4L2,
            "mypy>=1.11",
            "psutil>=5.9",
            "pytest>=8.0",
            "pytest-benchmark>=5.0",
            "ruff>=0.6",
            "scikit-image>=0.22",
            "scikit-learn>=1.4",
            "scipy>=1.11",
            "types-PyYAML>=6.0",
        ],
    },
    entry_points={"console_scripts": ["edge-sdk = edge_sdk.cli:main"]},
)
