// Elements. Texts come from sandboxes, so they are only ever set as text.

export const by = (id) => document.getElementById(id);

/** Makes an element with these properties and children; a string becomes text. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Shows a text, or hides its element if there is none. */
export function show(where, text) {
  where.textContent = text ?? "";
  where.hidden = !text;
}
