# SPDX-License-Identifier: BSD-2-Clause
"""The program `fare` from Python: run, check and describe, with errors as exceptions.

    study = fare.run("input/prinz_driven.yaml", ranks=4, truth__cells=2048)
    plan = fare.check({"study": "mine", "system": {"name": "prinz"}, ...})
"""
from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Union

from fare.files import FareError

if TYPE_CHECKING:
    from fare.study import Study, Sweep

StudyFile = Union[str, "os.PathLike[str]", Mapping[str, Any]]
Progress = Callable[[float, str], None]

ALONE = {  # a process alone needs no network and no daemon, and starts four times as fast without looking
    "OMPI_MCA_ess_singleton_isolated": "1",
    "OMPI_MCA_orte_create_session_dirs": "0",
    "OMPI_MCA_pml": "ob1",
    "OMPI_MCA_btl": "self",
}
PLACE = re.compile(r"^(?P<file>[^:\n]+):(?P<line>\d+):(?P<column>\d+): (?P<text>.*)$")
PERCENT = re.compile(r"\[ *[\d.]+ s\] (?P<what>.*?) +(?P<percent>\d+) %, (?P<left>.*)")
STOPPED = 75  # the exit code of a study that stopped on request
PATIENCE = 20.0  # seconds that a cancelled job has to write its checkpoint


class CommandError(FareError):
    """What `fare` said was wrong. `file`, `line`, `column` and `source`, the text of that line, are there where
    a study file is to blame; `code` is the exit code: 2 for bad input, 1 for a failure.
    """

    def __init__(self, text: str, code: int = 1):
        super().__init__(text)
        self.code = code
        self.file: str | None = None
        self.line: int | None = None
        self.column: int | None = None
        self.text, self.source = text, ""
        if place := PLACE.match(text):
            self.file, self.text = place["file"], place["text"]
            self.line, self.column = int(place["line"]), int(place["column"])
            with contextlib.suppress(OSError, IndexError):
                lines = pathlib.Path(self.file).read_text(errors="replace").splitlines()
                self.source = lines[self.line - 1]


class Cancelled(FareError):
    """The study stopped on request. Run it again with resume=True to go on."""


def program() -> str:
    """The command `fare`: FARE_COMMAND, the one of the tree that holds this package, or the one on PATH."""
    if told := os.environ.get("FARE_COMMAND"):
        return told
    package = pathlib.Path(__file__).resolve().parent
    for place in (package.parents[1] / "build" / "bin" / "fare", package.parents[3] / "bin" / "fare"):
        if os.access(place, os.X_OK):
            return str(place)
    if found := shutil.which("fare"):
        return found
    raise FareError("the program fare was not found; put it on PATH, or its path into FARE_COMMAND")


def _launcher(ranks: int, launcher: Sequence[str] | None) -> list[str]:
    if launcher is not None:
        return list(launcher)
    if ranks == 1:
        return []
    return [*shlex.split(os.environ.get("FARE_MPIEXEC", "mpirun")), "-n", str(ranks)]


def _environment(launch: Sequence[str]) -> dict[str, str]:
    return {**os.environ, **({} if launch else ALONE)}


def _error(said: str, code: int) -> CommandError:
    """The line that begins with "fare: ", or all that was said where there is none."""
    own = [line[6:] for line in said.splitlines() if line.startswith("fare: ")]
    lines = said.strip().splitlines()
    return CommandError(own[-1] if own else lines[-1] if lines else f"fare ended with code {code}", code)


def call(*words: object, ranks: int = 1, launcher: Sequence[str] | None = None) -> str:
    """What `fare WORDS` prints. It ends with this call, also where that is interrupted. Raises CommandError."""
    launch = _launcher(ranks, launcher)
    with subprocess.Popen(
        [*launch, program(), *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(launch),
        start_new_session=True,
        text=True,
        errors="replace",
    ) as process:
        try:
            out, said = process.communicate()
        except BaseException:
            _end(process, signal.SIGTERM, patience=2.0)
            raise
    if process.returncode:
        raise _error(said, process.returncode)
    for line in said.splitlines():
        if "s] warning: " in line:
            warnings.warn(line.partition("warning: ")[2], stacklevel=3)
    return out


def _end(process: subprocess.Popen[Any], first: signal.Signals, patience: float) -> None:
    """Asks a job to end, then insists. mpirun passes both requests on to its ranks."""
    for number, seconds in ((first, patience), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number) if number == signal.SIGKILL else process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return


def _value(value: object) -> str:
    """As YAML, of which JSON is a part."""
    return value if isinstance(value, str) else json.dumps(value)


def assignments(overrides: Mapping[str, Any]) -> list[str]:
    """truth__cells=64 and **{"truth.cells": 64} are --set truth.cells=64."""
    return [
        word
        for key, value in overrides.items()
        for word in ("--set", f"{key.replace('__', '.')}={_value(value)}")
    ]


def _with_full_paths(study: Mapping[str, Any]) -> dict[str, Any]:
    """Files of drives, which start from the study file, from the working directory: a dict has no place."""
    drives = study.get("drive")
    if not isinstance(drives, list):
        return dict(study)
    return {
        **study,
        "drive": [
            (
                {**drive, "file": os.path.abspath(drive["file"])}
                if isinstance(drive, Mapping) and isinstance(drive.get("file"), (str, os.PathLike))
                else drive
            )
            for drive in drives
        ],
    }


class _StudyFile:
    """The path of a study file. That of a dict lives as long as this."""

    def __init__(self, study: StudyFile):
        self._place: tempfile.TemporaryDirectory[str] | None = None
        if not isinstance(study, Mapping):
            self.path = os.fspath(study)
            return
        self._place = tempfile.TemporaryDirectory(prefix="fare-")
        self.path = str(pathlib.Path(self._place.name) / "study.yaml")
        pathlib.Path(self.path).write_text(json.dumps(_with_full_paths(study), indent=1) + "\n")

    def close(self) -> None:
        if self._place:
            self._place.cleanup()

    def __enter__(self) -> str:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class Plan:
    """What `fare check` finds: the resolved plan as YAML, what it takes, and why `fare run` would refuse it."""

    plan: str
    estimate: str
    refusal: str

    @property
    def sound(self) -> bool:
        return not self.refusal


def check(study: StudyFile, ranks: int = 1, **overrides: Any) -> Plan:
    """Reads and checks a study, a file or a dict; runs nothing. Raises CommandError where it is not sound."""
    with _StudyFile(study) as path:
        said = call("check", path, *assignments(overrides), ranks=ranks)
    plan, _, rest = said.partition("\n\n")
    estimate, _, verdict = rest.rstrip().rpartition("\n\n")
    refusal = verdict.partition("would refuse: ")[2] if "would refuse: " in verdict else ""
    return Plan(plan + "\n", estimate + "\n", refusal)


def describe(kind: str, name: str = "") -> str:
    """What `fare describe KIND NAME` says, of a system, sampler, measure or waveform."""
    return call("describe", kind, *([name] if name else []))


class Job:
    """A study that is running. `wait` gives the study; `cancel` ends the job with a checkpoint."""

    def __init__(
        self,
        process: subprocess.Popen[str],
        file: _StudyFile,
        directory: str,
        swept: bool,
        report: Progress | None,
    ):
        self.directory = directory
        self._file, self._swept = file, swept
        self.fraction = 0.0  # of what is under way
        self._cancelled = False
        self.log: list[str] = []
        self._process, self._report, self._said = process, report, [""]
        self._readers = [threading.Thread(target=each, daemon=True) for each in (self._follow, self._listen)]
        for reader in self._readers:
            reader.start()

    def _follow(self) -> None:
        """Lines of a log, and those that a terminal would rewrite."""
        assert self._process.stdout
        for line in self._process.stdout:  # universal newlines: \r ends one, too
            line = re.sub(r"\x1b\[K", "", line).rstrip()
            if found := PERCENT.search(line):
                self.fraction = int(found["percent"]) / 100
                self._tell(f"{found['what']}, {found['left']}")
            elif line:
                self.log.append(line)

    def _tell(self, text: str) -> None:
        if self._report:
            self._report(self.fraction, text)

    def _listen(self) -> None:
        assert self._process.stderr
        self._said[0] = self._process.stderr.read()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def cancel(self) -> None:
        """Returns when all processes of the job have ended: with a checkpoint, if that takes no longer than
        PATIENCE.
        """
        self._cancelled = self.running
        _end(self._process, signal.SIGUSR1, PATIENCE)

    def wait(self) -> Study | Sweep:
        """The study or sweep, when it is done. An interrupt cancels the job. Raises CommandError or Cancelled."""
        try:
            while self._process.poll() is None:
                time.sleep(0.02)
        except BaseException:
            self.cancel()
            raise
        finally:
            for reader in self._readers:
                reader.join(1.0)
            self._file.close()
        code = self._process.returncode
        if code == STOPPED or code < 0 or (code and self._cancelled):  # mpirun's own may be any
            raise Cancelled(f"{self.directory}: stopped on request; resume=True goes on")
        if code:
            raise _error(self._said[0], code)
        from fare import study

        return study.Sweep(self.directory) if self._swept else study.Study(self.directory)


def _print(fraction: float, text: str) -> None:
    print(f"\r{100 * fraction:3.0f} % {text}\033[K", end="", file=sys.stderr, flush=True)


def start(
    study: StudyFile,
    ranks: int = 1,
    *,
    resume: bool = False,
    overwrite: bool = False,
    report: bool = False,
    progress: bool | Progress = False,
    launcher: Sequence[str] | None = None,
    **overrides: Any,
) -> Job:
    """As `run`, but does not wait."""
    file = _StudyFile(study)
    directory, swept = _directory(file.path, overrides)
    launch = _launcher(ranks, launcher)
    words = [*launch, program(), "run", file.path, *assignments(overrides)]
    words += ["--resume"] * resume + ["--overwrite"] * overwrite + ["--no-report"] * (not report)
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**_environment(launch), "FARE_PROGRESS": "terminal"},
        start_new_session=True,  # an interrupt is for Python, which ends the job in good order
        text=True,
        errors="replace",
    )
    return Job(process, file, directory, swept, _print if progress is True else progress or None)


def _directory(path: str, overrides: Mapping[str, Any]) -> tuple[str, bool]:
    """Where the study writes, and whether it is a sweep. Raises CommandError where it is not sound."""
    text = call("check", path, *assignments(overrides))
    found = re.search(r"^output:\n  directory: '?(.*?)'?$", text, re.MULTILINE)
    if found is None:
        raise FareError(f"{path}: fare check names no directory")
    swept = text.startswith("# A sweep")
    return (os.path.dirname(found[1]) if swept else found[1]), swept


def run(study: StudyFile, ranks: int = 1, **options: Any) -> Study | Sweep:
    """Runs a study or a sweep to its end and opens it.

    study: the path of a study file, or what it holds as a dict.
    ranks: processes, started by mpirun; `launcher` replaces it, as ["srun", "--mpi=pmix"].
    resume, overwrite: as of `fare run`; without either an existing directory is refused.
    report: whether report.html and figures are drawn.
    progress: True prints it; a function gets the fraction done and a text.
    Other options are keys of the study: snapshots__count=11 or **{"snapshots.count": 11}.

    Raises CommandError, with the line of the study file to blame, or Cancelled. An interrupt (Ctrl-C) ends the
    job, with a checkpoint if there is time, and is raised again.
    """
    job = start(study, ranks, **options)
    try:
        return job.wait()
    finally:
        if options.get("progress") is True:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
