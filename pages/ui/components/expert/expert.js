// Keeps in a cookie of this server whether the person wants the expert's view: it comes with a page's first question, so
// that the page need not be drawn twice.

export default function (component) {
  const { name, value, seconds } = component.data;
  document.cookie = `${name}=${value}; path=/; max-age=${seconds}; SameSite=Strict`;
}
