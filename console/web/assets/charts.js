// Charts are drawn by uPlot. Each has its figures in a table below, for those
// who cannot see it, and is drawn again when the place for it changes.
import { el, page, table, w } from "./core.js";

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const dark = matchMedia("(prefers-color-scheme: dark)");

// days draws values by day. series: {label, values, stroke, fill, width, dash,
// band: [low, high]}.
export function days(node, title, labels, series, format, columns) {
  const place = el("div", { class: "chart", role: "img", "aria-label": title });
  const more = el("details", {}, el("summary", {}, w("figures")), table(title, columns.map((c) => ({ ...c, num: c !== columns[0] })), labels.map((_, i) => i)));
  node.replaceChildren(legend(series), place, more);
  const x = labels.map((l) => Date.parse(`${l}T00:00:00Z`) / 1000);
  let chart;
  const draw = () => {
    chart?.destroy();
    const ink = css("--soft"), line = css("--line");
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line }, font: "12px system-ui, sans-serif" };
    const shown = series.map((s) => ({ label: s.label, stroke: s.color ? css(s.color) : "transparent", width: s.width ?? 2, dash: s.dash, points: { show: s.points ?? labels.length < 3 }, fill: s.fill ? `${css(s.color)}33` : undefined, paths: s.bars && window.uPlot.paths.bars({ size: [0.6, 40] }) }));
    const low = series.findIndex((s) => s.low), high = series.findIndex((s) => s.high);
    chart = new window.uPlot({
      width: Math.max(220, place.clientWidth), height: 220, legend: { show: false }, cursor: { drag: { x: false, y: false } }, tzDate: (ts) => window.uPlot.tzDate(new Date(ts * 1000), "UTC"),
      scales: { x: { time: true, range: (u, a, b) => [a - 43200, b + 43200] }, y: { range: (u, a, b) => [0, (b || 1) * 1.12] } },
      axes: [{ ...axis, space: 60, values: (u, v) => v.map((t) => new Intl.DateTimeFormat(page.lang, { timeZone: "UTC", day: "numeric", month: "short" }).format(t * 1000)), incrs: [86400, 2 * 86400, 7 * 86400, 14 * 86400, 28 * 86400] },
        { ...axis, size: 64, values: (u, v) => v.map(format) }],
      series: [{}, ...shown], bands: low >= 0 ? [{ series: [high + 1, low + 1], fill: `${css("--main")}33` }] : [],
    }, [x, ...series.map((s) => s.values)], place);
  };
  draw();
  let last = place.clientWidth;
  new ResizeObserver(() => { if (place.clientWidth !== last) { last = place.clientWidth; draw(); } }).observe(place);
  dark.addEventListener("change", draw);
}

function legend(series) {
  return el("ul", { class: "legend", "aria-hidden": "true" }, series.filter((s) => s.legend).map((s) => el("li", {}, el("i", { class: s.legend }), s.label)));
}
