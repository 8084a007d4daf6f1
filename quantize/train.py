"""Train a network: ``python -m quantize.train --config FILE.yaml``.

Kill it at any point: it resumes from the last checkpoint and loses at most the steps since. The
random numbers of a step depend on the seed and the step alone, so that a resumed run sees the data
that an unbroken one would have seen. Several processes share each batch::

    torchrun --nproc-per-node=2 -m quantize.train --config FILE.yaml
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import pickle
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from edge_sdk.errors import ConfigError, EdgeSdkError, ModelError
from quantize.config import TrainConfig, check_names, load_train_config
from quantize.data import Clip, ClipSampler, Recordings
from quantize.videofusion import read_weights

__all__ = ["Task", "main", "train", "widened"]


class Task(Protocol):
    """What differs between the networks that can be trained."""

    clip_frames: int
    """Frames that a clip must have."""

    def build(self) -> nn.Module: ...

    def loss(
        self, model: nn.Module, clips: list[Clip], rng: np.random.Generator, device: torch.device
    ) -> tuple[Tensor, dict[str, float]]: ...

    def validate(
        self, model: nn.Module, recordings: Recordings, pictures: Path | None
    ) -> dict[str, float]: ...


def make_task(config: TrainConfig) -> Task:
    """The side of the training that knows the network of ``config``.

    Raises:
        ConfigError: its options or its objective are of no use to that network.
    """
    if config.network == "teacher":
        from quantize.teacher.task import TeacherTask

        return TeacherTask(config)
    from quantize.student.task import StudentTask

    return StudentTask(config)


def train(config: TrainConfig) -> dict[str, float]:
    """Run (or resume) the training that ``config`` describes; returns the last validation."""
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if config.batch % world:
        raise ConfigError(f"batch {config.batch} cannot be shared by {world} processes")
    device = _device()
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    recordings = Recordings(config.data, config.cache)
    validation = Recordings(config.validation, config.cache) if config.validation else None
    if validation is not None:
        assert_disjoint(recordings, validation)
        if not any(scene.name.startswith("frames/") for scene in validation.paired):
            raise ConfigError(
                f"validation folder {validation.root}: found no scene in frames/, which is what "
                "checkpoints are judged on"
            )

    torch.manual_seed(config.seed)
    task = make_task(config)
    model = task.build().to(device)
    if config.start_from is not None:
        where = f"start_from {config.start_from}"
        _load(model, widened(model, read_weights(config.start_from)), where)
    _freeze_all_but(config.only, model)
    average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    optimiser = torch.optim.AdamW(
        (p for p in model.parameters() if p.requires_grad),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
    )
    step = _resume(config, model, average, optimiser, device)
    sampler = _make_sampler(config, recordings, task.clip_frames)
    recordings.check(colour=sampler.colour)
    config.output.mkdir(parents=True, exist_ok=True)
    compute: nn.Module = _ClipLoss(task, model)
    if world > 1:
        # The teacher has parameters that nothing applies, as its publication has.
        compute = nn.parallel.DistributedDataParallel(
            compute, find_unused_parameters=config.network == "teacher"
        )
    curves = _Curves(config.output / "curves.csv", config.log_every) if rank == 0 else None
    scores: dict[str, float] = {}
    progress = tqdm(
        total=config.steps, initial=step, desc=config.network, disable=rank != 0, mininterval=5.0
    )
    while step < config.steps:
        rate = _learning_rate(config, step)
        for group in optimiser.param_groups:
            group["lr"] = rate
        clips = _draw(sampler, config, step, rank, world)
        rng = np.random.default_rng((config.seed, 1, step))
        loss, parts = compute(clips, rng, device)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm))
        if math.isfinite(norm):
            optimiser.step()
            with torch.no_grad():
                decay = min(config.ema, (step + 1) / (step + 10))
                for name, value in model.state_dict().items():
                    average[name].lerp_(value, 1 - decay)
        step += 1
        progress.update()
        figures = {"loss": float(loss.detach()), "norm": norm, "rate": rate, **parts}
        if world > 1:
            figures = _mean_over_processes(figures, device)
        if curves is not None:
            curves.add(step, figures)
        done = step == config.steps
        if rank == 0 and (step % config.checkpoint_every == 0 or done):
            _save(config, step, model, average, optimiser)
        if rank == 0 and validation is not None and (step % config.validate_every == 0 or done):
            judge = task.build().to("cpu")
            judge.load_state_dict(average)
            scores = task.validate(judge, validation, config.output / "pictures")
            progress.write(f"{step}: " + " ".join(f"{k} {v:.3f}" for k, v in scores.items()))
            _append(config.output / "validation.csv", {"step": step, **scores})
    progress.close()
    if world > 1:
        dist.barrier()
    return scores


def assert_disjoint(training: Recordings, validation: Recordings) -> None:
    """A scene never stands in training and validation at once.

    Raises:
        ConfigError: one does; the message names it.
    """
    names = {scene.name.split("/")[1] for scene in training.scenes if "pairs/" not in scene.name}
    both = names & {s.name.split("/")[1] for s in validation.scenes if "pairs/" not in s.name}
    both |= {s.name for s in training.scenes} & {s.name for s in validation.scenes}
    if both:
        raise ConfigError(
            f"scene {sorted(both)[0]} stands in both {training.root} and {validation.root}; "
            "scores on it would say nothing. Take it out of one of them."
        )


class _ClipLoss(nn.Module):
    """The loss of a batch of clips as one forward pass.

    DistributedDataParallel counts on one forward for each backward; a recurrent network has many.
    """

    def __init__(self, task: Task, model: nn.Module) -> None:
        super().__init__()
        self.task = task
        self.model = model

    def forward(
        self, clips: list[Clip], rng: np.random.Generator, device: torch.device
    ) -> tuple[Tensor, dict[str, float]]:
        return self.task.loss(self.model, clips, rng, device)


def _freeze_all_but(parts: tuple[str, ...], model: nn.Module) -> None:
    """Let only these parts be trained; none stands for all.

    Raises:
        ConfigError: the network has no such part.
    """
    if not parts:
        return
    check_names(dict.fromkeys(parts), [name for name, _ in model.named_children()], "only")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.split(".")[0] in parts)


def _mean_over_processes(figures: dict[str, float], device: torch.device) -> dict[str, float]:
    values = torch.tensor(list(figures.values()), dtype=torch.float64, device=device)
    dist.all_reduce(values)
    return dict(zip(figures, (values / dist.get_world_size()).tolist(), strict=True))


def _device() -> torch.device:
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
        return device
    return torch.device("cpu")


def _make_sampler(config: TrainConfig, recordings: Recordings, frames: int) -> ClipSampler:
    check_names(config.sampler, ("clean", "degraded", "unpaired", "fault"), "sampler")
    colour = config.network == "teacher"
    return ClipSampler(
        recordings, config.size, frames, config.seed, colour=colour, **config.sampler
    )


def _draw(
    sampler: ClipSampler, config: TrainConfig, step: int, rank: int, world: int
) -> list[Clip]:
    """This process's share of the step's batch; the batch is the same for any ``world``."""
    share = config.batch // world
    clips = []
    for index in range(rank * share, (rank + 1) * share):
        sampler.generator = np.random.default_rng((config.seed, 0, step, index))
        clips.append(sampler.draw())
    return clips


def _learning_rate(config: TrainConfig, step: int) -> float:
    if step < config.warm_up:
        return config.learning_rate * (step + 1) / config.warm_up
    done = (step - config.warm_up) / max(1, config.steps - config.warm_up)
    low = config.final_learning_rate
    return low + (config.learning_rate - low) * 0.5 * (1 + math.cos(math.pi * done))


def _save(
    config: TrainConfig,
    step: int,
    model: nn.Module,
    average: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
) -> None:
    """Write the checkpoint beside the old one, then replace it: a kill leaves one of them whole."""
    state = {
        "step": step,
        "model": model.state_dict(),
        "average": average,
        "optimiser": optimiser.state_dict(),
    }
    partial = config.output / "checkpoint.part"
    torch.save(state, partial)
    partial.replace(config.output / "checkpoint.pt")
    partial = config.output / "weights.part"
    save_file({k: v.contiguous().cpu() for k, v in average.items()}, partial)
    partial.replace(config.output / "weights.safetensors")


def _resume(
    config: TrainConfig,
    model: nn.Module,
    average: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
    device: torch.device,
) -> int:
    path = config.output / "checkpoint.pt"
    if not path.exists():
        return 0
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"checkpoint {path} cannot be read ({type(error).__name__}); remove it to start again, "
            "or give another output folder"
        ) from None
    _load(model, state["model"], f"checkpoint {path}")
    for name, value in state["average"].items():
        average[name].copy_(value)
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])


def _load(model: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        line = str(error).splitlines()[1].strip()
        raise ConfigError(
            f"{source} is of another network than the configuration describes ({line}); give the "
            "options that it was trained with, or another path"
        ) from None


def widened(model: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a narrower network of the same kind, to start a wider one from.

    Where the model's tensor is larger, the old one fills its leading corner; inputs that are new to
    an old output start at zero, and new outputs as the model has initialised them.
    """
    wide = dict(weights)
    for name, fresh in model.state_dict().items():
        old = wide.get(name)
        if old is None or old.shape == fresh.shape or old.ndim != fresh.ndim:
            continue
        if all(small <= large for small, large in zip(old.shape, fresh.shape, strict=True)):
            value = fresh.clone()
            value[: len(old)] = 0
            value[tuple(slice(size) for size in old.shape)] = old
            wide[name] = value
    return wide


class _Curves:
    """Mean of every figure over ``every`` steps, one CSV line each."""

    def __init__(self, path: Path, every: int) -> None:
        self.path = path
        self.every = every
        self.sums: dict[str, float] = {}
        self.count = 0
        self.started = time.monotonic()

    def add(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1
        if self.count == self.every:
            seconds = time.monotonic() - self.started
            row = {"step": step, "steps_per_s": self.count / seconds}
            row.update({name: value / self.count for name, value in self.sums.items()})
            _append(self.path, row)
            self.sums, self.count, self.started = {}, 0, time.monotonic()


def _append(path: Path, row: dict[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as stream:
        writer = csv.writer(stream)
        if new:
            writer.writerow(row)
        writer.writerow([f"{value:.6g}" for value in row.values()])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m quantize.train", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="YAML, see quantize/configs")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all)")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        train(load_train_config(options.config))
    except EdgeSdkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
