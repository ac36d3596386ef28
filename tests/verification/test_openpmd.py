#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Snapshots of tiny studies in one, two and three dimensions against the openPMD standard 1.1.0, rule by rule.
fare-test: labels=verification timeout=120
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import h5py
import numpy as np

from launch import FARE

AXES = ("x", "y", "z")
LOWER, UPPER, COUNT = -6.0, 6.5, 700
CELLS = {1: [64], 2: [20, 24], 3: [20, 10, 12]}
PLAIN = {"density", "density_error"}
# where there are cells enough for three grids
MESHES = {1: PLAIN | {"density_extrapolated", "density_extrapolated_error"}, 2: PLAIN, 3: PLAIN}


def study(dim, where):
    """A tiny study's last snapshot."""
    text = f"""\
study: tiny
system: {{name: ornstein_uhlenbeck, dimension: {dim}}}
drive: [{{parameter: centre, waveform: sine, amplitude: 1, period: 1}}]
snapshots: {{start: 1.0, end: 1.25, count: 2}}
truth: {{cells: {CELLS[dim]}, lower: {[LOWER] * dim}, upper: {[UPPER] * dim}, tolerance: 1e-4}}
ensembles:
  - {{name: walk, sampler: langevin, particles: {COUNT}, dt: 0.01}}
  - {{name: rest-2, sampler: boltzmann, particles: {COUNT}, sweeps: 2, adaptation: 1}}
measures: []
output: {{directory: out{dim}}}
"""
    (where / "study.yaml").write_text(text)
    done = subprocess.run(
        [FARE, "run", "study.yaml", "--no-report"], cwd=where, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    files = sorted((where / f"out{dim}" / "snapshots").iterdir())
    assert [f.name for f in files] == ["snapshot_000000.h5", "snapshot_000001.h5"], files
    return files[1]


def is_text(value, *allowed):
    """Fixed-length ASCII, scalar; variable-length strings arrive as str and one-element ones as arrays."""
    return isinstance(value, np.bytes_) and (not allowed or value.decode("ascii") in allowed)


def is_float(value, shape=()):
    return (
        isinstance(value, (np.floating, np.ndarray))
        and value.dtype.kind == "f"
        and np.shape(value) == shape
        and bool(np.all(np.isfinite(value)))
    )


def is_float64(value, shape=()):
    return is_float(value, shape) and value.dtype == np.float64


class Rules:
    def __init__(self, file):
        self.file, self.checked, self.broken = file, 0, []

    def holds(self, rule, truth):
        self.checked += 1
        if not truth:
            self.broken.append(rule)

    def attribute(self, node, name, test, *arguments):
        value = node.attrs.get(name)
        self.holds(f"{node.name}: {name} = {value!r}", value is not None and test(value, *arguments))
        return value

    def record(self, node):
        unit = self.attribute(node, "unitDimension", is_float64, (7,))
        self.holds(f"{node.name}: dimensionless", unit is not None and not np.any(unit))
        self.attribute(node, "timeOffset", is_float)

    def component(self, node, shape):
        """A dataset, or an empty group with value and shape where it is constant."""
        self.attribute(node, "unitSI", is_float64)
        if isinstance(node, h5py.Group):
            self.holds(f"{node.name}: a constant component is empty", len(node) == 0)
            self.attribute(node, "value", lambda v: np.shape(v) == () and np.dtype(type(v)).kind in "fui")
            self.attribute(
                node,
                "shape",
                lambda v: isinstance(v, np.ndarray) and v.dtype == np.uint64 and tuple(v) == shape,
            )
        else:
            self.holds(f"{node.name}: shape {node.shape}, expected {shape}", node.shape == shape)


def values(node):
    return (
        np.full(tuple(node.attrs["shape"]), node.attrs["value"]) if isinstance(node, h5py.Group) else node[()]
    )


def check_root(rules, dim):
    root = rules.file["/"]
    rules.attribute(root, "openPMD", is_text, "1.1.0")
    rules.attribute(root, "openPMDextension", lambda v: isinstance(v, np.uint32) and v == 0)
    rules.attribute(root, "basePath", is_text, "/data/%T/")
    rules.attribute(root, "meshesPath", is_text, "meshes/")
    rules.attribute(root, "particlesPath", is_text, "particles/")
    rules.attribute(root, "iterationEncoding", is_text, "fileBased")
    pattern = rules.attribute(root, "iterationFormat", is_text)
    name = re.sub(r"%0?(\d*)T", lambda m: f"{1:0{m.group(1) or 1}d}", pattern.decode())
    rules.holds(
        f"iterationFormat {pattern} gives the file's name", name == pathlib.Path(rules.file.filename).name
    )
    rules.attribute(root, "author", is_text)
    rules.attribute(root, "software", is_text, "FARE")
    rules.attribute(root, "softwareVersion", is_text)
    rules.attribute(
        root,
        "date",
        lambda v: is_text(v) and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}", v.decode()),
    )
    rules.holds("names under /data are integers", list(rules.file["data"]) == ["1"])
    rules.holds(
        "what is beside /data is FARE's own, its axes, and second names of meshes",
        {"data", "fare"} == set(root) - {"x", "y", "z", *MESHES[dim]},
    )
    mesh = rules.file["data/1/meshes/density"]
    rules.holds("the second name is of the same mesh", root["density"] == mesh)
    rules.holds("axes are labelled", [list(d) for d in mesh.dims] == [[d.label] for d in mesh.dims])


def check_iteration(rules, step):
    rules.attribute(step, "time", is_float64)
    rules.attribute(step, "dt", is_float64)
    rules.attribute(step, "timeUnitSI", is_float64)
    rules.holds("time and dt", step.attrs["time"] == 1.25 and step.attrs["dt"] == 0.25)
    rules.holds("the paths that are named exist", {"meshes", "particles"} == set(step))


def check_mesh(rules, mesh, dim):
    rules.record(mesh)
    rules.attribute(mesh, "geometry", is_text, "cartesian")
    rules.attribute(mesh, "dataOrder", is_text, "C")
    labels = rules.attribute(
        mesh, "axisLabels", lambda v: isinstance(v, np.ndarray) and v.dtype.kind == "S" and v.shape == (dim,)
    )
    order = [AXES.index(label.decode()) for label in labels]  # of the extents, slowest first
    rules.holds(f"{mesh.name}: axes {labels}", sorted(order) == list(range(dim)))
    extents = tuple(CELLS[dim][axis] for axis in order)
    rules.component(mesh, extents)
    spacing = rules.attribute(mesh, "gridSpacing", is_float, (dim,))
    offset = rules.attribute(mesh, "gridGlobalOffset", is_float64, (dim,))
    rules.attribute(mesh, "gridUnitSI", is_float64)
    position = rules.attribute(mesh, "position", is_float, (dim,))
    rules.holds(f"{mesh.name}: cell averages stand at 0.5", np.all(position == 0.5))
    rules.holds(
        f"{mesh.name}: the box",
        np.all(offset == LOWER) and np.allclose(offset + spacing * extents, UPPER, rtol=1e-14),
    )


def check_density(rules, mesh, dim):
    """The trap of stiffness 1 is dragged along x alone: its mean there obeys m' = sin(2 pi t) - m, m(1) = 0.
    A swap of axes would show.
    """
    w = 2 * np.pi
    t = 0.25
    mean = (np.sin(w * t) - w * np.cos(w * t) + w * np.exp(-t)) / (1 + w * w)
    density = mesh[()]
    spacing, offset = mesh.attrs["gridSpacing"], mesh.attrs["gridGlobalOffset"]
    mass = density * np.prod(spacing)
    rules.holds(f"{mesh.name}: masses sum to 1", abs(mass.sum() - 1) < 1e-12)
    for i in range(dim):
        centres = offset[i] + spacing[i] * (np.arange(density.shape[i]) + mesh.attrs["position"][i])
        marginal = mass.sum(tuple(k for k in range(dim) if k != i))
        m = (marginal * centres).sum()
        expected = mean if mesh.attrs["axisLabels"][i] == b"x" else 0
        rules.holds(
            f"{mesh.name}: mean {m} along {mesh.attrs['axisLabels'][i]}, expected {expected}",
            abs(m - expected) < 0.02 * spacing[i],
        )


def check_species(rules, species, dim):
    components = set(AXES[:dim])
    for name in ("position", "positionOffset"):
        rules.record(species[name])
        rules.holds(
            f"{species.name}/{name} has {components}",
            isinstance(species[name], h5py.Group) and set(species[name]) == components,
        )
        for axis in components:
            rules.component(species[name][axis], (COUNT,))
    for name in ("weighting", "id"):
        rules.record(species[name])
        rules.component(species[name], (COUNT,))
    rules.holds(
        f"{species.name}: id",
        species["id"].dtype == np.uint64 and np.array_equal(species["id"][()], np.arange(COUNT)),
    )
    for name in ("position", "positionOffset", "weighting", "id"):
        weight = name == "weighting"
        rules.attribute(
            species[name], "macroWeighted", lambda v, w=weight: isinstance(v, np.uint32) and v == w
        )
        rules.attribute(species[name], "weightingPower", lambda v, w=weight: is_float64(v) and v == w)
    check_patches(rules, species, components)


def check_patches(rules, species, components):
    """Every particle lies in its patch, of which the lower bound is included and the upper one is not."""
    patches = species["particlePatches"]
    number, first = patches["numParticles"], patches["numParticlesOffset"]
    for node in (number, first):
        rules.holds(f"{node.name}: {node.dtype}", node.dtype == np.uint64 and node.ndim == 1)
        rules.component(node, number.shape)
    rules.holds(
        f"{patches.name}: patches cover all particles",
        number[()].sum() == COUNT and np.array_equal(first[()], np.cumsum(number[()]) - number[()]),
    )
    for name in ("offset", "extent"):
        rules.record(patches[name])
        rules.holds(f"{patches.name}/{name} has {components}", set(patches[name]) == components)
        for axis in components:
            rules.component(patches[name][axis], number.shape)
    for axis in components:
        place = values(species["position"][axis]) + values(species["positionOffset"][axis])
        for n, start, lower, extent in zip(
            number[()], first[()], patches["offset"][axis][()], patches["extent"][axis][()]
        ):
            inside = place[int(start) : int(start + n)]
            rules.holds(
                f"{patches.name}: [{lower}, {lower + extent}) along {axis}",
                np.all(inside >= lower) and np.all(inside < lower + extent),
            )


def check(path, dim):
    with h5py.File(path, "r") as file:
        rules = Rules(file)
        check_root(rules, dim)
        step = file["data/1"]
        check_iteration(rules, step)
        rules.holds("meshes", set(step["meshes"]) == MESHES[dim])
        for mesh in step["meshes"].values():
            check_mesh(rules, mesh, dim)
        check_density(rules, step["meshes/density"], dim)
        rules.holds("species", set(step["particles"]) == {"walk", "rest-2"})
        for species in step["particles"].values():
            check_species(rules, species, dim)
    for rule in rules.broken:
        print(f"FAILED in {dim} dimension{'s' if dim > 1 else ''}: {rule}")
    return rules.checked, len(rules.broken)


def validate(paths):
    """The standard's own validator, where it is installed; its exit status is the number of errors."""
    found = subprocess.run(
        [sys.executable, "-c", "import openpmd_validator"], capture_output=True, check=False
    )
    if found.returncode:
        print("the openPMD validator is not installed; checked by FARE's own rules alone")
        return 0
    errors = 0
    for path in paths:
        done = subprocess.run(
            [sys.executable, "-m", "openpmd_validator.check_h5", "-i", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        if "Result: 0 Errors" not in done.stdout:
            print(done.stdout, done.stderr)
            errors += 1
    print(f"the openPMD validator refuses {errors} of {len(paths)} files")
    return errors


def main():
    failures = 0
    with tempfile.TemporaryDirectory(prefix="fare-openpmd-") as name:
        where, paths = pathlib.Path(name), []
        for dim in CELLS:
            paths.append(study(dim, where))
            checked, broken = check(paths[-1], dim)
            print(f"{dim} dimension{'s' if dim > 1 else ''}: {checked} rules, {broken} broken")
            failures += broken
        failures += validate(paths)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
