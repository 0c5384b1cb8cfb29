// Wiring: the stream in, the parts of the page out.
import { drawAgent } from './agent.js';
import { choose, drawCurve, startCurve, tickCurve } from './curve.js';
import { byId, say } from './dom.js';
import { drawMachines, tickMachines } from './machines.js';
import { drawMeters, tickMeters } from './meters.js';
import { drawGaps } from './gaps.js';
import { forget, plant, takePlant, takeToday, takeValues } from './plant.js';
import { clock, language, preferred, speak, text } from './words.js';

const SILENT_MS = 6000; // the agent speaks every second
let heardAt = performance.now();
let behind = 0; // gateway clock minus ours
let stream = null;
let drawn = '';

function drawAll() {
  forget();
  drawMachines(choose);
  drawMeters(choose);
  drawCurve();
  drawAgent();
  drawGaps();
  tick();
}

function tick() {
  plant.now = Date.now() + behind;
  tickMachines();
  tickMeters();
  say(byId('clock'), new Date(plant.now).toLocaleString(language === 'zh' ? 'zh-CN' : 'en-GB', { dateStyle: 'medium', timeStyle: 'short' }));
  const silent = performance.now() - heardAt > SILENT_MS;
  byId('banner').hidden = !silent;
  if (silent) say(byId('banner'), text('unreachable', { time: clock(plant.now - (performance.now() - heardAt), { seconds: true }) }));
  if (silent && stream.readyState === EventSource.CLOSED) listen();
}

function listen() {
  stream?.close();
  stream = new EventSource('/api/stream');
  const on = (name, take) => stream.addEventListener(name, (event) => {
    heardAt = performance.now();
    take(JSON.parse(event.data));
  });
  on('plant', (sent) => {
    const shape = JSON.stringify([sent.machines, sent.meters]);
    takePlant(sent);
    if (shape === drawn) { // a new event series, say: what is open on the page stays open
      takeValues(sent.values);
      return;
    }
    drawn = shape;
    drawAll();
  });
  on('values', (rows) => { takeValues(rows); tickCurve(); });
  on('today', takeToday);
  on('gaps', drawGaps);
  on('status', (status) => {
    behind = status.now_ns / 1e6 - Date.now();
    plant.sources = status.sources;
    drawAgent(status);
    tick();
  });
}

function buttons() {
  const themes = ['auto', 'light', 'dark'];
  const label = () => {
    say(byId('language'), text('language'));
    byId('language').setAttribute('aria-label', text('language_label'));
    say(byId('theme'), text(`theme_${window.raceway.theme()}`));
    byId('theme').setAttribute('aria-label', `${text('theme_label')}: ${text(`theme_${window.raceway.theme()}`)}`);
  };
  byId('language').addEventListener('click', async () => {
    await speak(language === 'zh' ? 'en' : 'zh');
    label();
    drawAll();
  });
  byId('theme').addEventListener('click', () => {
    try { localStorage.setItem('raceway.theme', themes[(themes.indexOf(window.raceway.theme()) + 1) % 3]); } catch { /* stays as it is */ }
    window.raceway.applyTheme();
    label();
  });
  label();
}

async function start() {
  await speak(preferred());
  buttons();
  startCurve();
  listen();
  setInterval(tick, 1000);
}

start();
