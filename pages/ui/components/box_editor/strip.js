// Strip: all photos as thumbnails in a row, each with how many boxes it has, and how many are done.

class Strip {
  constructor(root, wanted) {
    this.list = root.querySelector(".strip");
    this.done = root.querySelector(".done");
    this.track = root.querySelector(".track");
    this.nodes = [];
    this.list.onclick = ({ target }) => {
      const button = target.closest("button");
      if (button) wanted(this.nodes.indexOf(button));
    };
  }

  begin(photos, leftOut) {
    this.photos = photos;
    this.leftOut = leftOut;
    this.nodes = photos.map(({ thumbnail }) => {
      const button = document.createElement("button");
      const picture = document.createElement("img");
      const badge = document.createElement("span");
      button.type = "button";
      picture.alt = "";
      picture.loading = "lazy";
      picture.decoding = "async";
      picture.draggable = false;
      picture.src = thumbnail;
      badge.className = "badge";
      button.append(picture, badge);
      return button;
    });
    this.list.replaceChildren(
      ...this.nodes.map((button) => {
        const place = document.createElement("li");
        place.append(button);
        return place;
      }),
    );
    this.nodes.forEach((_, place) => this.mark(place));
    this.count();
  }

  // Tells how many boxes a photo has by now.
  tell(place, boxes) {
    const count = boxes?.length ?? null;
    if (this.photos[place].count === count) return;
    this.photos[place].count = count;
    this.mark(place);
    this.count();
  }

  mark(place) {
    const { name, count } = this.photos[place];
    const button = this.nodes[place];
    const said = count === null ? "not drawn yet" : count ? counted(count, "box", "boxes") : "nothing on it";
    button.title = `${name}: ${said}`;
    button.setAttribute("aria-label", `${name}, photo ${place + 1} of ${this.photos.length}, ${said}`);
    button.classList.toggle("open", count === null);
    button.querySelector(".badge").textContent = count === null ? "" : count || "✓";
  }

  count() {
    const done = this.photos.filter(({ count }) => count !== null).length;
    const total = this.photos.length;
    const rest = this.leftOut ? `; ${this.leftOut.toLocaleString("en")} more are not listed` : "";
    this.done.textContent = `${done.toLocaleString("en")} of ${counted(total, "photo", "photos")} done${rest}`;
    this.track.setAttribute("aria-valuenow", done);
    this.track.setAttribute("aria-valuemax", total);
    this.track.firstElementChild.style.width = `${(100 * done) / Math.max(1, total)}%`;
  }

  // One stop of the Tab key: the photo that is shown.
  at(place) {
    this.nodes.forEach((button, number) => {
      button.tabIndex = number === place ? 0 : -1;
      if (number === place) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    });
    const button = this.nodes[place];
    // Sideways alone: the page stays where it is.
    this.list.scrollLeft = button.offsetLeft - this.list.offsetLeft - (this.list.clientWidth - button.offsetWidth) / 2;
    if (this.list.contains(this.list.getRootNode().activeElement)) button.focus({ preventScroll: true });
  }

  // The next photo that nobody has drawn on, or -1: the one of whose boxes the model is surest, by `sure` (a photo's id
  // to a share), else the next after a place, around the end.
  nextOpen(place, sure) {
    const order = this.photos.map((_, step) => (place + 1 + step) % this.photos.length);
    const open = order.filter((each) => this.photos[each].count === null && each !== place);
    const surest = (each) => sure.get(this.photos[each].id) ?? 0;
    return open.reduce((best, each) => (surest(each) > surest(best) ? each : best), open[0] ?? -1);
  }
}

function counted(number, one, many) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}
