// Model: the network and the runtime that computes it, both inside this file; nothing is asked of any host.

const facts = JSON.parse(document.getElementById("facts").textContent);

class Model {
  static async load() {
    const kit = await import(await addressOf("index.js", linkHelper));
    await kit.loadLiteRt("");
    const model = new Model();
    model.Tensor = kit.Tensor;
    model.network = await kit.loadAndCompile(await unpack("model"), { accelerator: "wasm" });
    return model;
  }

  // What the model says of the RGB pixels of an image: {probabilities, answer}.
  async answer(pixels) {
    // The network does one thing at a time.
    const turn = (this.turn ?? Promise.resolve()).then(() => this.run(pixels));
    this.turn = turn.catch(() => {});
    return turn;
  }

  async run(pixels) {
    const image = new this.Tensor(pixels, [1, facts.side, facts.side, 3]);
    const outputs = await this.network.run({ image });
    const probabilities = [...outputs.probabilities.toTypedArray()];
    const [answer] = outputs.answer.toTypedArray();
    // The runtime's memory is not the browser's: nothing of it is freed by itself.
    for (const each of [image, ...Object.values(outputs)]) each.delete();
    return { probabilities, answer };
  }

  // What the model says of a picture: {label, confidence, probabilities}; the label is null where it does not know.
  async classify(picture) {
    const { probabilities, answer } = await this.answer(await readPhoto(picture, facts.side));
    const shares = Object.fromEntries(facts.labels.map((label, number) => [label, probabilities[number]]));
    return { label: facts.labels[answer] ?? null, confidence: Math.max(...probabilities), probabilities: shares };
  }
}

// The bytes of a part of this file, which are written in it as base64 of a gzip.
async function unpack(name) {
  const part = document.getElementById(name);
  const packed = bytesOf(part.textContent);
  part.remove();
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}

// Letter by letter in a loop: `Uint8Array.from` takes seconds for a model.
function bytesOf(base64) {
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let place = 0; place < letters.length; place++) bytes[place] = letters.charCodeAt(place);
  return bytes;
}

// An address within this page of a script that is a part of it, once it was changed as needed.
async function addressOf(name, change = (script) => script) {
  const script = change(new TextDecoder().decode(await unpack(name)));
  return URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
}

// The runtime takes what loads its WebAssembly from a module that would lie beside it; here it is `startRuntime`.
function linkHelper(script) {
  const helper = new Blob(["export const createWasmLib = window.startRuntime;"], { type: "text/javascript" });
  return script.replace('"@litertjs/wasm-utils"', JSON.stringify(URL.createObjectURL(helper)));
}

window.startRuntime = async (Runtime, name) => {
  const loader = document.createElement("script");
  loader.src = await addressOf(name);
  await new Promise((resolve, reject) => {
    Object.assign(loader, { onload: resolve, onerror: () => reject(new Error(`${name} did not load`)) });
    document.head.append(loader);
  });
  return new Runtime(await window.ModuleFactory({ wasmBinary: await unpack(name.replace(/js$/, "wasm")) }));
};
