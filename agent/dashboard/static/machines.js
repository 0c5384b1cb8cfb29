// Tiles for the whole plant, and a card for each machine.
import { byId, glyph, h, say, svg } from './dom.js';
import { find, isBad, isLive, newestTime, plant, rise, since, stateOf, sum, time, value, watch } from './plant.js';
import { ago, clock, named, number, span, text, unitOf, whole } from './words.js';

const WORDS = ['running', 'setup', 'idle', 'fault', 'maintenance', 'off', 'unknown', 'none'];
const MEDIA = ['electricity', 'gas', 'water', 'air', 'steam'];
const SPARK_MS = 600000;
const FACTS = 7; // as many as fit are shown, see .facts
let everySecond = [];

function shown(output, id, amount = value(id)) {
  const signal = plant.signals[id];
  const unit = unitOf(signal);
  output.replaceChildren(number(amount, signal), ...(unit && amount !== null ? [h('span', { class: 'unit' }, unit)] : []));
}

function tile(what, update) {
  const big = h('div', { class: 'number' });
  const below = h('div', { class: 'below' });
  everySecond.push(() => update(big, below));
  return h('div', { class: 'tile' }, h('div', { class: 'what' }, what), big, below);
}

function amount(total, signal) {
  return [number(total, signal), h('span', { class: 'unit' }, unitOf(signal))];
}

function overview() {
  const share = h('div', { class: 'share', 'aria-hidden': 'true' });
  const parts = new Map(WORDS.map((word) => [word, share.appendChild(h('i', { class: `fill-${word}` }))]));
  const counted = plant.machines.filter((machine) => machine.state >= 0);
  const running = tile(text('machines_running'), (big) => {
    const states = counted.map(stateOf);
    for (const [word, part] of parts) {
      part.style.flexGrow = states.filter((state) => state === word).length;
      part.hidden = part.style.flexGrow === '0';
    }
    big.replaceChildren(whole(states.filter((state) => state === 'running').length), h('span', { class: 'unit' }, `/ ${whole(counted.length)}`));
  });
  running.append(share);
  const tiles = counted.length ? [running] : [];
  for (const medium of MEDIA.filter((name) => plant.mains[name])) {
    const { rates, totals } = plant.mains[medium];
    if (!totals.length) continue;
    const what = medium === 'electricity' ? text('energy_today') : `${text(`medium.${medium}`)} · ${text('today')}`;
    tiles.push(tile(what, (big, below) => {
      big.replaceChildren(...amount(sum(totals, rise), plant.signals[totals[0]]));
      if (rates.length) below.replaceChildren(`${rates.some(isLive) ? text('now') : text('as_of', { time: clock(newestTime(rates)) })} `, ...amount(sum(rates, value), plant.signals[rates[0]]));
    }));
  }
  byId('overview').replaceChildren(...tiles);
}

function fact(name, id, amountOf) {
  const output = h('dd');
  watch(id, () => shown(output, id, amountOf(id)));
  return h('div', {}, h('dt', { title: name }, name), output);
}

function facts(machine) {
  const power = machine.supplies.find((supply) => supply.medium === 'electricity');
  const good = find(machine, 'good_count');
  const list = [];
  if (power && power.rate >= 0) list.push(fact(text('card.power'), power.rate, value));
  if (power && power.total >= 0) list.push(fact(text('card.energy'), power.total, rise));
  if (good >= 0) list.push(fact(text('card.good'), good, rise));
  for (const id of machine.signals) {
    if (list.length >= FACTS) break;
    const signal = plant.signals[id];
    if (signal.kind === 'gauge' && !machine.supplies.some((supply) => supply.rate === id)) list.push(fact(named('signal', signal.signal), id, value));
  }
  return h('dl', { class: 'facts' }, ...list);
}

// The power of the last ten minutes: what the agent remembers, then what comes.
function spark(id) {
  const line = svg('path');
  const area = svg('path', { class: 'under' });
  const picture = svg('svg', { class: 'spark', viewBox: '0 0 300 30', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, area, line);
  const points = [];
  const draw = () => {
    while (points.length && points[0][0] < plant.now - SPARK_MS) points.shift();
    const span_ms = Math.min(SPARK_MS, Math.max(60000, plant.now - (points[0]?.[0] ?? 0)));
    const top = Math.max(...points.map((point) => point[1]), 0.001);
    const places = points.map(([t, v]) => [(300 * (1 - (plant.now - t) / span_ms)).toFixed(1), (29 - 27 * (v / top)).toFixed(1)]);
    if (!places.length) return;
    const drawn = `M${places.map((place) => place.join(' ')).join('L')}`;
    line.setAttribute('d', drawn);
    area.setAttribute('d', `${drawn}V30H${places[0][0]}Z`);
  };
  fetch(`/api/series/${encodeURI(plant.signals[id].key)}?range=10m`).then((answer) => answer.json()).then((curve) => {
    points.unshift(...curve.t.map((t, at) => [t * 1000, curve.mean[at]]).filter((point) => point[1] !== null));
    draw();
  }).catch(() => { /* the banner says when the agent is away */ });
  watch(id, () => { if (value(id) !== null && time(id) > (points[points.length - 1]?.[0] ?? 0)) points.push([time(id), value(id)]); });
  everySecond.push(draw);
  return picture;
}

function signalList(machine, choose) {
  const list = h('div', { class: 'signals' });
  const details = h('details', { class: 'more' }, h('summary', {}, `${text('all_signals')} (${machine.signals.length})`), list);
  details.addEventListener('toggle', () => {
    if (!details.open || list.children.length) return;
    for (const id of machine.signals) {
      const signal = plant.signals[id];
      const output = h('span');
      watch(id, () => {
        if (isBad(id)) say(output, text('bad_quality'));
        else if (id === machine.state) say(output, text(`state.${stateOf(machine)}`));
        else shown(output, id);
      });
      const isText = signal.kind === 'text' || signal.kind === 'event';
      list.append(h('button', { type: 'button', disabled: isText, onclick: () => choose(id) }, h('span', {}, named('signal', signal.signal)), output));
    }
  });
  return details;
}

function card(machine, choose) {
  const badge = h('span', { class: 'state' });
  const held = h('span');
  const job = h('p', { class: 'job' });
  const article = h('article', { class: 'card', 'aria-label': machine.name },
    h('header', {}, h('div', { class: 'name' }, machine.name), badge),
    h('div', { class: 'since' }, held, h('span', {}, machine.line)), job, facts(machine));
  let word = '';
  watch(machine.state, () => {
    if (stateOf(machine) === word) return;
    word = stateOf(machine);
    badge.className = `state is-${word}`;
    article.classList.toggle('in-fault', word === 'fault');
    badge.replaceChildren(glyph(word), text(`state.${word}`));
  });
  everySecond.push(() => {
    const start = since(machine.state);
    const isOld = !machine.signals.some(isLive);
    article.classList.toggle('old', isOld);
    if (isOld) say(held, text('values_of', { ago: ago(plant.now - newestTime(machine.signals)) }));
    else say(held, start ? `${text('since', { time: clock(start) })} · ${span(plant.now - start)}` : '');
  });
  const texts = machine.signals.filter((id) => plant.signals[id].kind === 'text');
  for (const id of texts) watch(id, () => say(job, texts.map(value).filter(Boolean).join(' · ')));
  const power = machine.supplies.find((supply) => supply.medium === 'electricity' && supply.rate >= 0);
  if (power) article.append(spark(power.rate));
  article.append(signalList(machine, choose));
  return article;
}

function legend() {
  const items = new Map();
  const present = new Set(Object.values(plant.states));
  byId('legend').replaceChildren(...WORDS.filter((word) => present.has(word)).map((word) => {
    const count = h('b');
    items.set(word, count);
    return h('li', {}, glyph(word), text(`state.${word}`), count);
  }));
  everySecond.push(() => {
    const states = plant.machines.map(stateOf);
    for (const [word, count] of items) {
      const n = states.filter((state) => state === word).length;
      say(count, whole(n));
      count.parentElement.classList.toggle('nobody', n === 0);
    }
  });
}

export function drawMachines(choose) {
  everySecond = [];
  overview();
  legend();
  const areas = [...new Set(plant.machines.map((machine) => machine.area))];
  const sections = areas.map((area) => {
    const cards = plant.machines.filter((machine) => machine.area === area).map((machine) => card(machine, choose));
    const section = h('section', { class: 'area' }, h('h3', {}, named('place', area)), h('div', { class: 'cards' }, ...cards));
    section.style.setProperty('--cards', Math.min(cards.length, 4)); // small areas share a row
    return section;
  });
  byId('machine-areas').replaceChildren(...(sections.length ? sections : [h('p', { class: 'panel note' }, text('no_machines'))]));
}

export function tickMachines() {
  for (const update of everySecond) update();
}
