// Cards: a picture and a sentence each, which are one button; and the way to them from what is clicked further down.

const CLOSING_MS = 150;

const galleries = new WeakMap();

export default function (component) {
  const root = component.parentElement;
  const gallery = galleries.get(root) ?? { place: root.querySelector(".gallery"), list: root.querySelector(".cards") };
  galleries.set(root, gallery);
  gallery.open = (id) => component.setTriggerValue("opened", id);
  show(gallery, component.data);
}

function show(gallery, data) {
  gallery.list.setAttribute("aria-label", data.label);
  // By difference, so that the focus and the loaded pictures stay.
  const nodes = [...gallery.list.children];
  for (const [number, card] of data.cards.entries()) {
    const node = nodes[number] ?? gallery.list.appendChild(make(gallery));
    dress(node.firstElementChild, card);
  }
  for (const node of nodes.slice(data.cards.length)) node.remove();
  // The first showing is where the page begins; after that only what is asked for anew is gone to.
  if (gallery.reveal !== undefined && gallery.reveal !== data.reveal) reveal(gallery.place);
  gallery.reveal = data.reveal;
  // What was opened lies over the page, and takes the focus along as it closes.
  if (gallery.closed !== undefined && gallery.closed !== data.closed) setTimeout(() => resume(gallery, data), CLOSING_MS);
  gallery.closed = data.closed;
}

function resume(gallery, { last }) {
  const buttons = [...gallery.list.querySelectorAll("button")];
  (buttons.find((button) => button.dataset.id === last) ?? buttons[0])?.focus();
}

function make(gallery) {
  const item = document.createElement("div");
  const button = document.createElement("button");
  const words = document.createElement("span");
  item.setAttribute("role", "listitem");
  button.type = "button";
  button.className = "thaw-card";
  words.className = "words";
  button.append(document.createElement("img"), words);
  button.onclick = () => gallery.open(button.dataset.id);
  item.append(button);
  return item;
}

function dress(button, card) {
  const described = JSON.stringify(card);
  if (button.described === described) return;
  button.described = described;
  button.dataset.id = card.id;
  const [picture, words] = button.children;
  if (picture.getAttribute("src") !== card.picture) picture.src = card.picture;
  picture.loading = "lazy";
  picture.alt = card.alt;
  words.replaceChildren(...card.lines.map(line), note(card.note));
}

function line(parts) {
  const place = document.createElement("span");
  place.className = "line";
  place.title = parts.map(({ text }) => text).join("");
  for (const { text, strong } of parts) {
    const part = document.createElement(strong ? "strong" : "span");
    part.textContent = text;
    place.append(part);
  }
  place.append(" ");
  return place;
}

function note(text) {
  const place = document.createElement("span");
  place.className = "note";
  place.textContent = text;
  return place;
}

function reveal(place) {
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  place.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
  place.querySelector("button")?.focus({ preventScroll: true });
}
