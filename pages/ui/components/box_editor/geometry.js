// Geometry of boxes: shares (0 to 1) of the photo, to six decimals, and always within it.

const DECIMALS = 1e6;
// The least that is left of a box that is made smaller.
const LEAST_SHARE = 0.004;

function rounded(share) {
  return Math.round(share * DECIMALS) / DECIMALS;
}

function clamped(value, low, high) {
  return Math.max(low, Math.min(value, high));
}

function fromEdges(box, left, top, right, bottom) {
  const x = rounded(left);
  const y = rounded(top);
  const width = Math.min(rounded(right - left), rounded(1 - x));
  return { ...box, x, y, width, height: Math.min(rounded(bottom - top), rounded(1 - y)) };
}

// The box between two points, which may lie beside the photo.
function between(box, one, other) {
  const [left, right] = [one.x, other.x].map((x) => clamped(x, 0, 1)).sort((a, b) => a - b);
  const [top, bottom] = [one.y, other.y].map((y) => clamped(y, 0, 1)).sort((a, b) => a - b);
  return fromEdges(box, left, top, right, bottom);
}

function moved(box, across, down) {
  const x = rounded(clamped(box.x + across, 0, 1 - box.width));
  const y = rounded(clamped(box.y + down, 0, 1 - box.height));
  return { ...box, x, y };
}

// `edges` names those that follow, by the points of the compass: "n", "se" and so on.
function resized(box, edges, across, down) {
  let [left, top, right, bottom] = [box.x, box.y, box.x + box.width, box.y + box.height];
  if (edges.includes("w")) left = clamped(left + across, 0, right - LEAST_SHARE);
  if (edges.includes("e")) right = clamped(right + across, left + LEAST_SHARE, 1);
  if (edges.includes("n")) top = clamped(top + down, 0, bottom - LEAST_SHARE);
  if (edges.includes("s")) bottom = clamped(bottom + down, top + LEAST_SHARE, 1);
  return fromEdges(box, left, top, right, bottom);
}

function holds(box, { x, y }) {
  return x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
}

// The smallest of the boxes around a point: one that lies within another can be reached.
function smallestAt(boxes, point) {
  const around = boxes.filter((box) => holds(box, point));
  return around.sort((one, other) => one.width * one.height - other.width * other.height)[0];
}
