// Curve: how many of 100 exam photos are right after each round, as a small SVG.

const SVG = "http://www.w3.org/2000/svg";
const LEFT = 42;
const RIGHT = 312;
const TOP = 10;
const BOTTOM = 108;

// `rounds` is how many there will be, where they are known.
function drawCurve(svg, shares, rounds = shares.length) {
  svg.replaceChildren();
  svg.toggleAttribute("hidden", !shares.length);
  if (!shares.length) return;
  const lowest = Math.min(0.5, Math.floor(Math.min(...shares) * 10) / 10);
  const across = (index) => LEFT + ((RIGHT - LEFT) * index) / Math.max(1, rounds - 1);
  const up = (share) => BOTTOM - ((BOTTOM - TOP) * (share - lowest)) / (1 - lowest);
  for (const share of [lowest, (lowest + 1) / 2, 1]) {
    add(svg, "line", { class: "grid", x1: LEFT, x2: RIGHT, y1: up(share), y2: up(share) });
    add(svg, "text", { x: LEFT - 6, y: up(share) + 4, "text-anchor": "end" }).textContent = `${Math.round(100 * share)}%`;
  }
  add(svg, "text", { x: RIGHT, y: BOTTOM + 18, "text-anchor": "end" }).textContent = `${shares.length} rounds (epochs)`;
  const points = shares.map((share, index) => `${across(index).toFixed(1)},${up(share).toFixed(1)}`);
  add(svg, "polyline", { class: "line", points: points.join(" ") });
  add(svg, "circle", { cx: across(shares.length - 1), cy: up(shares.at(-1)), r: 4 });
  const [first, last] = [shares[0], shares.at(-1)].map((share) => `${Math.round(100 * share)}%`);
  const told = shares.length === 1 ? `after one round: ${last}` : `over ${shares.length} rounds: from ${first} to ${last}`;
  svg.setAttribute("aria-label", `Exam photos right ${told}.`);
}

function add(parent, name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}
