// Elements from text, never from markup: what comes from machines is text, whatever it looks like.
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// Change the page only where it differs: no flicker, no lost selection, little work.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const byId = (id) => document.getElementById(id);

// A bearing as a sign of state: ring and balls when running, and another form for every other state.
export function glyph(word) {
  const picture = svg('svg', { class: `glyph is-${word}`, viewBox: '0 0 24 24', fill: 'none', stroke: 'currentColor', 'stroke-width': '2', 'aria-hidden': 'true' });
  picture.append(svg('circle', { cx: 12, cy: 12, r: 10 }));
  if (word === 'running') {
    const balls = svg('g', { class: 'balls', fill: 'currentColor', stroke: 'none' });
    for (let ball = 0; ball < 6; ball += 1) {
      const angle = (ball * Math.PI) / 3;
      balls.append(svg('circle', { cx: 12 + 5.6 * Math.sin(angle), cy: 12 - 5.6 * Math.cos(angle), r: 2 }));
    }
    picture.append(balls);
  } else if (word === 'fault') {
    picture.append(svg('path', { d: 'M12 6.5v7', 'stroke-width': '2.6', 'stroke-linecap': 'round' }), svg('circle', { cx: 12, cy: 17.2, r: 1.5, fill: 'currentColor', stroke: 'none' }));
  } else if (word === 'idle') {
    picture.append(svg('path', { d: 'M9.5 8.5v7M14.5 8.5v7', 'stroke-width': '2.4', 'stroke-linecap': 'round' }));
  } else if (word === 'setup' || word === 'maintenance') {
    picture.append(svg('path', { d: 'M7.5 9.5h9M7.5 14.5h9', 'stroke-linecap': 'round' }), svg('circle', { cx: 10, cy: 9.5, r: 1.4, fill: 'currentColor' }), svg('circle', { cx: 14, cy: 14.5, r: 1.4, fill: 'currentColor' }));
  }
  return picture;
}
