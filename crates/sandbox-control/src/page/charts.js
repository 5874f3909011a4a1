// The latest charts of the programs that were run on this page. The sandboxes keep none.

import { by, element } from "./dom.js";

/** Charts that are shown; the oldest are dropped. */
const MOST = 12;

/** Shows charts before those that are there. */
export function add(charts, sandbox) {
  const shown = charts.filter((chart) => chart.png).map((chart) => figure(chart, sandbox));
  const gallery = by("charts");
  gallery.prepend(...shown.reverse());
  while (gallery.children.length > MOST) {
    gallery.lastElementChild.remove();
  }
  by("charts-title").hidden = gallery.children.length === 0;
  return shown.length;
}

export function clear() {
  by("charts").replaceChildren();
  by("charts-title").hidden = true;
}

function figure(chart, sandbox) {
  const title = chart.title || chart.type || "chart";
  // Always a picture, whatever the sandbox sent: the type is ours.
  const source = `data:image/png;base64,${chart.png}`;
  const caption = element("figcaption", {}, element("strong", { textContent: title }));
  caption.append(` ${sandbox.name}, ${new Date().toLocaleTimeString()}`);
  return element("figure", {}, element("img", { src: source, alt: title }), caption);
}
