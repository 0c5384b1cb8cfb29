// Words and numbers in the reader's language.
const LANGUAGES = ['en', 'zh'];
let words = {};
export let language = 'en';

function remembered() {
  try { return localStorage.getItem('raceway.language'); } catch { return null; }
}

export function preferred() {
  const asked = new URLSearchParams(location.search).get('lang');
  const configured = document.documentElement.dataset.language;
  const browser = navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
  return [asked, remembered(), configured, browser].find((name) => LANGUAGES.includes(name));
}

export async function speak(name) {
  const answer = await fetch(`/static/${name}.json`);
  words = await answer.json();
  language = name;
  document.documentElement.lang = name === 'zh' ? 'zh-CN' : 'en';
  try { localStorage.setItem('raceway.language', name); } catch { /* a private window forgets */ }
  for (const element of document.querySelectorAll('[data-text]')) element.textContent = text(element.dataset.text);
}

export function text(key, values = {}) {
  const found = words[key] ?? key;
  return found.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// A word for a name that the catalogue knows, else the name itself, made readable.
export function named(kind, name) {
  return words[`${kind}.${name}`] ?? words[`${kind}.${name.toLowerCase()}`] ?? name.replace(/_/g, ' ');
}

export const many = (key, n) => text(n === 1 ? `${key}_one` : `${key}_many`, { n: whole(n) });

const locale = () => (language === 'zh' ? 'zh-CN' : 'en-GB');
const formats = new Map();

function format(decimals) {
  const key = `${language}${decimals}`;
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(locale(), { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
  return formats.get(key);
}

export const whole = (number) => format(0).format(number);

const DECIMALS = { kW: 1, kWh: 1, rpm: 0, V: 1, A: 1, '°C': 1, '%': 1, bar: 2, 'm³/h': 1, 'm³': 1, 'mm/s': 2, s: 1, mm: 2, pcs: 0, kg: 0, 'm/s': 1 };

// As many decimals for every value of a unit, so that numbers do not jump.
export function number(value, signal) {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'string') return value;
  const usual = signal.kind === 'state' ? 0 : (DECIMALS[signal.unit] ?? (signal.kind === 'counter' && Number.isInteger(value) ? 0 : 2));
  const isSmallTotal = signal.kind === 'counter' && usual === 1 && value < 10; // the first minutes of a day
  return format(isSmallTotal ? 2 : usual).format(value);
}

// Where a unit says nothing that the number does not: pieces.
export const unitOf = (signal) => (signal.unit === 'pcs' && language === 'zh' ? '件' : signal.unit);

export function clock(ms, { seconds = false } = {}) {
  const date = new Date(ms);
  const options = { hour: '2-digit', minute: '2-digit', hour12: false, ...(seconds && { second: '2-digit' }) };
  if (Date.now() - ms > 86400000) Object.assign(options, { month: '2-digit', day: '2-digit' });
  return date.toLocaleString(locale(), options);
}

export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return text('span.s', { n: s });
  if (s < 3600) return text('span.min', { n: Math.floor(s / 60) });
  const [small, big, key] = s < 86400 ? [60, 3600, 'h'] : [3600, 86400, 'd'];
  const [n, m] = [Math.floor(s / big), Math.floor((s % big) / small)];
  return m ? text(`span.${key}${key === 'h' ? 'min' : 'h'}`, { n, m }) : text(`span.${key}`, { n });
}

const NOW_MS = 3000;

// How long ago, calm for what arrives every second.
export function ago(ms) {
  return ms < NOW_MS ? text('just_now') : text('ago', { span: span(ms) });
}

export function bytes(n) {
  return n < 1e6 ? `${whole(n / 1e3)} kB` : n < 1e9 ? `${format(1).format(n / 1e6)} MB` : `${format(2).format(n / 1e9)} GB`;
}
