// The one live plot: a signal, a time, its mean as a line and lowest to highest as a band.
import { byId, h } from './dom.js';
import { isLive, plant, time, value } from './plant.js';
import { clock, language, named, number, text, unitOf } from './words.js';

const RANGES = { '10m': 600, '1h': 3600, '24h': 86400, '7d': 604800 };
const chosen = { id: -1, key: '', range: '10m' };
let plot = null;
let columns = [[], [], [], []];
let drawnAt = 0;

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function isPlottable(id) {
  return !['text', 'event'].includes(plant.signals[id].kind);
}

function things() {
  return [...plant.machines, ...plant.meters];
}

function thingOf(id) {
  return things().find((thing) => thing.signals.includes(id));
}

function fillSignals(thing) {
  byId('curve-signal').replaceChildren(...thing.signals.filter(isPlottable).map((id) => {
    const signal = plant.signals[id];
    return h('option', { value: id }, named('signal', signal.signal) + (signal.unit ? ` (${unitOf(signal)})` : ''));
  }));
}

export function choose(id, { scroll = true } = {}) {
  const thing = thingOf(id);
  if (!thing) return;
  Object.assign(chosen, { id, key: plant.signals[id].key });
  byId('curve-machine').value = things().indexOf(thing);
  fillSignals(thing);
  byId('curve-signal').value = id;
  if (scroll) byId('curve-title').scrollIntoView({ behavior: 'smooth', block: 'start' });
  load();
}

async function load() {
  const { id, range } = chosen;
  if (id < 0) return;
  const answer = await fetch(`/api/series/${encodeURI(chosen.key)}?range=${range}`).catch(() => null);
  if (!answer?.ok || id !== chosen.id || range !== chosen.range) return;
  const curve = await answer.json();
  columns = [curve.t, curve.mean, curve.low, curve.high];
  draw();
}

function options() {
  const axis = { stroke: css('--ink-3'), grid: { stroke: css('--line'), width: 1 }, ticks: { show: false }, font: '12px system-ui, "Microsoft YaHei", sans-serif' };
  const signal = plant.signals[chosen.id];
  const quiet = { stroke: 'transparent', points: { show: false } };
  return {
    width: byId('plot').clientWidth,
    height: Math.max(260, Math.min(420, window.innerHeight * 0.36)),
    cursor: { y: false, points: { size: 7, fill: css('--curve') } },
    legend: { show: false },
    scales: { x: { time: true, range: () => [firstShown(), plant.now / 1000] }, y: { range: (_, low, high) => padded(low, high) } },
    axes: [{ ...axis, space: 80, size: 30, values: (_, ticks) => ticks.map((t) => tick(t)) }, { ...axis, size: 64, values: (_, ticks) => ticks.map((v) => new Intl.NumberFormat(language).format(v)) }],
    bands: [{ series: [3, 2], fill: css('--band') }],
    series: [{}, { stroke: css('--curve'), width: 1.8, spanGaps: false, points: { show: false }, ...(signal.kind === 'state' && { paths: window.uPlot.paths.stepped({ align: 1 }) }) }, quiet, quiet],
    hooks: { setCursor: [sayValue] },
  };
}

// An agent that has just begun fills the plot with what there is, a minute at least.
function firstShown() {
  const now = plant.now / 1000;
  return chosen.range === '10m' ? Math.max(now - RANGES['10m'], Math.min(columns[0][0] ?? 0, now - 60)) : now - RANGES[chosen.range];
}

function tick(t) {
  const date = new Date(t * 1000);
  const time = { hour: '2-digit', minute: '2-digit', hour12: false, ...(t % 60 && { second: '2-digit' }) };
  return date.toLocaleString(language === 'zh' ? 'zh-CN' : 'en-GB', chosen.range === '7d' ? { month: '2-digit', day: '2-digit' } : time);
}

function padded(low, high) {
  if (low === null || high === null) return [0, 1];
  const room = (high - low) * 0.08 || Math.abs(high) * 0.05 || 1;
  return [low >= 0 && low - room < 0 ? 0 : low - room, high + room];
}

function draw() {
  const place = byId('plot');
  plot?.destroy();
  plot = null;
  drawnAt = plant.now;
  if (!columns[0].length) {
    place.replaceChildren(h('p', { class: 'empty' }, text('no_values')));
  } else {
    place.replaceChildren();
    plot = new window.uPlot(options(), columns, place);
  }
  sayValue();
}

// The value under the cursor, else the newest one.
function sayValue() {
  const { id } = chosen;
  if (id < 0) return;
  const signal = plant.signals[id];
  const at = plot?.cursor.idx ?? null;
  const [shown, when] = at === null ? [value(id), time(id)] : [columns[1][at], columns[0][at] * 1000];
  byId('curve-value').replaceChildren(number(shown, signal), h('span', { class: 'unit' }, unitOf(signal)));
  byId('curve-about').textContent = [when ? clock(when, { seconds: true }) : '', chosen.range === '10m' ? '' : text('band')].filter(Boolean).join(' · ');
}

export function tickCurve() {
  const { id, range } = chosen;
  if (id < 0) return;
  const last = columns[0][columns[0].length - 1] ?? 0;
  if (range === '10m' && value(id) !== null && time(id) / 1000 > last) {
    const changed = time(id) / 1000;
    const before = columns[1][columns[1].length - 1];
    if (changed - last > 3 && typeof before === 'number') [changed - 0.001, before, before, before].forEach((amount, at) => columns[at].push(amount));
    [changed, value(id), value(id), value(id)].forEach((amount, at) => columns[at].push(amount));
    while (columns[0][0] < plant.now / 1000 - 660) columns.forEach((column) => column.shift());
    if (plot) plot.setData(held());
    else draw();
    sayValue();
  } else if (plant.now - drawnAt > { '10m': 60000, '1h': 10000, '24h': 60000, '7d': 600000 }[range]) {
    load();
  } else if (range === '10m' && plot) {
    plot.setData(held());
  }
}

// A machine may report only changes: while its source delivers, the newest value holds until now.
function held() {
  const amount = value(chosen.id);
  const last = columns[0][columns[0].length - 1];
  if (typeof amount !== 'number' || !isLive(chosen.id) || plant.now / 1000 - last < 1) return columns;
  return [plant.now / 1000, amount, amount, amount].map((tail, at) => [...columns[at], tail]);
}

export function drawCurve() {
  byId('curve-machine').replaceChildren(...things().map((thing, at) => h('option', { value: at }, thing.name)));
  byId('ranges').setAttribute('aria-label', text('ranges'));
  byId('ranges').replaceChildren(...Object.keys(RANGES).map((range) => h('button', { type: 'button', 'aria-pressed': String(range === chosen.range), onclick: () => setRange(range) }, text(`range.${range}`))));
  const again = plant.signals.findIndex((signal) => signal.key === chosen.key);
  const power = plant.mains.electricity?.rates[0];
  const first = again >= 0 ? again : (power ?? things().flatMap((thing) => thing.signals).find(isPlottable) ?? -1);
  if (first >= 0) choose(first, { scroll: false });
}

function setRange(range) {
  chosen.range = range;
  for (const [at, button] of [...byId('ranges').children].entries()) button.setAttribute('aria-pressed', String(Object.keys(RANGES)[at] === range));
  load();
}

export function startCurve() {
  byId('curve-machine').addEventListener('change', (event) => {
    const thing = things()[event.target.value];
    const power = thing.supplies.find((supply) => supply.rate >= 0)?.rate;
    choose(power ?? thing.signals.find(isPlottable), { scroll: false });
  });
  byId('curve-signal').addEventListener('change', (event) => choose(Number(event.target.value), { scroll: false }));
  document.addEventListener('themed', draw);
  new ResizeObserver(() => plot?.setSize({ width: byId('plot').clientWidth, height: plot.height })).observe(byId('plot'));
}
