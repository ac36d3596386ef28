# SPDX-License-Identifier: BSD-2-Clause
"""What the tables of a study hold, as data classes of NumPy arrays."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fare.files import Array


@dataclass(frozen=True)
class Bins:
    """Fine bins: blocks of cells of the grid, fixed before any sample was looked at. The last one of an axis
    may be narrower.
    """

    edges: tuple[Array, ...]
    """Boundaries of the bins, for each axis."""
    names: tuple[str, ...] = ()
    """Of the axes."""
    units: tuple[str, ...] = ()
    """Of the axes; empty where they have none."""

    @property
    def dimension(self) -> int:
        return len(self.edges)

    @property
    def extent(self) -> tuple[int, ...]:
        return tuple(len(edges) - 1 for edges in self.edges)

    @property
    def volumes(self) -> Array:
        """Of every bin; masses / volumes are densities."""
        volumes = np.ones(())
        for edges in self.edges:
            volumes = np.multiply.outer(volumes, np.diff(edges))
        return volumes

    def name(self, axis: int) -> str:
        return self.names[axis] if self.names else "xyz"[axis]

    def label(self, axis: int) -> str:
        """Name and unit of an axis, as figures write them."""
        unit = self.units[axis] if self.units else ""
        return f"{self.name(axis)} ({unit})" if unit else self.name(axis)

    def centres(self, axis: int = 0) -> Array:
        return 0.5 * (self.edges[axis][1:] + self.edges[axis][:-1])


@dataclass(frozen=True)
class Truth:
    """What the truth says of itself; arrays have one entry per time."""

    system: str
    cells: tuple[int, ...]
    tolerance: float
    seconds: float
    steps: int
    error: Array
    """Estimated L1 error of the density, the sum of what space and time contribute."""
    error_space: Array
    error_time: Array
    error_extrapolated: Array
    """Estimated L1 error of what others are compared with: `error` where that is not extrapolated."""
    mass_drift: Array
    minimum: Array
    boundary_mass: Array
    unresolved: str = ""
    """Why the estimate is out of its asymptotic range at some snapshot, and the cells to take; empty where it is not."""


@dataclass(frozen=True)
class Joint:
    """What a truth that is not one grid says of itself."""

    kind: str
    system: str
    seconds: float
    series: dict[str, Array]
    """By name, one entry per time: error, entropy and what else this kind knows."""


@dataclass(frozen=True)
class Ensemble:
    """A method and what it has cost: seconds of the slowest rank, evaluations of all ranks."""

    name: str
    sampler: str
    family: str
    particles: int
    train_seconds: float
    sample_seconds: float
    force_evaluations: int
    network_evaluations: int
    loss: Array | None = None
    """(n, 2): training step and smoothed loss, where something was learned."""
    failure: str = ""
    """Why the ensemble ended early; what is measured is NaN from there on."""

    @property
    def seconds(self) -> float:
        return self.train_seconds + self.sample_seconds


@dataclass(frozen=True)
class Measured:
    """One measure over time. The floor is what exact draws of the same number would have measured."""

    summary: str
    unit: str
    value: Array
    floor_mean: Array
    floor_high: Array
    """95% quantile of the floor."""
    p_value: Array
    """Fraction of exact draws that reach the value."""
    excess: Array
    """value - floor_mean"""
    truth_error: Array
    """How much the truth's own estimated error changes the value."""
    corrected: Array | None = None
    """value less its estimated bias. This and what follows is None where a result does not have it."""
    low: Array | None = None
    """95% interval of what infinitely many samples would show."""
    high: Array | None = None
    significance: Array | None = None
    """excess in standard deviations of the floor."""
    effective: Array | None = None
    """(sum w)^2 / sum w^2; infinite for a density."""
    independent: Array | None = None
    """As many independent samples as scatter like groups of these."""

    @property
    def floor_size(self) -> Array:
        """How large exact draws show the measure to be: of one without bias the floor's mean is 0, and its
        width is what counts.
        """
        return np.maximum(self.floor_mean, self.floor_high - self.floor_mean)

    @property
    def within_noise(self) -> Array:
        """True at times where the value could be that of exact draws (95%), the truth's own error allowed
        for.
        """
        return self.value <= self.floor_high + self.truth_error


@dataclass(frozen=True)
class OverTrainings(Measured):
    """Means over the trainings of one line, and the smallest and the largest value."""

    least: Array | None = None
    most: Array | None = None
    averages: tuple[float, ...] = ()
    """Over times, of each training."""


@dataclass(frozen=True)
class Comparison:
    """Samples of an ensemble (of = "samples"), or its model density ("density"), against "truth" or
    its own "target".
    """

    label: str
    ensemble: str
    of: str
    against: str
    samples: int
    """0 for a density, which has no noise."""
    measures: Mapping[str, Measured]


@dataclass(frozen=True)
class Ranked:
    """A line of the study's `ensembles` over its trainings, by the headline measure averaged over the judged
    times.
    """

    line: str
    place: int
    """From 1; lines that cannot be told apart share one. 0 where no training went through."""
    sampler: str
    family: str
    mode: str
    """Where the field comes from: "learned", "oracle" or "empirical"; "none" where nothing is learned."""
    particles: int
    seeds: int
    lost: int
    noise: bool
    """Cannot be told from exact samples."""
    mean: float
    spread: float
    """Standard deviation over trainings; NaN of a single one."""
    error: float
    floor: float
    excess: float
    truth_error: float
    factor: float
    """How many times closer to the truth than equilibrium sampling."""
    train_seconds: float
    sample_seconds: float
    force_evaluations: float
    network_evaluations: float
    converged: int = -1
    """Whether its samples have come to the density that its method aims at: 1, 0, or -1 where it aims at the truth or that is not known."""


@dataclass(frozen=True)
class Split:
    """Where the error of a line that learns comes from."""

    line: str
    oracle: str
    truth_error: float
    finite_samples: float
    method: float
    """What is left with the exact field."""
    learning: float
    training_set: float
    """The part of it that the best fit to the training set has, too; NaN where no line tells."""
    error: float


@dataclass(frozen=True)
class Estimated:
    """A row of the table of rare events: an estimator in one of its settings. NaN: not known."""

    estimator: str
    method: str
    event: str
    failure: str
    """Why there are no numbers; empty where there are."""
    runs: float
    rate: float
    """1: what is given are events per time, not probabilities."""
    estimate: float
    error: float
    low: float
    """95% interval, by a bootstrap where `normal` is 0."""
    high: float
    normal: float
    chain: float
    """Exact probability of the chain that is simulated; a prediction where `predicted` is 1."""
    chain_error: float
    predicted: float
    continuum: float
    """Exact probability in continuous time."""
    continuum_error: float
    z: float
    variance: float
    """Relative variance of one run."""
    variance_low: float
    variance_high: float
    cost: float
    """Steps of one run."""
    cost_10: float
    """Steps to a relative error of 10%."""
    path_cost: float
    """Steps of a path that is simulated plainly."""
    gain: float
    of_optimum: float
    zeros: float
    largest: float
    dt: float
    path_variance: float
    """Relative variance of one weight, of paths that are steered; NaN, as all below: they are not."""
    path_variance_error: float
    path_variance_tail: float
    """The same if logarithms of weights were normal: far above, the largest weights were not seen."""
    ess: float
    hits: float
    information: float
    learned_error: float
    """Root mean square of a learned committor's error, along paths of the event."""
    learned_start: float
    """Its logarithm at the start, less the grid's."""
    seconds: float

    @property
    def p(self) -> float:
        """Probability, or rate, as well as it is known: exact, else estimated."""
        known = (self.chain, self.continuum, self.estimate)
        return next((value for value in known if np.isfinite(value)), float("nan"))

    @property
    def plain_cost_10(self) -> float:
        """Steps that plain simulation takes to a relative error of 10%."""
        if not self.rate and self.p <= 0:
            return float("inf")
        return 100 * self.path_cost * (1 if self.rate else (1 - self.p) / self.p)


@dataclass(frozen=True)
class Designed:
    """What a design of observations can tell. Eigenvalues are of one particle's information, in units of scales."""

    inference: str
    design: str
    parameters: list[str]
    eigenvalues: list[float]
    errors: list[float]
    """What is not above its error is 0."""
    variances: list[float]
    """Relative, by all particles; infinite: undetermined."""
    scales: list[float]

    @property
    def deviations(self) -> list[float]:
        """Predicted relative standard deviations."""
        return [v**0.5 for v in self.variances]


@dataclass(frozen=True)
class Inferred:
    """A row of the table of inferences: a parameter, as one method found it at one lag. NaN: not known."""

    inference: str
    method: str
    parameter: str
    failure: str
    """Why there are no numbers; empty where there are."""
    knot: float
    """Where it is the value of a potential without a formula; NaN: it is another parameter."""
    lag: float
    """Between observations; 0: as they come."""
    pairs: float
    sets: float
    """Independent sets of data."""
    truth: float
    limit: float
    """What the method finds in infinitely many data."""
    limit_error: float
    estimate: float
    """Mean over sets."""
    error: float
    """Standard error of one set."""
    low: float
    """95% interval of the first set."""
    high: float
    spread: float
    """Standard deviation over sets."""
    covered: float
    """Share of the sets whose interval holds the truth."""
    grid: float
    """Error that cells make, or kernels; NaN where a method has none."""
    log_likelihood: float
    implied: float
    """Diffusion that a setting of the method claims."""
    seconds: float
    posterior_mean: float
    posterior_sd: float
    posterior_error: float
    """Of the mean, by the number of draws; NaN: there are none."""
    posterior_low: float
    posterior_high: float
    posterior_low_error: float
    posterior_high_error: float
    posterior_r_hat: float
    posterior_effective: float
    posterior_covered: float


@dataclass(frozen=True)
class Potential:
    """A potential without a formula, as one method found it at one lag, at places x. Its mean over the density is 0.
    NaN: not known.
    """

    inference: str
    method: str
    lag: float
    """Between observations; 0: as they come."""
    knots: float
    sets: float
    """Independent sets of data; the curves are of the first."""
    smoothness: float
    """Weight of the penalty on roughness."""
    chosen: float
    """1: by the marginal likelihood; 0: it was given."""
    effective: float
    """Parameters that the penalty leaves the spline."""
    error: float
    """Of the drift, root mean square over the density, relative to the true drift."""
    error_sd: float
    """Its standard deviation, over sets or as the covariance predicts it."""
    expected: float
    """That error, as the covariance predicts it."""
    alone: float
    """The least such error of any spline with these knots."""
    grid: float
    """The part of that error that the cells make."""
    covered_potential: float
    """Share of sets and density where the 95% band holds the true potential."""
    covered_drift: float
    unseen: float
    """Knots with less than one observation near them: the bands there come from the penalty."""
    outside: float
    """Share of the observations beyond the knots."""
    x: Array
    density: Array
    """Of the observations."""
    potential: Array
    potential_error: Array
    """Standard deviation."""
    drift: Array
    drift_error: Array
    """Standard deviation."""
    true_potential: Array
    true_drift: Array
