/** One or two lines over time or over a lesson, in the page's colours; who cannot see it hears what it says. */
import { UPlot, html, useEffect, useRef } from "../../vendor/vendor.js";

const HEIGHT = 220;
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000]; // there are no half people
const WHOLE_SECONDS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].map((hours) => hours * 3600)];
const HALF_DAY = 43_200; // so that the first and the last bar are whole

/** @param {number} at in seconds */
const shortDay = (at) => new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" }).format(new Date(at * 1000));

/** A colour of tokens.css as it is now. @param {HTMLElement} of @param {string} name */
const colour = (of, name) => {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  of.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
};

/**
 * @typedef {{label: string, values: number[], tint: string, shown?: (value: number) => string, isBar?: boolean, isRight?: boolean}} Line
 *   tint: a colour's name; isRight: measured by an axis of its own
 * @param {HTMLElement} box @param {number[]} places @param {Line[]} lines @param {boolean} isTime @param {(place: number) => string} placeText
 */
const options = (box, places, lines, isTime, placeText) => {
  const ink = colour(box, "--ink-soft");
  const grid = { stroke: colour(box, "--line"), width: 1 };
  const font = `12px ${getComputedStyle(box).fontFamily}`;
  const axis = (/** @type {Line} */ line, /** @type {any} */ more) => ({
    scale: line.isRight ? "right" : "y", stroke: ink, grid: line.isRight ? { show: false } : grid, ticks: grid, font, size: 60,
    incrs: line.shown ? WHOLE_SECONDS : WHOLE,
    values: (/** @type {any} */ _chart, /** @type {number[]} */ ticks) => ticks.map((tick) => (line.shown ? line.shown(tick) : String(tick))), ...more,
  });
  const right = lines.find(({ isRight }) => isRight);
  return {
    width: Math.max(200, box.clientWidth), height: HEIGHT, cursor: { points: { size: 7 }, drag: { x: false, y: false } },
    scales: { x: { time: isTime, ...(isTime ? { range: (/** @type {any} */ _chart, /** @type {number} */ least, /** @type {number} */ most) => /** @type {[number, number]} */ ([least - HALF_DAY, most + HALF_DAY]) } : {}) }, y: { range: (/** @type {any} */ _chart, /** @type {number} */ _least, /** @type {number} */ most) => /** @type {[number, number]} */ ([0, Math.max(1, most * 1.1)]) },
      right: { range: (/** @type {any} */ _chart, /** @type {number} */ _least, /** @type {number} */ most) => /** @type {[number, number]} */ ([0, Math.max(1, most * 1.1)]) } },
    axes: [
      { stroke: ink, grid: { show: false }, ticks: grid, font, values: (/** @type {any} */ _chart, /** @type {number[]} */ ticks) => ticks.map(isTime ? shortDay : placeText) },
      axis(lines[0], {}), ...(right ? [axis(right, { side: 1 })] : []),
    ],
    series: [
      { label: isTime ? "Day" : "At", value: (/** @type {any} */ _chart, /** @type {number | null} */ place) => (place === null ? "–" : placeText(place)) },
      ...lines.map((line) => ({
        label: line.label, scale: line.isRight ? "right" : "y", stroke: colour(box, line.tint), width: 2, points: { show: places.length === 1 },
        fill: line.isBar ? colour(box, "--accent-soft") : undefined,
        paths: line.isBar && isTime ? UPlot.paths.bars?.({ size: [0.7, 24] }) : undefined,
        value: (/** @type {any} */ _chart, /** @type {number | null} */ value) => (value === null ? "–" : line.shown ? line.shown(value) : String(value)),
      })),
    ],
  };
};

/** @param {{title: string, says: string, places: number[], lines: Line[], isTime?: boolean, placeText: (place: number) => string}} props says: the chart in words */
export const Chart = ({ title, says, places, lines, isTime = false, placeText }) => {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  useEffect(() => {
    const home = /** @type {HTMLDivElement} */ (box.current);
    /** @type {any} */ let chart = null;
    const draw = () => {
      chart?.destroy();
      chart = new UPlot(/** @type {any} */ (options(home, places, lines, isTime, placeText)), [places, ...lines.map(({ values }) => values)], home);
    };
    draw();
    const fit = new ResizeObserver(() => chart.setSize({ width: Math.max(200, home.clientWidth), height: HEIGHT }));
    fit.observe(home);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const theme = new MutationObserver(draw);
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    scheme.addEventListener("change", draw);
    return () => {
      fit.disconnect();
      theme.disconnect();
      scheme.removeEventListener("change", draw);
      chart.destroy();
    };
  }, [JSON.stringify([places, lines.map(({ values }) => values)])]);
  return html`
    <figure class="card chart">
      <figcaption><h3>${title}</h3><p class="muted small">${says}</p></figcaption>
      <div class="chart-box" ref=${box} role="img" aria-label=${`${title}: ${says}`}></div>
    </figure>`;
};
