// Charts are drawn by uPlot. Each has its figures in a table below, for those
// who cannot see it, and is drawn again when the place for it changes.
import { el, page, table, w } from "./core.js";

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const dark = matchMedia("(prefers-color-scheme: dark)");

// days draws values by day, or by hour where labels are like 2026-11-22T18.
// series: {label, values, stroke, fill, width, dash, band: [low, high]}.
export function days(node, title, labels, series, format, columns) {
  const place = el("div", { class: "chart", role: "img", "aria-label": title });
  const more = el("details", {}, el("summary", {}, w("figures")), table(title, columns.map((c) => ({ ...c, num: c !== columns[0] })), labels.map((_, i) => i)));
  node.replaceChildren(legend(series), place, more);
  const byHour = labels[0].length > 10, step = byHour ? 3600 : 86400;
  const x = labels.map((l) => Date.parse(byHour ? `${l}:00:00Z` : `${l}T00:00:00Z`) / 1000);
  const date = new Intl.DateTimeFormat(page.lang, byHour ? { timeZone: "UTC", hour: "2-digit", minute: "2-digit" } : { timeZone: "UTC", day: "numeric", month: "short" });
  let chart;
  const draw = () => {
    chart?.destroy();
    const ink = css("--soft"), line = css("--line");
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line }, font: "12px system-ui, sans-serif" };
    const shown = series.map((s) => ({ label: s.label, stroke: s.color ? css(s.color) : "transparent", width: s.width ?? 2, dash: s.dash, points: { show: s.points ?? labels.length < 3 }, fill: s.fill ? `${css(s.color)}33` : undefined, paths: s.bars && window.uPlot.paths.bars({ size: [0.6, 40] }) }));
    const low = series.findIndex((s) => s.low), high = series.findIndex((s) => s.high);
    chart = new window.uPlot({
      width: Math.max(220, place.clientWidth), height: 220, legend: { show: false }, cursor: { drag: { x: false, y: false } }, tzDate: (ts) => window.uPlot.tzDate(new Date(ts * 1000), "UTC"),
      scales: { x: { time: true, range: (u, a, b) => [a - step / 2, b + step / 2] }, y: { range: (u, a, b) => [0, (b || 1) * 1.12] } },
      axes: [{ ...axis, space: 60, values: (u, v) => v.map((t) => date.format(t * 1000)), incrs: (byHour ? [1, 2, 3, 6, 12] : [1, 2, 7, 14, 28]).map((n) => n * step) },
        { ...axis, size: 64, values: (u, v) => v.map(format) }],
      series: [{}, ...shown], bands: low >= 0 ? [{ series: [high + 1, low + 1], fill: `${css("--main")}33` }] : [],
      hooks: low >= 0 ? { draw: [(u) => alone(u, low + 1, high + 1, css("--main"))] } : {},
    }, [x, ...series.map((s) => s.values)], place);
  };
  draw();
  let last = place.clientWidth;
  new ResizeObserver(() => { if (place.clientWidth !== last) { last = place.clientWidth; draw(); } }).observe(place);
  dark.addEventListener("change", draw);
}

// alone draws the interval of a day whose neighbours have none: a band needs two.
function alone(u, low, high, color) {
  const has = (i) => u.data[low][i] !== null && u.data[low][i] !== undefined && u.data[high][i] !== null && u.data[high][i] !== undefined;
  u.ctx.save();
  u.ctx.strokeStyle = `${color}88`;
  u.ctx.lineWidth = 6 * devicePixelRatio;
  u.data[0].forEach((x, i) => {
    if (!has(i) || has(i - 1) || has(i + 1)) return;
    u.ctx.beginPath();
    u.ctx.moveTo(u.valToPos(x, "x", true), u.valToPos(u.data[low][i], "y", true));
    u.ctx.lineTo(u.valToPos(x, "x", true), u.valToPos(u.data[high][i], "y", true));
    u.ctx.stroke();
  });
  u.ctx.restore();
}

// ready brings uPlot to a page that has not loaded it from the start.
let asked;
export const ready = () => asked ??= window.uPlot ? Promise.resolve() : new Promise((good, bad) => {
  const at = `/console/assets/${page.stamp}/vendor/uplot-1.6.32.min`;
  document.head.append(el("link", { rel: "stylesheet", href: `${at}.css` }), el("script", { src: `${at}.js`, onload: good, onerror: () => bad(new Error("uPlot")) }));
});

// curve draws y over x, with its figures below. marks: {x, label}.
export function curve(node, title, xs, ys, format, columns, mark) {
  const place = el("div", { class: "chart low", role: "img", "aria-label": title });
  node.replaceChildren(place, el("details", {}, el("summary", {}, w("figures")), table(title, columns.map((c) => ({ ...c, num: c !== columns[0] })), xs.map((_, i) => i))));
  let chart;
  const draw = () => {
    chart?.destroy();
    const ink = css("--soft"), line = css("--line");
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line }, font: "12px system-ui, sans-serif" };
    const series = [{}, { stroke: css("--main"), width: 2, fill: `${css("--main")}22`, points: { show: xs.length < 12 } }];
    const data = [xs, ys];
    if (mark !== undefined) { series.push({ stroke: css("--plan"), points: { show: true, size: 9, fill: css("--plan") }, width: 0 }); data.push(xs.map((x) => (x === mark ? ys[xs.indexOf(x)] : null))); }
    chart = new window.uPlot({
      width: Math.max(200, place.clientWidth), height: 170, legend: { show: false }, cursor: { show: false },
      scales: { x: { time: false, range: (u, a, b) => [0, b || 1] }, y: { range: (u, a, b) => [0, (b || 1) * 1.12] } },
      axes: [{ ...axis, space: 70, values: (u, v) => v.map(format[0]) }, { ...axis, size: 52, values: (u, v) => v.map(format[1]) }], series,
    }, data, place);
  };
  draw();
  let last = place.clientWidth;
  new ResizeObserver(() => { if (place.isConnected && place.clientWidth !== last) { last = place.clientWidth; draw(); } }).observe(place);
}

function legend(series) {
  return el("ul", { class: "legend", "aria-hidden": "true" }, series.filter((s) => s.legend).map((s) => el("li", {}, el("i", { class: s.legend }), s.label)));
}
