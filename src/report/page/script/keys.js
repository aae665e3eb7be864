// Keys, where nothing is typed.
const step = by => {
  const next = Number(cell.value) + by;
  if (!data.cells[next]) return;
  keep({cell: data.cells[next].id, topic: ""});
  update();
};
const walk = by => {
  const all = [...document.querySelectorAll(".card")];
  const at = all.indexOf(document.activeElement) + by;
  const next = all[Math.min(Math.max(at, 0), all.length - 1)];
  if (!next) return;
  next.tabIndex = -1;
  next.focus();
  next.scrollIntoView({block: "nearest"});
  if (at >= all.length - 1 && !more.hidden) page();
};
const actions = {
  "/": () => { search.focus(); search.scrollIntoView({block: "center"}); },
  f: () => { $("filter").focus(); $("filter").scrollIntoView({block: "center"}); },
  j: () => walk(1),
  k: () => walk(-1),
  n: () => step(1),
  p: () => step(-1),
  t: () => $("theme").click(),
  "?": () => { const help = $("help"); if (help.open) help.close(); else help.showModal(); },
};
addEventListener("keydown", event => {
  const typing = event.target.closest && event.target.closest("input, select, textarea");
  if (typing && event.key === "Escape") event.target.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
});
$("keys").hidden = false;
$("keys").addEventListener("click", () => $("help").showModal());
$("help-close").addEventListener("click", () => $("help").close());
