#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The slider of report.html in headless Chromium: what it draws at a time is what study.h5 holds at that time.
Skipped where Chromium is missing.
fare-test: labels=verification timeout=180
"""
import base64
import io
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import h5py
import matplotlib
import numpy as np
import PIL.Image

matplotlib.use("Agg")
sys.dont_write_bytecode = True
from test_report import TIMES, TRAINED, write_study

from fare import page, slider
from fare.results import Study

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def html(directory):
    """A page with the slider alone: figures take time, and others test them."""
    body = slider.block(Study(directory))
    (directory / "report.html").write_text(page.PAGE.format(title="slider", body=body))
    return directory / "report.html"


def shown(path, script):
    """The page once the script has run at its end."""
    copy = path.with_name("tried.html")
    copy.write_text(path.read_text().replace("</body>", f"<script>{script}</script></body>"))
    words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={path.parent / 'profile'}"]
    done = subprocess.run(
        [CHROMIUM, *words, "--dump-dom", copy.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def move_to(k):
    return f"const t = document.getElementById('time'); t.value = {k}; t.dispatchEvent(new Event('input'));"


def path_of(source, name):
    """The points of a drawn line."""
    d = re.search(rf'<path id="path_{name}"[^>]* d="M([^"]*)"', source)[1]
    return np.array([[float(v) for v in point.split()] for point in d.split("L")])


def scale_of(source, axis):
    """From pixels to what the ticks of an axis say."""
    where = {
        "x": r'<text x="([\d.]+)" y="294" text-anchor="middle">([-\d.e]+)</text>',
        "y": r'<text x="50" y="([\d.]+)" text-anchor="end">([-\d.e]+)</text>',
    }[axis]
    ticks = np.array([[float(place), float(label)] for place, label in re.findall(where, source)])
    assert len(ticks) >= 3, (axis, ticks)
    ticks[:, 0] -= 4 if axis == "y" else 0  # letters stand a little below their line
    slope, at_0 = np.polyfit(ticks[:, 0], ticks[:, 1], 1)
    assert np.allclose(slope * ticks[:, 0] + at_0, ticks[:, 1], atol=1e-4 * np.ptp(ticks[:, 1]))
    return lambda pixels: slope * pixels + at_0


def check_lines(root):
    """Each line has the densities of its bins, read off by the ticks."""
    write_study(root / "line", extent=(40,))
    path = html(root / "line")
    with h5py.File(root / "line/study.h5") as file:
        density = {name: file[f"binned/{name}"][:].astype(float) * 40 for name in ("truth", "walk", "still")}
    for k in (0, 3):
        source = shown(path, move_to(k))
        now = re.search(r'<output id="now">([^<]*)</output>', source)[1]
        assert now == f"t = {TIMES[k]:g} ({'trained on' if TRAINED[k] else 'held out'})", now
        across, up = scale_of(source, "x"), scale_of(source, "y")
        for name, values in density.items():
            points = path_of(source, name)
            x, seen = across(points[:, 0]), up(points[:, 1])
            if name != "truth":  # both ends of each step
                assert np.array_equal(seen[::2], seen[1::2])
                x, seen = 0.5 * (x[::2] + x[1::2]), seen[::2]
            bins = np.floor(40 * x).astype(int)
            assert np.allclose(40 * x, bins + 0.5, atol=0.02) and values[k, bins].sum() > 0.99 * 40, (k, name)
            assert np.allclose(seen, values[k, bins], atol=2e-3 * density["truth"].max()), (k, name)


def picture(source, name):
    data = re.search(rf'data-{name}="data:image/png;base64,([^"]*)"', source)[1]
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)


def colour(palette, share):
    return np.array(matplotlib.colormaps[palette](np.linspace(0, 1, 256))[:, :3] * 255).round()[
        int(np.floor(255 * min(1, max(0, share)) + 0.5))
    ]


def check_maps(root):
    """Pixels have the colours of the densities, and of what differs from the truth."""
    write_study(root / "plane", extent=(16, 24))
    path = html(root / "plane")
    keep = "".join(
        f"document.body.dataset['{id_.lower()}'] = document.getElementById('{id_}').toDataURL();"
        for id_ in ("map_truth", "map_still", "difference_still")
    )
    source = shown(path, move_to(4) + keep)
    view = slider.data(Study(root / "plane"))["views"][0]
    with h5py.File(root / "plane/study.h5") as file:  # [t, y, x] on a box of 1 by 2
        truth, still = (file[f"binned/{name}"][4].astype(float).T * 16 * 12 for name in ("truth", "still"))
    x, y = (np.array(edges) for edges in view["edges"])
    i0, j0 = round(x[0] * 16), round(y[0] * 12)
    kept = np.s_[i0 : i0 + len(x) - 1, j0 : j0 + len(y) - 1]
    assert np.allclose(x, np.arange(i0, i0 + len(x)) / 16) and np.allclose(y, np.arange(j0, j0 + len(y)) / 12)
    for name, share, palette in (
        ("map_truth", truth[kept] / view["scale"], "viridis"),
        ("map_still", still[kept] / view["scale"], "viridis"),
        ("difference_still", 0.5 + 0.5 * (still - truth)[kept] / view["difference"], "RdBu_r"),
    ):
        pixels = picture(source, name)
        for i, j in np.ndindex(share.shape):
            across = int((i + 0.5) / share.shape[0] * pixels.shape[1])
            up = int((j + 0.5) / share.shape[1] * pixels.shape[0])
            seen = pixels[pixels.shape[0] - 1 - up, across]
            assert abs(seen - colour(palette, share[i, j])).max() <= 6, (
                name,
                i,
                j,
                seen,
            )  # a level of colour


def check_planes(root):
    """In three dimensions each pair of axes can be chosen."""
    write_study(root / "space", extent=(6, 8, 10))
    path = html(root / "space")
    choose = "const p = document.getElementById('plane'); p.value = 2; p.dispatchEvent(new Event('change'));"
    for script, labels in (("", ("x", "y")), (choose, ("y", "z"))):
        source = shown(path, script)
        found = re.search(r"across: (\w+), [^;]*; up: (\w+),", source)
        assert found and found.groups() == labels, (labels, found and found.groups())


def main():
    if not CHROMIUM:
        print("skipped: no Chromium here (Debian: chromium)")
        return 77
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root = pathlib.Path(folder)
        for check in (check_lines, check_maps, check_planes):
            check(root)
            print(f"{check.__name__}: passed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
