"use strict";
// The page is whole without this: it makes the table of problems sort and filter.
(() => {
  const table = document.getElementById("problems");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const [find, severity, code, shown] = ["find", "severity", "code", "shown"].map((id) => document.getElementById(id));
  const words = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

  const filter = () => {
    const wanted = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const fits = (!severity.value || row.dataset.severity === severity.value) &&
        (!code.value || row.dataset.code === code.value) &&
        wanted.every((word) => words.get(row).includes(word));
      row.hidden = !fits;
      count += fits;
    }
    const all = `${rows.length} ${rows.length === 1 ? "problem" : "problems"}`;
    shown.textContent = count === rows.length ? all : `${count} of ${all}`;
  };
  find.addEventListener("input", filter);
  for (const choice of [severity, code]) choice.addEventListener("change", filter);

  const key = (row, at) => {
    const cell = row.cells[at];
    return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
  };
  const compare = (one, other) => typeof one === "number" ? one - other : one.localeCompare(other, undefined, { numeric: true });
  const heads = [...table.tHead.rows[0].cells];
  // How to fix is no order; the others are.
  heads.slice(0, 4).forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const was = head.getAttribute("aria-sort");
      // Numbers begin with the largest.
      const down = was ? was === "ascending" : head.classList.contains("number");
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sorted = [...rows].sort((a, b) => compare(key(a, at), key(b, at)) * (down ? -1 : 1));
      body.replaceChildren(...sorted);
    });
  });
  document.getElementById("tools").hidden = false;
  filter();
})();
