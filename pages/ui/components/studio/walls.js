// Walls: each kind of photos as a wall, with its name to change, its count, and the buttons that add to it or remove it.

// More kinds than these stand side by side before a room.
const MOST_BELOW = 3;

class Walls {
  constructor(box, acts) {
    this.box = box;
    this.acts = acts;
    this.made = new Map();
    this.added = [];
  }

  // `classes` is what the data set has; kinds that the person has named and that have no photo yet come after them.
  draw(classes) {
    const names = new Set(classes.map((each) => each.name));
    this.added = this.added.filter((name) => !names.has(name));
    const empty = this.added.map((name) => ({ name, shown: name, count: 0, photos: [] }));
    const all = [...classes, ...empty];
    this.box.classList.toggle("few", all.length <= 4);
    this.box.classList.toggle("many", all.length > MOST_BELOW);
    const kept = new Map();
    for (const each of all) {
      const wall = this.made.get(each.name) ?? this.make(each);
      this.fill(wall, each);
      kept.set(each.name, wall);
    }
    for (const [name, wall] of this.made) if (!kept.has(name)) wall.remove();
    // Nothing moves under a hand that holds a button.
    const held = this.box.querySelector(".wall.recording");
    [...kept.values()].forEach((wall, place) => {
      if (wall.parentElement !== this.box) this.box.append(wall);
      else if (!held && this.box.children[place] !== wall) this.box.insertBefore(wall, this.box.children[place]);
    });
    this.made = kept;
  }

  add(name) {
    if (!this.made.has(name)) this.added.push(name);
  }

  forget(name) {
    this.added = this.added.filter((each) => each !== name);
  }

  wall(name) {
    return this.made.get(name);
  }

  make(each) {
    const wall = element("section", "wall");
    wall.dataset.testid = "class-wall";
    wall.dataset.name = each.name;
    wall.setAttribute("aria-label", each.shown);
    const name = element("input", "name");
    Object.assign(name, { type: "text", value: each.shown, maxLength: 100 });
    name.setAttribute("aria-label", `Name of the kind ${each.shown}`);
    name.onkeydown = (event) => {
      if (event.key === "Enter") name.blur();
      if (event.key === "Escape") name.value = each.shown;
    };
    name.onblur = () => {
      const wanted = name.value.trim();
      if (!wanted || wanted === each.shown) name.value = each.shown;
      else this.acts.rename(each.name, wanted, () => (name.value = each.shown));
    };
    const heading = element("h3");
    heading.append(name);
    const title = element("div", "title");
    title.append(heading, element("span", "count"));
    const record = element("button", "record", "●");
    record.append(element("span", "words", " Hold to record"));
    record.setAttribute("aria-label", `Hold to record ${each.shown} with the camera`);
    this.holds(record, each.name);
    const more = element("button", "more", "+");
    more.setAttribute("aria-label", `Add photos or a video of ${each.shown}`);
    more.title = "Add photos or a video";
    more.onclick = () => this.acts.choose(each.name);
    const remove = element("button", "remove", "×");
    remove.setAttribute("aria-label", `Remove the kind ${each.shown}`);
    remove.title = "Remove this kind; your own files stay";
    remove.onclick = () => this.acts.remove(each.name);
    const head = element("div", "head");
    head.append(title, record, more, remove);
    const shelf = element("div", "shelf");
    shelf.append(element("div", "strip"));
    wall.append(head, shelf);
    return wall;
  }

  // A press that is held records until it is let go; a short one records until the next press.
  holds(button, name) {
    let pressed = 0;
    let begun = false;
    const end = (surely) => {
      if (begun && (surely === true || performance.now() - pressed > 350)) {
        begun = false;
        this.acts.recorded();
      }
    };
    const start = (event) => {
      event.preventDefault();
      if (begun) return end(true);
      pressed = performance.now();
      begun = this.acts.record(name);
    };
    button.onpointerdown = (event) => {
      button.setPointerCapture?.(event.pointerId);
      start(event);
    };
    button.onpointerup = button.onpointercancel = end;
    button.onkeydown = (event) => {
      if (!event.repeat && (event.key === " " || event.key === "Enter")) start(event);
    };
    button.onkeyup = (event) => {
      if (event.key === " " || event.key === "Enter") end();
    };
  }

  fill(wall, each) {
    const noun = each.count === 1 ? " photo" : " photos";
    const number = each.count ? each.count.toLocaleString() : "no";
    const photos = `${number}${noun}`;
    // One that is being recorded says so itself.
    if (!wall.classList.contains("recording")) {
      wall.querySelector(".count").replaceChildren(number, element("span", "words", each.count ? noun : " photos yet"));
    }
    const strip = wall.querySelector(".strip");
    const there = [...strip.children].map((image) => image.getAttribute("src"));
    if (there.join() === each.photos.join()) return;
    strip.replaceChildren(
      ...each.photos.map((source) => {
        const image = element("img");
        Object.assign(image, { loading: "lazy", alt: "" });
        image.setAttribute("src", source);
        return image;
      }),
    );
    strip.setAttribute("role", "img");
    strip.setAttribute("aria-label", `${photos} of ${each.shown}`);
  }
}

function element(name, kind = "", words = "") {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (words) made.textContent = words;
  if (name === "button") made.type = "button";
  return made;
}
