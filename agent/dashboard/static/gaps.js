// The newest holes in the data, one by one: whose, from when to when, why, and what is known of them.
import { byId, h } from './dom.js';
import { clock, named, span, text, whole } from './words.js';

let before = [];

function row(gap) {
  const [from, to] = [gap.from_ns / 1e6, gap.to_ns / 1e6];
  return h('tr', {},
    h('td', { class: 'strong' }, gap.source),
    h('td', {}, clock(from, { seconds: true })),
    h('td', {}, `${clock(to, { seconds: true })} · ${span(to - from)}`),
    h('td', {}, named('reason', gap.reason)),
    h('td', { class: 'num' }, gap.points === null || gap.points === undefined ? text('not_known') : whole(gap.points)),
    h('td', { class: 'note' }, gap.detail ?? ''));
}

export function drawGaps(gaps = before) {
  before = gaps;
  byId('gaps').hidden = !gaps.length;
  const heads = [['gap.source', ''], ['gap.from', ''], ['gap.to', ''], ['gap.reason', ''], ['gap.points', 'num'], ['gap.known', '']];
  byId('gap-list').replaceChildren(h('table', { class: 'table' },
    h('thead', {}, h('tr', {}, ...heads.map(([key, css]) => h('th', { class: css, scope: 'col' }, text(key))))),
    h('tbody', {}, ...gaps.map(row))));
}
