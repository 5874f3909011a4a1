// Style sheets of xterm.js. It writes them into elements, which the policy of the page forbids. Sheets that a script
// constructs are allowed, so each such element stands for one.

const create = document.createElement.bind(document);

document.createElement = (name, options) => {
  return String(name).toLowerCase() === "style" ? stand() : create(name, options);
};

/** Makes an element that shows nothing, and whose text is a style sheet of the document. */
function stand() {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets.push(sheet);
  const made = create("template");
  Object.defineProperty(made, "textContent", { set: (text) => sheet.replaceSync(text) });
  made.remove = () => {
    const index = document.adoptedStyleSheets.indexOf(sheet);
    if (index >= 0) {
      document.adoptedStyleSheets.splice(index, 1);
    }
    Element.prototype.remove.call(made);
  };
  return made;
}
