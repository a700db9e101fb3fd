const root = document.documentElement;

function order(cell, kind) {
  return kind === "number" ? Number(cell.dataset.order) : (cell.dataset.order ?? cell.textContent.trim());
}

function compare(a, b) {
  return typeof a === "number" ? a - b : a.localeCompare(b);
}

function sortBy(table, heading, kind) {
  const column = heading.cellIndex;
  const next = { ascending: "descending", descending: null }[heading.getAttribute("aria-sort")];
  const state = next === undefined ? "ascending" : next;
  table.querySelectorAll("[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  table.classList.toggle("sorted", state !== null);
  table.homes.forEach(([body, rows]) => body.append(...rows));
  if (state === null) return;
  heading.setAttribute("aria-sort", state);
  const rows = [...table.querySelectorAll("tbody tr:not(.block)")];
  const sign = state === "ascending" ? 1 : -1;
  rows.sort((a, b) => sign * compare(order(a.cells[column], kind), order(b.cells[column], kind)));
  table.tBodies[0].append(...rows);
}

for (const button of document.querySelectorAll("[data-sort]")) {
  const table = button.closest("table");
  table.homes ??= [...table.tBodies].map((body) => [body, [...body.rows]]);
  button.addEventListener("click", () => sortBy(table, button.closest("th"), button.dataset.sort));
}

const specs = Object.fromEntries(
  [...document.querySelectorAll("script[data-spec]")].map((s) => [s.dataset.spec, JSON.parse(s.textContent)]),
);

// Lets the small diagrams of a row start a new line where the page is too narrow for all of them.
function fold(spec, columns) {
  const before = spec.layout?.columns;
  if (!before || columns >= before) return;
  spec.layout.columns = columns;
  for (const { transform = [] } of spec.data)
    for (const step of transform)
      if (step.type === "sequence") step.stop.signal = step.stop.signal.replaceAll(`${before})`, `${columns})`);
}

async function draw(figure) {
  const spec = structuredClone(specs[figure.dataset.kind]);
  spec.data.find((d) => d.name === "rows").values = JSON.parse(figure.querySelector("script").textContent);
  if (figure.closest(".wide")) spec.width = Math.min(spec.width, Math.max(240, figure.clientWidth - 60));
  if (figure.closest(".rows")) fold(spec, Math.max(1, Math.floor(figure.clientWidth / 150)));
  const place = document.createElement("div");
  const still = figure.querySelector(".drawing");
  await vegaEmbed(place, spec, { ast: true, actions: false, renderer: "svg", hover: false });
  for (const mark of place.querySelectorAll("svg [role]"))
    for (const name of ["role", "aria-label", "aria-roledescription"]) mark.removeAttribute(name);
  still.replaceChildren(place);
}

let drawn = 0;
const figures = [...document.querySelectorAll("figure[data-kind]")];
for (const figure of figures) {
  await draw(figure);
  drawn += 1;
  root.dataset.drawn = String(drawn);
}
root.dataset.milliseconds = String(Math.round(performance.now()));
root.dataset.ready = `${drawn}/${figures.length}`;
