// Resample: an image made smaller just as Pillow does it, so that the model sees here what it saw when it learnt. Images
// are {width, height, bytes} of four bytes a pixel; the arithmetic is Pillow's: 22 bits of a weight, rounded once a pass.

const WEIGHT_BITS = 22;
const BICUBIC = { reach: 2, weigh: weighCubic };
const BILINEAR = { reach: 1, weigh: (x) => Math.max(0, 1 - Math.abs(x)) };

// Keys's cubic with a = -1/2.
function weighCubic(x) {
  const far = Math.abs(x);
  if (far < 1) return (1.5 * far - 2.5) * far * far + 1;
  return far < 2 ? ((far - 5) * far + 8) * far * -0.5 + 2 : 0;
}

// Where a photo is more than `gap` times too large its pixels are averaged in blocks first: Pillow's `reducing_gap`.
function resize(image, width, height, filter, gap = Infinity) {
  const across = Math.max(1, Math.floor(image.width / width / gap));
  const down = Math.max(1, Math.floor(image.height / height / gap));
  const reduced = across > 1 || down > 1 ? reduce(image, across, down) : image;
  const narrow = squeeze(reduced, image.width / across, width, filter, false);
  return squeeze(narrow, image.height / down, height, filter, true);
}

// Resamples one axis of an image, of which `length` (which may be a fraction less than the image has) becomes `target`.
function squeeze(image, length, target, filter, isDown) {
  const { width, height, bytes } = image;
  const source = isDown ? height : width;
  if (source === target && length === source) return image;
  const made = isDown ? { width, height: target } : { width: target, height };
  made.bytes = new Uint8ClampedArray(made.width * made.height * 4);
  const [step, lines] = isDown ? [4 * width, width] : [4, height];
  const [nextLine, madeStep, madeLine] = isDown ? [4, 4 * width, 4] : [4 * width, 4, 4 * target];
  listWeights(source, length, target, filter).forEach(({ first, weights }, place) => {
    for (let line = 0; line < lines; line++) {
      for (let channel = 0; channel < 4; channel++) {
        let sum = 1 << (WEIGHT_BITS - 1);
        let from = line * nextLine + first * step + channel;
        for (const weight of weights) {
          sum += bytes[from] * weight;
          from += step;
        }
        made.bytes[line * madeLine + place * madeStep + channel] = sum >> WEIGHT_BITS;
      }
    }
  });
  return made;
}

// For every pixel that is made: where what it is made of begins, and the weights of it as whole numbers.
function listWeights(source, length, target, { reach, weigh }) {
  const scale = length / target;
  const stretch = Math.max(1, scale);
  return Array.from({ length: target }, (made, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach * stretch + 0.5));
    const end = Math.min(source, Math.trunc(centre + reach * stretch + 0.5));
    const shares = Array.from({ length: end - first }, (each, number) => weigh((number + first - centre + 0.5) / stretch));
    const total = shares.reduce((sum, share) => sum + share, 0);
    const weights = shares.map((share) => Math.trunc((share / total) * 2 ** WEIGHT_BITS + (share < 0 ? -0.5 : 0.5)));
    return { first, weights };
  });
}

// Averages blocks of `across` by `down` pixels; at the right and at the bottom what is left of one.
function reduce({ width, height, bytes }, across, down) {
  const made = { width: Math.ceil(width / across), height: Math.ceil(height / down) };
  made.bytes = new Uint8ClampedArray(made.width * made.height * 4);
  for (let y = 0; y < made.height; y++) {
    const bottom = Math.min(height, (y + 1) * down);
    for (let x = 0; x < made.width; x++) {
      const right = Math.min(width, (x + 1) * across);
      const count = (bottom - y * down) * (right - x * across);
      for (let channel = 0; channel < 4; channel++) {
        let sum = 0;
        for (let row = y * down; row < bottom; row++) {
          for (let column = x * across; column < right; column++) sum += bytes[4 * (row * width + column) + channel];
        }
        made.bytes[4 * (y * made.width + x) + channel] = Math.floor(sum / count + 0.5);
      }
    }
  }
  return made;
}
