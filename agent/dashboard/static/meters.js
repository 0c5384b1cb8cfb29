// A row for each medium of each meter.
import { byId, h, say } from './dom.js';
import { isLive, plant, rise, time, value, watch } from './plant.js';
import { ago, named, number, text, unitOf } from './words.js';

let everySecond = [];

function amount(id, amountOf, strong) {
  const cell = h('td', { class: strong ? 'num strong' : 'num' });
  const update = () => cell.replaceChildren(number(amountOf(id), plant.signals[id]), h('span', { class: 'unit' }, unitOf(plant.signals[id])));
  if (id < 0) cell.textContent = '–';
  else watch(id, update);
  return cell;
}

function row(meter, supply, choose) {
  const age = h('td', { class: 'num hide-small' });
  const id = supply.rate >= 0 ? supply.rate : supply.total;
  const line = h('tr', {},
    h('td', {}, h('button', { type: 'button', onclick: () => choose(id) }, meter.name)),
    h('td', {}, text(`medium.${supply.medium}`)),
    amount(supply.rate, value, true), amount(supply.total, rise, true),
    h('td', { class: 'hide-small' }, [named('place', meter.area), meter.line].filter(Boolean).join(' · ')),
    Object.assign(amount(supply.total, value), { className: 'num hide-small' }), age);
  everySecond.push(() => {
    say(age, ago(plant.now - time(id)));
    line.classList.toggle('old', !isLive(id));
  });
  return line;
}

export function drawMeters(choose) {
  everySecond = [];
  const heads = [['meter', ''], ['measures', ''], ['rate_now', 'num'], ['total_today', 'num'], ['place', 'hide-small'], ['reading', 'num hide-small'], ['age', 'num hide-small']];
  const rows = [...plant.meters, ...plant.machines].flatMap((meter) => meter.supplies.filter((supply) => supply.total >= 0).map((supply) => row(meter, supply, choose)));
  byId('meters').replaceChildren(
    h('thead', {}, h('tr', {}, ...heads.map(([key, css]) => h('th', { class: css, scope: 'col' }, text(key))))),
    h('tbody', {}, ...(rows.length ? rows : [h('tr', {}, h('td', { colspan: 7 }, text('no_meters')))])));
}

export function tickMeters() {
  for (const update of everySecond) update();
}
