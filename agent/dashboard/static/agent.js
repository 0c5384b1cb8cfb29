// The way of the data: how much was read, is durable, was delivered, and what is wrong.
import { byId, h, say } from './dom.js';
import { ago, bytes, clock, many, named, span, text, whole } from './words.js';

const OWN = 'raceway';
const ms = (ns) => ns / 1e6;
let before = null;

function total(parts, key) {
  return Object.values(parts).reduce((all, part) => all + part[key], 0);
}

function figures(status) {
  const databases = Object.values(status.sinks).filter((sink) => sink.kind.startsWith('influx'));
  return {
    read: total(status.sources, 'points'),
    durable: status.log.points ?? 0,
    delivered: databases.length ? databases.reduce((all, sink) => all + sink.points, 0) : null,
    history: status.history ? Object.values(status.history.points).reduce((all, n) => all + n, 0) : null,
  };
}

// Mean over ten seconds: sinks work in steps, and a number that jumps says nothing.
const seen = [];
function rates(now, figure) {
  seen.push([now, figure]);
  while (seen.length > 2 && seen[1][0] <= now - 10000) seen.shift();
  const [then, old] = seen[0];
  return (key) => (now - then < 900 || figure[key] === null || old[key] === null ? null : Math.max(0, ((figure[key] - old[key]) * 1000) / (now - then)));
}

function waiting(sinks, now) {
  const n = sinks.reduce((all, sink) => all + sink.pending_points, 0);
  if (!n) return text('nothing_waiting');
  const oldest = Math.min(...sinks.filter((sink) => sink.oldest_pending_ns).map((sink) => ms(sink.oldest_pending_ns)));
  return text('waiting', { n: whole(n) }) + (Number.isFinite(oldest) ? `, ${text('oldest', { span: span(now - oldest) })}` : '');
}

function chain(status, now) {
  const figure = figures(status);
  const rate = rates(now, figure);
  const databases = Object.values(status.sinks).filter((sink) => sink.kind.startsWith('influx'));
  const histories = Object.values(status.sinks).filter((sink) => sink.kind === 'history');
  const below = {
    read: text('chain.read_note'),
    durable: `${text('chain.durable_note')} · ${named('log', status.log.state ?? 'ok')}`,
    delivered: databases.length ? `${text('chain.delivered_note')} · ${waiting(databases, now)}` : text('chain.no_database'),
    history: text('chain.history_note') + (histories.length ? ` · ${waiting(histories, now)}` : ''),
  };
  byId('chain').replaceChildren(...Object.entries(figure).map(([key, n]) => h('li', {},
    h('div', { class: 'what' }, text(`chain.${key}`)),
    h('div', { class: 'number' }, n === null ? '–' : whole(n), h('span', { class: 'rate' }, rate(key) === null ? '' : `${whole(rate(key))} ${text('per_s')}`)),
    h('div', { class: 'below' }, below[key]))));
}

function hint(part) {
  const troubles = Object.entries(part.troubles ?? {});
  const hints = [];
  if (part.reason) hints.push(h('p', { class: 'hint' }, part.reason));
  if (part.silent_s) hints.push(h('p', { class: 'hint' }, text('silent', { span: span(part.silent_s * 1000) })));
  if (troubles.length) {
    hints.push(h('details', { class: 'hint', 'data-key': 'troubles' }, h('summary', {}, many('troubles', part.troubles_in_all ?? troubles.length)),
      h('ul', {}, ...troubles.map(([name, why]) => h('li', {}, h('b', {}, name), ` ${why}`)))));
  }
  return hints;
}

const COLOURS = { silent: 'fault', connected: 'running', delivering: 'running', connecting: 'setup', starting: 'setup', lost: 'fault', blocked: 'fault' };

function badge(kind, state) {
  return h('span', { class: `state is-${COLOURS[state] ?? 'off'}` }, text(`${kind}.${state}`));
}

function table(place, heads, rows) {
  const open = new Set([...place.querySelectorAll('tr[data-name]')].filter((line) => line.querySelector('details[open]')).map((line) => line.dataset.name));
  place.replaceChildren(h('table', { class: 'table' }, h('thead', {}, h('tr', {}, ...heads.map(([key, css]) => h('th', { class: css, scope: 'col' }, text(key))))), h('tbody', {}, ...rows)));
  for (const line of place.querySelectorAll('tr[data-name]')) if (open.has(line.dataset.name)) line.querySelector('details')?.setAttribute('open', '');
}

function row(name, kind, part, cells) {
  const about = h('td', {}, h('div', { class: 'strong' }, name), h('div', { class: 'note' }, part.address), ...hint(part));
  return h('tr', { 'data-name': name }, about, h('td', {}, badge(kind, part.silent_s ? 'silent' : part.state), h('div', { class: 'note' }, text('since', { time: clock(ms(part.since_ns)) }))), ...cells);
}

function age(ns, now) {
  return ns ? ago(now - ms(ns)) : text('never');
}

function sources(status, now) {
  const rows = Object.entries(status.sources).filter(([name]) => name !== OWN).map(([name, source]) => row(name, 'source', source, [
    h('td', { class: 'num' }, whole(source.points)), h('td', { class: 'num' }, age(source.last_data_ns, now))]));
  table(byId('sources'), [['name', ''], ['state', ''], ['points', 'num'], ['age', 'num']], rows);
}

function sinks(status, now) {
  const rows = Object.entries(status.sinks).map(([name, sink]) => row(name, 'sink', sink, [
    h('td', { class: 'num' }, whole(sink.points)), h('td', { class: 'num' }, sink.pending_points ? [whole(sink.pending_points), ` · ${span(now - ms(sink.oldest_pending_ns))}`].join('') : text('nothing_waiting'))]));
  table(byId('sinks'), [['name', ''], ['state', ''], ['delivered', 'num'], ['backlog', 'num']], rows);
}

function counts(status) {
  const lost = Object.values(status.log.lost_points ?? {}).reduce((all, n) => all + n, 0);
  const parts = [['gaps', status.log.gaps ?? total(status.sources, 'gaps')], ['dead_letters', status.log.dead_letters ?? 0], ['lost', lost]];
  const list = parts.map(([key, n]) => h('span', { class: n && key === 'lost' ? 'bad' : '' }, `${text(key)} `, h('b', {}, whole(n))));
  if (status.log.bytes_on_disk) list.push(h('span', {}, `${text('disk')} `, h('b', {}, `${bytes(status.log.bytes_on_disk)}${status.log.quota_bytes ? ` / ${bytes(status.log.quota_bytes)}` : ''}`)));
  let place = byId('counts');
  if (!place) {
    place = h('p', { id: 'counts', class: 'counts' });
    byId('chain').after(place);
  }
  place.replaceChildren(...list);
}

function headline(status) {
  const parts = [...Object.values(status.sources), ...Object.values(status.sinks)];
  const wrong = parts.filter((part) => ['lost', 'blocked'].includes(part.state) || part.silent_s).length
    + parts.filter((part) => Object.keys(part.troubles ?? {}).length).length
    + (['ok', undefined].includes(status.log.state) ? 0 : 1);
  byId('headline').classList.toggle('warn', wrong > 0);
  say(byId('headline'), wrong ? many('hints', wrong) : text('all_well'));
}

export function drawAgent(status = before) {
  if (!status) return;
  before = status;
  const now = ms(status.now_ns);
  say(byId('plant'), status.plant || 'Raceway');
  headline(status);
  chain(status, now);
  counts(status);
  sources(status, now);
  sinks(status, now);
  say(byId('version'), `Raceway · ${text('up', { span: span(status.up_s * 1000) })}`);
}
