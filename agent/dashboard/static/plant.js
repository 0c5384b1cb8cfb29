// The plant as the page knows it: signals, newest values, today's rises, and who wants to hear of changes.
export const plant = { signals: [], machines: [], meters: [], mains: {}, states: {}, values: new Map(), today: {}, sources: {}, now: 0 };

const OWN = 'raceway';
const listeners = new Map();

export function forget() {
  listeners.clear();
}

export function watch(id, tell) {
  if (id < 0) return;
  if (!listeners.has(id)) listeners.set(id, []);
  listeners.get(id).push(tell);
  tell();
}

export function takePlant(sent) {
  const { values, ...rest } = sent;
  Object.assign(plant, rest);
  for (const row of values) plant.values.set(row[0], row);
}

export function takeValues(rows) {
  for (const row of rows) {
    plant.values.set(row[0], row);
    for (const tell of listeners.get(row[0]) ?? []) tell();
  }
}

export function takeToday(rises) {
  plant.today = rises;
  for (const id of Object.keys(rises)) for (const tell of listeners.get(Number(id)) ?? []) tell();
}

export const value = (id) => plant.values.get(id)?.[2] ?? null;
export const time = (id) => plant.values.get(id)?.[1] ?? 0;
export const since = (id) => plant.values.get(id)?.[4] ?? 0;
export const isBad = (id) => (plant.values.get(id)?.[3] ?? 0) >= 0x80000000;
export const rise = (id) => plant.today[id] ?? null;
const delivers = (source) => source.state === 'connected' && !source.silent_s;

// Whether a signal's source delivers: connected, and not silent against its own rhythm. What is known from before a
// restart and was not heard since is unchanged while any source delivers.
export function isLive(id) {
  const { source } = plant.signals[id];
  if (source) return source in plant.sources && delivers(plant.sources[source]);
  return Object.entries(plant.sources).some(([name, other]) => name !== OWN && delivers(other));
}

export const newestTime = (ids) => Math.max(0, ...ids.map(time));
export const find = (thing, name) => thing.signals.find((id) => plant.signals[id].signal === name) ?? -1;

export function stateOf(machine) {
  if (machine.state < 0) return 'none';
  const number = value(machine.state);
  return number === null ? 'unknown' : (plant.states[number] ?? 'unknown');
}

export function sum(ids, what) {
  const known = ids.map(what).filter((number) => typeof number === 'number');
  return known.length ? known.reduce((total, number) => total + number, 0) : null;
}
