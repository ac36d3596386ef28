# SPDX-License-Identifier: BSD-2-Clause
"""The process that FARE starts to call a user's functions. It reads requests from file 3 and answers there.

A request is a line of numbers, REQUEST, and a payload; an answer is REPLY and a payload. What the user's code
prints goes to standard error.
"""
from __future__ import annotations

import ctypes
import importlib
import inspect
import json
import os
import pickle
import random
import signal
import struct
import sys
import traceback
import types
from typing import Any

REQUEST = struct.Struct("=qdqqqq")  # what, time, count, seed, axes, bytes that follow
REPLY = struct.Struct("=qq")  # 0: done, 1: failed; bytes that follow
LOAD, SAMPLE, TRAIN, USE, DENSITY, PARAMETERS = range(6)
CHANNEL = 3
LONGEST = 1000  # characters of an error


class Refused(Exception):
    """What a function returned cannot be used."""


class User:
    """The functions of a user, and what they have learned."""

    def __init__(self, names: dict[str, str]) -> None:
        self.directory = names["path"]
        self.names = names
        sys.path[:1] = [self.directory]
        self.functions = {what: self.find(names[what]) for what in names if what != "path"}
        self.wants = {what: self.asks(function) for what, function in self.functions.items()}
        self.model: list[Any] = []
        self.parameters: dict[str, float] = {}

    @staticmethod
    def find(name: str) -> Any:
        module, _, function = name.partition(":")
        found: Any = importlib.import_module(module)
        for part in function.split("."):
            if not hasattr(found, part):
                raise Refused(f"{module} ({getattr(found, '__file__', '?')}) has no '{function}'")
            found = getattr(found, part)
        if not callable(found):
            raise Refused(f"'{name}' is no function")
        return found

    @staticmethod
    def asks(function: Any) -> bool:
        """Whether a function has a keyword-only argument for the parameters of the system at its time."""
        try:
            found = inspect.signature(function).parameters.get("parameters")
        except (TypeError, ValueError):
            return False  # a function of C, say
        return found is not None and found.kind is found.KEYWORD_ONLY

    def call(self, what: str, *arguments: Any) -> Any:
        told = {"parameters": dict(self.parameters)} if self.wants[what] and what != "train" else {}
        return self.functions[what](*arguments, *self.model, **told)


def receive(size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        got = os.readv(CHANNEL, [view[: 1 << 24]])
        if not got:
            sys.exit()  # FARE needs it no more
        view = view[got:]
    return data


def send(status: int, *payload: Any) -> None:
    views = [memoryview(part).cast("B") for part in payload if len(part)]
    for view in [memoryview(REPLY.pack(status, sum(map(len, views)))), *views]:
        while view:
            view = view[os.write(CHANNEL, view[: 1 << 24]) :]


def seed_all(seed: int) -> None:
    """Global generators, for functions that use them in spite of the seed they are given."""
    random.seed(seed)
    numpy.random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def numbers(name: str, got: Any) -> Any:
    """Anything like an array as one of real numbers."""
    if hasattr(got, "detach"):
        got = got.detach().cpu()
        got = got.float() if "bfloat16" in str(got.dtype) else got
    if numpy.ma.is_masked(got):
        raise Refused(f"{name} returned masked values, expected real numbers")
    array = numpy.asarray(got)
    if array.dtype.kind == "O" and array.size:
        array = array.astype(float)
    if array.dtype.kind in "iub":
        raise Refused(f"{name} returned {array.dtype}, expected floating-point numbers (not labels or bins)")
    if array.dtype.kind != "f":
        raise Refused(f"{name} returned {type(got).__name__} of {array.dtype}, expected real numbers")
    return numpy.ascontiguousarray(array, dtype=numpy.float64)


def shaped(name: str, got: Any, shape: tuple[int, ...]) -> Any:
    if got is None:
        raise Refused(f"{name} returned None, expected numbers of shape {shape}")
    array = numbers(name, got)
    if array.shape == shape[:1] and shape[1:] == (1,):
        array = array.reshape(shape)
    if array.shape != shape:
        raise Refused(f"{name} returned numbers of shape {array.shape}, expected {shape}")
    return array


def sample(user: User, time: float, count: int, seed: int, axes: int) -> Any:
    name = user.names["python"]
    array = shaped(name, user.call("python", time, count, seed), (count, axes))
    bad = numpy.flatnonzero(~numpy.isfinite(array).all(axis=1))
    if bad.size:
        raise Refused(f"{name} returned {bad.size} samples that are not finite, the first is number {bad[0]}")
    return array


def density(user: User, time: float, count: int, axes: int, points: bytearray) -> Any:
    name = user.names["density"]
    array = shaped(
        name, user.call("density", time, numpy.frombuffer(points).reshape(count, axes).copy()), (count,)
    )
    bad = numpy.flatnonzero(numpy.isnan(array) | (array == numpy.inf))
    if bad.size:
        raise Refused(f"{name} returned {bad.size} values that are NaN or infinite, expected log densities")
    return array


def train(user: User, times: int, count: int, seed: int, axes: int, data: bytearray) -> bytes:
    """The protocol stands before the samples, as JSON with its length."""
    (length,) = struct.unpack_from("=q", data)
    told = types.SimpleNamespace(**json.loads(bytes(data[8 : 8 + length])))
    rest = numpy.frombuffer(data, offset=8 + length)
    told.samples = rest.reshape(times, count, axes).copy()
    told.times = numpy.array(told.times)
    user.model = []
    return pickle.dumps(user.call("train", told, seed))


def answer(user: User, what: int, time: float, count: int, seed: int, axes: int, data: bytearray) -> Any:
    seed_all(seed)
    if what == SAMPLE:
        return sample(user, time, count, seed, axes)
    if what == DENSITY:
        return density(user, time, count, axes, data)
    if what == PARAMETERS:
        user.parameters = json.loads(bytes(data))
        return b""
    if what == TRAIN:
        return train(user, int(time), count, seed, axes, data)
    user.model = [pickle.loads(bytes(data))]
    return b""


def describe(error: BaseException, directory: str) -> str:
    """On one line, with the last place in the user's own files."""
    if isinstance(error, Refused):
        return str(error)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<")]
    own = [f for f in frames if os.path.abspath(f.filename).startswith(os.path.join(directory, ""))]
    try:
        text = " ".join("".join(c if c.isprintable() else " " for c in str(error)).split())
    except Exception:  # noqa: BLE001 - it cannot say what it is
        text = ""
    where = f"{(own or frames)[-1].filename}:{(own or frames)[-1].lineno}: " if frames else ""
    if isinstance(error, SyntaxError) and error.filename:
        text, where = str(error.msg), f"{error.filename}:{error.lineno}: "
    return f"{where}{type(error).__name__}{': ' if text else ''}{text}"


def end_with_parent() -> None:
    """Signals to stop are FARE's own; its end ends this process whatever it does."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    except (AttributeError, OSError):
        pass


def main() -> None:
    user: User | None = None
    directory = ""
    while True:
        what, time, count, seed, axes, size = REQUEST.unpack(receive(REQUEST.size))
        data = receive(size)
        try:
            if what == LOAD:
                names = json.loads(bytes(data))
                directory = names["path"]
                user = User(names)
                reply: Any = b""
            else:
                assert user
                reply = answer(user, what, time, count, seed, axes, data)
        except BaseException as error:  # noqa: BLE001 - SystemExit, too: no function of a user ends a study
            send(1, describe(error, directory)[:LONGEST].encode(errors="replace"))
        else:
            send(0, reply)
        sys.stdout.flush()


os.closerange(CHANNEL + 1, 1 << 16)
os.set_inheritable(CHANNEL, False)
end_with_parent()
try:
    import numpy
except ImportError as missing:
    receive(REQUEST.unpack(receive(REQUEST.size))[-1])
    send(1, f"{sys.executable} has no NumPy ({missing})".encode())
else:
    main()
