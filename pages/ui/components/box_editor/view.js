// View: how much of a photo is seen and where, between shares of the photo and pixels of the stage.

const MOST_ZOOM = 16;
const ZOOM_STEP = 1.5;

class View {
  constructor() {
    this.stage = { width: 1, height: 1 };
    this.photo = { width: 1, height: 1 };
    this.fit();
  }

  fit() {
    this.zoom = 1;
    this.middle = { x: 0.5, y: 0.5 };
  }

  // The size of the whole photo as it is drawn, in pixels of the stage.
  get size() {
    const { stage, photo, zoom } = this;
    const scale = zoom * Math.min(stage.width / photo.width, stage.height / photo.height);
    return { width: photo.width * scale, height: photo.height * scale };
  }

  get corner() {
    const { width, height } = this.size;
    return { left: this.stage.width / 2 - this.middle.x * width, top: this.stage.height / 2 - this.middle.y * height };
  }

  toPhoto({ left, top }) {
    const { size, corner } = this;
    return { x: (left - corner.left) / size.width, y: (top - corner.top) / size.height };
  }

  // A box in pixels of the stage.
  toStage(box) {
    const { size, corner } = this;
    return {
      left: corner.left + box.x * size.width,
      top: corner.top + box.y * size.height,
      width: box.width * size.width,
      height: box.height * size.height,
    };
  }

  // Zooms so that what is at a point of the stage stays there.
  zoomTo(zoom, at = { left: this.stage.width / 2, top: this.stage.height / 2 }) {
    const before = this.toPhoto(at);
    this.zoom = clamped(zoom, 1, MOST_ZOOM);
    const after = this.toPhoto(at);
    this.middle = { x: this.middle.x + before.x - after.x, y: this.middle.y + before.y - after.y };
    this.settle();
  }

  pan(across, down) {
    const { size } = this;
    this.middle = { x: this.middle.x - across / size.width, y: this.middle.y - down / size.height };
    this.settle();
  }

  // A photo that is smaller than the stage stands in its middle, and of a larger one no edge comes into the stage.
  settle() {
    const { size, stage } = this;
    const halves = { x: stage.width / size.width / 2, y: stage.height / size.height / 2 };
    for (const axis of ["x", "y"]) {
      const half = halves[axis];
      this.middle[axis] = half >= 0.5 ? 0.5 : clamped(this.middle[axis], half, 1 - half);
    }
  }

  // Brings a box into the stage that lies outside of what is seen.
  reveal(box) {
    const { left, top, width, height } = this.toStage(box);
    const outside = left + width < 0 || top + height < 0 || left > this.stage.width || top > this.stage.height;
    if (!outside) return;
    this.middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    this.settle();
  }
}
