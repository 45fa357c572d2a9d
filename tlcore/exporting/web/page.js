// Page: pictures that are dropped or chosen, or the camera, and what the model says of them, in large letters.

const UNKNOWN = "I don't know";
const MOST_BARS = 5;
const MOST_A_SECOND = 10;
const find = (name) => document.querySelector(name);

const loading = Model.load();

window.thaw = {
  classify: async (blob) => (await loading).classify(blob),
  // For whoever proves this file: the raw pixels of images, base64, one after another; the network's numbers for each.
  answer: async (pixels, count) => {
    const bytes = bytesOf(pixels);
    const model = await loading;
    const size = bytes.length / count;
    const answers = [];
    for (let start = 0; start < bytes.length; start += size) answers.push(await model.answer(bytes.slice(start, start + size)));
    return answers;
  },
};

// A page that holds this one in a frame sends {thaw: NUMBER, picture: BLOB} and hears {thaw: NUMBER, ...answer}.
addEventListener("message", async ({ data, source, origin }) => {
  if (data?.thaw === undefined || !(data.picture instanceof Blob)) return;
  const answer = await window.thaw.classify(data.picture).catch((problem) => ({ error: problem.message }));
  source.postMessage({ thaw: data.thaw, ...answer }, origin === "null" ? "*" : origin);
});

function draw({ label, probabilities }) {
  const words = label ?? UNKNOWN;
  // Said once, not with every frame.
  if (find(".answer").textContent !== words) find(".answer").textContent = words;
  find(".answer").classList.toggle("unsure", label === null);
  const least = Object.values(probabilities).sort((one, other) => other - one)[MOST_BARS - 1] ?? 0;
  // In the order of the names, so that with the camera on the bars move and the names stay.
  const likeliest = Object.entries(probabilities).filter(([, share]) => share >= least).slice(0, MOST_BARS);
  find(".bars").replaceChildren(...likeliest.map(([name, share]) => makeBar(name, share)));
}

function makeBar(name, share) {
  const bar = document.createElement("li");
  const [words, track, fill, percent] = Array.from({ length: 4 }, () => document.createElement("span"));
  words.textContent = name;
  words.className = "name";
  track.className = "track";
  fill.style.width = `${100 * share}%`;
  track.append(fill);
  percent.textContent = `${Math.round(100 * share)}%`;
  percent.className = "share";
  bar.append(words, track, percent);
  return bar;
}

function complain(words) {
  find(".problem").textContent = words;
  find(".problem").hidden = !words;
}

const camera = {
  async start() {
    complain("");
    try {
      if (!navigator.mediaDevices) throw new Error("Your browser gives no camera to this page. Drop a photo instead.");
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch (problem) {
      complain(problem.name === "NotAllowedError" ? "Allow the camera in your browser, then try again." : problem.message);
      return;
    }
    find("video").srcObject = this.stream;
    await find("video").play();
    this.dress(true);
    while (this.stream) {
      const begun = performance.now();
      const answer = await window.thaw.classify(middleSquare(find("video"))).catch((problem) => complain(problem.message));
      if (this.stream && answer) draw(answer);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, 1000 / MOST_A_SECOND - (performance.now() - begun))));
    }
  },

  stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = find("video").srcObject = null;
    this.dress(false);
  },

  dress(isOn) {
    find("video").hidden = !isOn;
    if (isOn) find("img").hidden = true;
    find(".camera").textContent = isOn ? "Stop the camera" : "Use the camera";
    find(".camera").setAttribute("aria-pressed", String(isOn));
  },
};

async function show(blob) {
  camera.stop();
  complain("");
  try {
    const answer = await window.thaw.classify(blob);
    URL.revokeObjectURL(find("img").src);
    find("img").src = URL.createObjectURL(blob);
    find("img").hidden = false;
    draw(answer);
  } catch (problem) {
    complain(problem.message);
  }
}

// What recordings are made of: the model learnt from such squares.
function middleSquare(video) {
  const side = Math.min(video.videoWidth, video.videoHeight);
  const square = new OffscreenCanvas(side, side);
  square.getContext("2d").drawImage(video, (side - video.videoWidth) / 2, (side - video.videoHeight) / 2);
  return square;
}

find(".camera").onclick = () => (camera.stream ? camera.stop() : camera.start());
find("input").onchange = ({ target }) => target.files.length && show(target.files[0]);
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
addEventListener("dragleave", ({ relatedTarget }) => relatedTarget || document.body.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const picture = [...event.dataTransfer.files].find((file) => file.type.startsWith("image/"));
  if (picture) show(picture);
  else complain("This is no picture. Drop a JPEG, a PNG or a WebP.");
});
addEventListener("paste", ({ clipboardData }) => clipboardData.files.length && show(clipboardData.files[0]));

loading.then(
  () => {
    find(".answer").textContent = "Show me a picture";
    document.querySelectorAll("button, input").forEach((each) => (each.disabled = false));
    document.body.dataset.ready = "true";
  },
  (problem) => {
    find(".answer").textContent = "This browser cannot run the model";
    complain(`Open this page in a newer Chrome, Edge, Firefox or Safari. (${problem.message})`);
  },
);
