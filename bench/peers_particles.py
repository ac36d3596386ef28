# SPDX-License-Identifier: BSD-2-Clause
"""The engines of peers.py beside FARE for particles: steps of Euler and Maruyama in the driven Prinz potential."""
from __future__ import annotations

import math
import time
import typing

import numpy as np
from peers_cases import prinz_slope


def force(xp, x, t):
    return -4 * prinz_slope(xp, x) + 4 * xp.sin(2 * np.pi * t)


def jax_particles(dtype: str, count: int, steps: int, dt: float, _: str) -> typing.Callable[[], None]:
    import jax

    jax.config.update("jax_enable_x64", dtype == "float64")
    jnp = jax.numpy

    def step(carry, n):
        x, key = carry
        noise = jax.random.normal(jax.random.fold_in(key, n), x.shape, dtype)
        t = (n * dt).astype(dtype)
        return (x + dt * force(jnp, x, t) + math.sqrt(2 * dt) * noise, key), None

    @jax.jit
    def walk(x, key):
        return jax.lax.scan(step, (x, key), jnp.arange(steps))[0][0]

    x, key = jnp.full(count, 0.7, dtype), jax.random.key(1)
    compiled = walk.lower(x, key).compile()
    return lambda: compiled(x, key).block_until_ready()


def torch_particles(dtype: str, count: int, steps: int, dt: float, kind: str) -> typing.Callable[[], None]:
    import torch

    torch.set_num_threads(1)

    def step(x, t):
        return x + dt * force(torch, x, t) + math.sqrt(2 * dt) * torch.randn_like(x)

    if kind == "compiled":
        step = torch.compile(step)
    x = torch.full((count,), 0.7, dtype=getattr(torch, dtype))
    times = dt * torch.arange(steps, dtype=x.dtype)

    def walk() -> None:
        at = x
        with torch.no_grad():
            for t in times:
                at = step(at, t)

    with torch.no_grad():
        step(x, times[0])
    return walk


ENGINES = {
    "JAX": ("jax", jax_particles, ("compiled",)),
    "PyTorch": ("torch", torch_particles, ("eager", "compiled")),
}


def measure(engine: str, dtype: str, kind: str, connection) -> None:
    """A process of its own: the least nanoseconds of the processor for one step of one particle."""
    best, counts = math.inf, (4096, 65536)
    try:
        for count in counts:
            steps = 400 * counts[0] // count + 100
            walk = ENGINES[engine][1](dtype, count, steps, 1e-4, kind)
            for _ in range(3):
                began = time.process_time()
                walk()
                best = min(best, (time.process_time() - began) / steps / count)
        connection.send(1e9 * best)
    except Exception as reason:  # noqa: BLE001 - of any package
        connection.send(f"failed: {str(reason).splitlines()[:1]}")
