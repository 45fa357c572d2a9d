// Photo: a picture as the model sees it, by the rule of `read_photo.py`.

const LONGER_SIDE = 640;
const WHITE_FROM = 245;
const GREY = 128;
const REDUCING_GAP = 3;

// The pixels of a picture, RGB, `side` by `side`, from a file, a camera's frame or anything else that can be drawn.
async function readPhoto(source, side) {
  const photo = source instanceof Blob ? await decode(source) : source;
  const [width, height] = [photo.videoWidth ?? photo.width, photo.videoHeight ?? photo.height];
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(photo, 0, 0);
  photo.close?.();
  let image = { width, height, bytes: pen.getImageData(0, 0, width, height).data };
  const fitted = fit(image);
  // What a decoder of JPEG does by itself where half, a quarter or an eighth of the pixels are enough.
  if (source.type === "image/jpeg") image = draft(image, fitted);
  layOnGround(image.bytes);
  image = resize(image, fitted.width, fitted.height, BICUBIC, REDUCING_GAP);
  const { bytes } = resize(image, side, side, BILINEAR);
  const pixels = new Uint8Array(side * side * 3);
  for (let from = 0, to = 0; from < bytes.length; from += 4) {
    pixels[to++] = bytes[from];
    pixels[to++] = bytes[from + 1];
    pixels[to++] = bytes[from + 2];
  }
  return pixels;
}

async function decode(blob) {
  try {
    return await createImageBitmap(blob, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch {
    throw new Error("This is no picture that your browser can open. Take a JPEG, a PNG or a WebP.");
  }
}

function fit({ width, height }) {
  const scale = Math.min(1, LONGER_SIDE / Math.max(width, height));
  return { width: Math.max(1, roundEven(width * scale)), height: Math.max(1, roundEven(height * scale)) };
}

// As Python rounds: a half goes to the even number.
function roundEven(number) {
  const low = Math.floor(number);
  return number - low === 0.5 ? low + (low % 2) : Math.round(number);
}

function draft(image, { width, height }) {
  const most = Math.min(Math.floor(image.width / width), Math.floor(image.height / height));
  const times = [8, 4, 2].find((each) => each <= most);
  return times ? reduce(image, times, times) : image;
}

// Lays what is transparent on white, or on grey where nine tenths of what is seen is white; alpha that is the same
// everywhere means nothing.
function layOnGround(bytes) {
  const [first] = [bytes[3]];
  let [seen, white, isEven] = [0, 0, true];
  for (let place = 0; place < bytes.length; place += 4) {
    const alpha = bytes[place + 3];
    isEven &&= alpha === first;
    seen += alpha;
    if (Math.min(bytes[place], bytes[place + 1], bytes[place + 2]) >= WHITE_FROM) white += alpha;
  }
  if (isEven) return;
  const ground = white >= 0.9 * seen ? GREY : 255;
  for (let place = 0; place < bytes.length; place += 4) {
    const alpha = bytes[place + 3];
    for (let channel = place; channel < place + 3; channel++) {
      bytes[channel] = Math.round((bytes[channel] * alpha + ground * (255 - alpha)) / 255);
    }
    bytes[place + 3] = 255;
  }
}
