#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Conditional flow matching in PyTorch, trained on what FARE exports and scored by FARE:

    fare export out/prinz_driven --out training.h5
    python3 postproc/examples/torch_flow_matching.py training.h5 mine.h5
    fare score out/prinz_driven mine.h5

A network learns the velocity v(x, tau, t) that carries noise (tau = 0) to the density at physical time t (tau
= 1) along straight lines x = (1 - tau) z + tau x_1, by regression on x_1 - z (Lipman et al., ICLR 2023). t is
a feature, so times held out are interpolated. Samples solve dx/dtau = v by the midpoint rule. In Debian and
Ubuntu PyTorch is the package python3-torch.
"""
from __future__ import annotations

import argparse
import math
import sys
from typing import Any

import h5py
import numpy as np

try:
    import torch
except ImportError:
    sys.exit(
        "torch_flow_matching.py needs PyTorch (Debian and Ubuntu: apt install python3-torch)"
    )

from fare.samples import write_samples


class Velocity(torch.nn.Module):  # type: ignore[misc]
    """x in units of the data, tau and t in [0, 1]; of all three also sines and cosines, without which narrow
    wells are learned slowly.
    """

    def __init__(self, dimension: int, width: int, frequencies: int = 6) -> None:
        super().__init__()
        self.register_buffer("frequency", math.pi * torch.arange(1.0, frequencies + 1))
        inputs, layers = dimension + 2 * (dimension + 2) * frequencies, []
        for _ in range(3):
            layers += [torch.nn.Linear(inputs, width), torch.nn.SiLU()]
            inputs = width
        self.network = torch.nn.Sequential(*layers, torch.nn.Linear(width, dimension))

    def forward(self, x: torch.Tensor, tau: torch.Tensor, t: torch.Tensor) -> Any:
        phases = torch.cat(
            [
                tau * self.frequency,
                t * self.frequency,
                (0.5 * x[:, :, None] * self.frequency).flatten(1),
            ],
            dim=1,
        )
        return self.network(torch.cat([x, phases.sin(), phases.cos()], dim=1))


def train(
    data: torch.Tensor, t: torch.Tensor, width: int, steps: int, batch: int
) -> tuple[Velocity, float]:
    """data (T, n, d), normalised; t (T, 1). Returns the average of the weights over training, which is
    smoother than the last ones.
    """
    model = Velocity(data.shape[2], width)
    average = Velocity(data.shape[2], width)
    average.load_state_dict(model.state_dict())
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        k = torch.randint(data.shape[0], (batch,))
        x1 = data[k, torch.randint(data.shape[1], (batch,))]
        z, tau = torch.randn_like(x1), torch.rand(batch, 1)
        loss = (model((1 - tau) * z + tau * x1, tau, t[k]) - (x1 - z)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        decay = min(0.999, step / (step + 10))
        with torch.no_grad():
            for mean, parameter in zip(average.parameters(), model.parameters()):
                mean.lerp_(parameter, 1 - decay)
    return average, loss.item()


@torch.no_grad()  # type: ignore[misc]
def sample(
    model: Velocity, t: torch.Tensor, n: int, dimension: int, steps: int = 32
) -> torch.Tensor:
    x, h = torch.randn(n, dimension), 1 / steps
    t = t.expand(n, 1)
    for step in range(steps):
        tau = torch.full((n, 1), step * h)
        middle = x + 0.5 * h * model(x, tau, t)
        x = x + h * model(middle, tau + 0.5 * h, t)
    return x


def main() -> None:
    options = argparse.ArgumentParser(
        description="Conditional flow matching on a training set of `fare export`."
    )
    options.add_argument("training")
    options.add_argument("samples")
    options.add_argument("--steps", type=int, default=4000)
    options.add_argument("--width", type=int, default=64)
    options.add_argument("--batch", type=int, default=512)
    options.add_argument(
        "--count", type=int, default=20000, help="samples at each time"
    )
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    torch.manual_seed(asked.seed)
    with h5py.File(asked.training) as file:
        times, trained, data = (
            file["times"][:],
            file["trained"][:].astype(bool),
            file["samples"][:][file["trained"][:] == 1],
        )
    centre, scale = data.mean(axis=(0, 1)), data.std(axis=(0, 1))
    t = torch.tensor((times - times[0]) / (times[-1] - times[0]), dtype=torch.float32)[
        :, None
    ]
    normalised = torch.tensor((data - centre) / scale, dtype=torch.float32)
    model, loss = train(
        normalised,
        t[torch.from_numpy(np.flatnonzero(trained))],
        asked.width,
        asked.steps,
        asked.batch,
    )
    samples = np.stack(
        [
            sample(model, at[None], asked.count, data.shape[2]).numpy() * scale + centre
            for at in t
        ]
    )
    write_samples(asked.samples, times, samples)
    print(
        f"{asked.samples}: {asked.count} samples at each of {len(times)} times, learned from"
        f" {trained.sum()} of them, last loss {loss:.3f}"
    )


if __name__ == "__main__":
    main()
