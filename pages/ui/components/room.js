// Room: a component as high as what is left of the window, however far down it begins; in front of a room, marked so.

class Room {
  constructor(box) {
    const main = document.querySelector("[data-testid='stMain']");
    this.fit = () => {
      box.classList.toggle("presenting", document.documentElement.hasAttribute("data-presenting"));
      box.style.setProperty("--top", `${box.getBoundingClientRect().top + (main?.scrollTop ?? 0)}px`);
    };
    this.sizes = new ResizeObserver(this.fit);
    // What is drawn above it makes the page longer, and letters that grow do too.
    for (const each of [document.body, box.getRootNode().host?.closest("[data-testid='stVerticalBlock']")])
      if (each) this.sizes.observe(each);
    this.marks = new MutationObserver(this.fit);
    this.marks.observe(document.documentElement, { attributeFilter: ["data-presenting", "style"] });
    window.addEventListener("resize", this.fit);
    this.fit();
  }

  leave() {
    this.sizes.disconnect();
    this.marks.disconnect();
    window.removeEventListener("resize", this.fit);
  }
}
