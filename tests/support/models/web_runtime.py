"""A small runtime of web pages, which names the strongest of three colours: packed as npm packs the real one."""

import base64
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from tlcore.exporting.web import runtime

INTERFACE = """\
import { createWasmLib } from "@litertjs/wasm-utils";
class Kit { constructor(module) { this.module = module; } }
let kit;
const loadLiteRt = async (folder) => {
  kit = await createWasmLib(Kit, folder + "litert_wasm_internal.js");
  if (kit.module.size !== 4) throw new Error(`the WebAssembly has ${kit.module.size} bytes`);
};
class Tensor {
  constructor(values, shape) { Object.assign(this, { values, shape }); }
  toTypedArray() { return this.values; }
  delete() { this.values = null; }
}
const loadAndCompile = async (model) => ({
  async run({ image }) {
    if (image.values.length !== image.shape.reduce((one, other) => one * other)) throw new Error("another shape");
    const sums = [0, 0, 0];
    image.values.forEach((value, place) => { sums[place % 3] += value; });
    const total = sums[0] + sums[1] + sums[2];
    const shares = new Float32Array(sums.map((sum) => sum / total));
    const strongest = Math.max(...shares);
    const answer = new Int32Array([strongest < model[0] / 100 ? -1 : shares.indexOf(strongest)]);
    return { probabilities: new Tensor(shares), answer: new Tensor(answer) };
  },
});
export { Tensor, loadAndCompile, loadLiteRt };
"""
LOADER = "var ModuleFactory = async ({ wasmBinary }) => ({ size: wasmBinary.length });"
MODEL = bytes([50])
"""A network of that runtime, which does not know where no colour has half of it."""
COLOURS = ["red", "green", "blue"]


def pack_runtime(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the package to `path` and have its content taken for the known one; return `path`."""
    parts = {
        "dist/index.js": INTERFACE,
        "wasm/litert_wasm_internal.js": LOADER,
        "wasm/litert_wasm_internal.wasm": "wasm",
        "wasm/litert_wasm_compat_internal.js": LOADER,
        "wasm/litert_wasm_compat_internal.wasm": "plain",
    }
    with tarfile.open(path, "w:gz") as package:
        for name, text in parts.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            package.addfile(entry, io.BytesIO(text.encode()))
    content = path.read_bytes()
    monkeypatch.setattr(runtime, "BYTES", len(content))
    monkeypatch.setattr(runtime, "INTEGRITY", base64.b64encode(hashlib.sha512(content).digest()).decode())
    return path
