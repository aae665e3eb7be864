// Small tables: a click on a heading sorts by it, a second one the other way round.
document.querySelectorAll("table.sorted").forEach(table => {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = make("button", "", head.textContent);
    button.type = "button";
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const ascending = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const number = head.classList.contains("num");
      const rows = [...table.tBodies[0].rows];
      const text = row => row.cells[column].textContent.trim();
      rows.sort((a, b) => compare(text(a), text(b), number, ascending));
      rows.forEach(row => table.tBodies[0].append(row));
    });
  });
});

// The table of cells: its rows are data, and as many are drawn as are looked at.
const cells = read("rows");
const PAGE = 100;
const table = $("table"), heads = [...table.tHead.rows[0].cells];
let order = [], drawn = 0;
const part = entry => Array.isArray(entry) ? entry : [entry, ""];
const drawRows = () => {
  const next = order.slice(drawn, drawn + PAGE).map(index => {
    const row = make("tr");
    cells.rows[index].forEach((entry, column) => {
      const [text, extra] = part(entry);
      const cell = make("td", cells.columns[column].number ? "num" : "");
      cell.dataset.v = text;
      if (column === 0) {
        const link = make("a", "", text);
        link.href = "#cell=" + encodeURIComponent(cells.ids[index]);
        cell.append(link);
      } else cell.append(text);
      if (extra) cell.append(" ", make("span", "iv", extra));
      row.append(cell);
    });
    return row;
  });
  table.tBodies[0].append(...next);
  drawn = Math.min(drawn + PAGE, order.length);
  $("rows-more").hidden = drawn >= order.length;
  $("rows-more").textContent = `Show more (${order.length - drawn} left)`;
};
const arrange = () => {
  const words = ($("filter").value = state.filter || "").trim().toLowerCase().split(/\s+/).filter(Boolean);
  const hidden = (state.runs || "").split(",").filter(Boolean).map(Number);
  document.querySelectorAll("input[data-run]").forEach(box => { box.checked = !hidden.includes(Number(box.dataset.run)); });
  const has = index => {
    if (hidden.includes(cells.runs[index])) return false;
    if (!words.length) return true;
    const text = cells.rows[index].map((entry, column) => cells.columns[column].name + "=" + part(entry)[0]).join(" ").toLowerCase();
    return words.every(word => text.includes(word));
  };
  order = cells.rows.map((_, index) => index).filter(has);
  const column = cells.columns.findIndex(one => one.name === state.sort);
  heads.forEach((head, at) => {
    if (at === column) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
  if (column >= 0) {
    const key = index => part(cells.rows[index][column])[0];
    order.sort((a, b) => compare(key(a), key(b), cells.columns[column].number, !state.down) || a - b);
  }
  $("rows-count").textContent = order.length === cells.rows.length ? "" : `${order.length} of ${cells.rows.length} cells`;
  table.tBodies[0].replaceChildren();
  drawn = 0;
  drawRows();
};
$("cell-controls").hidden = false;
$("cell-controls").addEventListener("submit", event => event.preventDefault());
heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
  const name = cells.columns[column].name;
  keep({sort: name, down: state.sort === name && !state.down ? "1" : ""});
  arrange();
}));
$("filter").addEventListener("input", () => { keep({filter: $("filter").value}); arrange(); });
$("rows-more").addEventListener("click", drawRows);
document.querySelectorAll("input[data-run]").forEach(box => box.addEventListener("change", () => {
  const off = [...document.querySelectorAll("input[data-run]")].filter(one => !one.checked);
  keep({runs: off.map(one => one.dataset.run).join(",")});
  arrange();
}));
// The first rows are there already; they are drawn anew only where something else is asked for.
listeners.push(arrange);
