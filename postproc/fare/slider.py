# SPDX-License-Identifier: BSD-2-Clause
"""The part of report.html that moves: densities of the truth and of ensembles at the time that a slider chooses,
drawn by a script in the page itself.
"""
from __future__ import annotations

import base64
import html
import json
from typing import Any

import matplotlib
import numpy as np

from fare.files import Array
from fare.plot.densities import DIVERGING, line_courses, map_scale, maps, planes, shown_densities, top_of
from fare.plot.drawing import TRUTH, colours
from fare.results import Study

LEVELS = 65534  # of a value in the page, which has 16 bits; the next is for what is not a number
BUDGET = 1_500_000  # bytes of values in the page, a third more in base64
LINE_BINS, MAP_BINS, MOST_TIMES = 200, 64, 240


def _packed(values: Array, top: float) -> str:
    """16 bits for each value from 0 to top, in base64."""
    scaled = np.where(np.isfinite(values), np.clip(values / top, 0, 1) * LEVELS, LEVELS + 1)
    return base64.b64encode(scaled.round().astype("<u2").tobytes()).decode()


def _times(study: Study, values_at_a_time: int) -> list[int]:
    """As many snapshots, evenly spread, as the page has room for."""
    count = max(1, min(len(study.times), MOST_TIMES, BUDGET // (2 * max(1, values_at_a_time))))
    return np.unique(np.linspace(0, len(study.times) - 1, count).round().astype(int)).tolist()


def _view(densities: dict[str, Array], edges: list[Array], labels: list[str], title: str) -> dict[str, Any]:
    top = max(float(np.nanmax(density, initial=0)) for density in densities.values()) or 1.0
    view: dict[str, Any] = {
        "title": title,
        "labels": labels,
        "edges": [[float(f"{edge:.6g}") for edge in axis] for axis in edges],
        "top": top,
        "data": {name: _packed(density, top) for name, density in densities.items()},
    }
    if len(edges) == 2:
        view["scale"] = map_scale(densities)
        against = [
            d - densities["truth"]
            for name, d in densities.items()
            if name != "truth" and "truth" in densities
        ]
        view["difference"] = top_of(against)
    return view


def data(study: Study, wanted: str = "") -> dict[str, Any] | None:
    """What the page draws: snapshots, and one view for a line or for each plane. None without densities."""
    names = shown_densities(study)
    if not names:
        return None
    bins, pairs = study.known_bins, planes(study, wanted)
    size = LINE_BINS if not pairs else MAP_BINS**2 * len(pairs)
    times = _times(study, len(names) * size)
    if not pairs:
        found, edges = line_courses(study, names, 0, LINE_BINS)
        found = {name: density[times] for name, density in found.items()}
        views = [_view(found, [edges], [bins.label(0)], "")]
    else:
        views = []
        for plane in pairs:
            seen = maps(study, names, plane, times, MAP_BINS)
            labels = [bins.label(axis) for axis in plane]
            title = f"{bins.name(plane[0])}, {bins.name(plane[1])}"
            views.append(_view(seen.densities, [seen.x, seen.y], labels, title))
    held_out = study.held_out.any()
    return {
        "times": [float(f"{study.times[k]:.6g}") for k in times],
        "notes": [("held out" if study.held_out[k] else "trained on") if held_out else "" for k in times],
        "colours": {"truth": TRUTH, **{n: c for n, c in colours(study).items() if n in names}},
        "palettes": [_palette("viridis"), _palette(DIVERGING)] if pairs else [],
        "views": views,
    }


def _palette(name: str) -> str:
    return "".join(
        matplotlib.colors.to_hex(c)[1:] for c in matplotlib.colormaps[name](np.linspace(0, 1, 256))
    )


def block(study: Study, wanted: str = "") -> str:
    """HTML with the data and the script; empty where there is nothing to draw or a single snapshot."""
    content = data(study, wanted)
    if content is None or len(content["times"]) < 2:
        return ""
    some = len(content["times"]) < len(study.times)
    note = f" Of {len(study.times)} snapshots, {len(content['times'])} are in this page." if some else ""
    caption = (
        "Densities at one time: the truth as a line, ensembles as histograms."
        if len(content["views"][0]["edges"]) == 1
        else (
            "Densities at one time, and below each ensemble what differs from the truth: too much (red) or"
            " too little (blue)."
        )
    )
    choice = ""
    if len(content["views"]) > 1:
        options = "".join(
            f'<option value="{i}">{html.escape(view["title"])}</option>'
            for i, view in enumerate(content["views"])
        )
        choice = f'<label>plane <select id="plane">{options}</select></label>'
    text = json.dumps(content, separators=(",", ":")).replace("</", "<\\/")
    return (
        '<figure id="slider"><div class="controls"><button id="play" type="button">play</button>'
        f'<input id="time" type="range" min="0" max="{len(content["times"]) - 1}" value="0" step="1"'
        f' aria-label="time"><output id="now"></output>{choice}</div><div id="scene"></div>'
        f"<figcaption>{caption}{note}</figcaption></figure>\n"
        f'<script type="application/json" id="densities">{text}</script>\n<script>{SCRIPT}</script>'
    )


SCRIPT = """
(() => {
const find = id => document.getElementById(id);
const all = JSON.parse(find('densities').textContent), LEVELS = 65534, SVG = 'http://www.w3.org/2000/svg';
const scene = find('scene'), time = find('time'), plane = find('plane');
const decoded = new Map();
function values(view, name, k) {
  const key = all.views.indexOf(view) + name;
  if (!decoded.has(key)) {
    const bytes = Uint8Array.from(atob(view.data[name]), c => c.charCodeAt(0));
    decoded.set(key, new Uint16Array(bytes.buffer));
  }
  const whole = decoded.get(key), n = whole.length / all.times.length;
  return Array.from(whole.subarray(k * n, (k + 1) * n), q => q > LEVELS ? NaN : q / LEVELS * view.top);
}
function make(parent, tag, attributes, text) {
  const node = tag in {svg: 1, path: 1, text: 1, line: 1}
    ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}
function ticks(low, high) {
  const step = 10 ** Math.floor(Math.log10((high - low) / 2)), found = [];
  const every = [5, 2, 1].map(m => m * step).filter(s => (high - low) / s >= 3)[0] || step / 2;
  for (let i = Math.ceil(low / every); i * every <= high * (1 + 1e-9); i++) found.push(+(i * every).toPrecision(6));
  return found;
}
function lines(view) {
  const width = 760, height = 320, left = 56, right = 12, top = 12, bottom = 42, edges = view.edges[0];
  const low = edges[0], high = edges[edges.length - 1];
  const x = v => left + (v - low) / (high - low) * (width - left - right);
  const y = v => height - bottom - v / view.top * (height - top - bottom);
  const svg = make(scene, 'svg', {viewBox: `0 0 ${width} ${height}`, role: 'img'}), paths = {};
  for (const v of ticks(low, high)) {
    make(svg, 'line', {x1: x(v), x2: x(v), y1: top, y2: height - bottom, class: 'grid'});
    make(svg, 'text', {x: x(v), y: height - bottom + 16, 'text-anchor': 'middle'}, v);
  }
  for (const v of ticks(0, view.top)) {
    make(svg, 'line', {x1: left, x2: width - right, y1: y(v), y2: y(v), class: 'grid'});
    make(svg, 'text', {x: left - 6, y: y(v) + 4, 'text-anchor': 'end'}, v);
  }
  make(svg, 'text', {x: (left + width - right) / 2, y: height - 6, 'text-anchor': 'middle'}, view.labels[0]);
  const middle = (top + height - bottom) / 2;
  make(svg, 'text', {x: 14, y: middle, 'text-anchor': 'middle', transform: `rotate(-90 14 ${middle})`}, 'density');
  const key = make(scene, 'p', {class: 'key'});
  for (const name of Object.keys(view.data).reverse()) {  /* the truth on top */
    paths[name] = make(svg, 'path', {id: 'path_' + name, fill: 'none', stroke: all.colours[name] || '#666',
      'stroke-width': name === 'truth' ? 2 : 1.5});
  }
  for (const name in view.data) make(key, 'span', {style: 'color:' + (all.colours[name] || '#666')}, name);
  return k => {
    for (const name in view.data) {
      const at = values(view, name, k), points = [];
      at.forEach((v, i) => {
        if (Number.isNaN(v)) return;
        const where = name === 'truth' ? [(edges[i] + edges[i + 1]) / 2] : [edges[i], edges[i + 1]];
        for (const e of where) points.push(x(e).toFixed(2) + ' ' + y(v).toFixed(2));
      });
      paths[name].setAttribute('d', points.length ? 'M' + points.join('L') : '');
    }
  };
}
function colour(palette, share) {
  const i = Math.round(255 * Math.min(1, Math.max(0, share)));
  return '#' + palette.slice(6 * i, 6 * i + 6);
}
function paint(canvas, view, shade) {
  const pen = canvas.getContext('2d'), [xs, ys] = view.edges, w = canvas.width, h = canvas.height;
  const at = (edges, i, size) => Math.round((edges[i] - edges[0]) / (edges[edges.length - 1] - edges[0]) * size);
  for (let i = 0; i + 1 < xs.length; i++)
    for (let j = 0; j + 1 < ys.length; j++) {
      const x = at(xs, i, w), y = h - at(ys, j + 1, h);
      pen.fillStyle = shade(i * (ys.length - 1) + j);
      pen.fillRect(x, y, at(xs, i + 1, w) - x, h - at(ys, j, h) - y);
    }
}
function bar(parent, palette, low, high, label) {
  const row = make(parent, 'p', {class: 'bar'}), show = v => +v.toPrecision(2);
  make(row, 'span', {}, low < 0 ? '\\u2264 ' + show(low) : show(low));  /* beyond the ends: their colours */
  const canvas = make(row, 'canvas', {width: 256, height: 12}), pen = canvas.getContext('2d');
  for (let i = 0; i < 256; i++) { pen.fillStyle = colour(palette, i / 255); pen.fillRect(i, 0, 1, 12); }
  make(row, 'span', {}, '\\u2265 ' + show(high));
  make(row, 'span', {}, label);
}
function pictures(view) {
  const grid = make(scene, 'div', {class: 'maps'}), painted = [];
  const span = edges => edges[0].toPrecision(3) * 1 + ' to ' + edges[edges.length - 1].toPrecision(3) * 1;
  for (const name in view.data) {
    const column = make(grid, 'div', {});
    make(column, 'b', {style: 'color:' + (all.colours[name] || '#666')}, name);
    painted.push([name, false, make(column, 'canvas', {width: 256, height: 256, id: 'map_' + name})]);
    if (name !== 'truth' && 'truth' in view.data)
      painted.push([name, true, make(column, 'canvas', {width: 256, height: 256, id: 'difference_' + name})]);
  }
  make(scene, 'p', {class: 'key'},
    `across: ${view.labels[0]}, ${span(view.edges[0])}; up: ${view.labels[1]}, ${span(view.edges[1])}`);
  bar(scene, all.palettes[0], 0, view.scale, 'density');
  if ('truth' in view.data) bar(scene, all.palettes[1], -view.difference, view.difference, 'density \\u2212 truth');
  return k => {
    const truth = 'truth' in view.data ? values(view, 'truth', k) : [];
    for (const [name, difference, canvas] of painted) {
      const at = values(view, name, k);
      paint(canvas, view, i => Number.isNaN(at[i]) ? '#dddddd' : difference
        ? colour(all.palettes[1], 0.5 + 0.5 * (at[i] - truth[i]) / view.difference)
        : colour(all.palettes[0], at[i] / view.scale));
    }
  };
}
let draw;
function show() {
  const k = +time.value;
  draw(k);
  find('now').textContent = 't = ' + all.times[k] + (all.notes[k] ? ' (' + all.notes[k] + ')' : '');
}
function begin() {
  const view = all.views[plane ? +plane.value : 0];
  scene.replaceChildren();
  draw = view.edges.length === 1 ? lines(view) : pictures(view);
  show();
}
let playing = 0;
find('play').addEventListener('click', () => {
  if (playing) { clearInterval(playing); playing = 0; }
  else playing = setInterval(() => { time.value = (+time.value + 1) % all.times.length; show(); }, 200);
  find('play').textContent = playing ? 'stop' : 'play';
});
time.addEventListener('input', show);
if (plane) plane.addEventListener('change', begin);
begin();
})();
"""
