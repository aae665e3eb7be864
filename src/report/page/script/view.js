const $ = id => document.getElementById(id);
const make = (tag, cls, text) => {
  const node = document.createElement(tag);
  if (cls) node.className = cls;
  if (text !== undefined) node.textContent = text;
  return node;
};
const read = id => JSON.parse($(id).textContent);

// What is looked at stands in the address: a link restores it. Names without a value are left out.
const state = {};
const written = () => new URLSearchParams(Object.entries(state).filter(([, value]) => value)).toString();
const keep = changes => {
  Object.assign(state, changes);
  const hash = written();
  history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search);
};
const listeners = [];
const restore = () => {
  const hash = location.hash.slice(1);
  if (hash && !hash.includes("=")) return;
  for (const name of Object.keys(state)) delete state[name];
  Object.assign(state, Object.fromEntries(new URLSearchParams(hash)));
  listeners.forEach(listener => listener());
};
addEventListener("hashchange", () => {
  restore();
  if (state.cell) $("texts").scrollIntoView();
});

// A number as it is sorted: what is not there goes last, whichever the direction.
const value = text => text === "" || text === "-" ? null : text === "inf" || text === "∞" ? Infinity : text === "-inf" ? -Infinity : parseFloat(text);
const compare = (a, b, number, ascending) => {
  const sign = ascending ? 1 : -1;
  if (!number) return sign * (a < b ? -1 : a > b ? 1 : 0);
  const [x, y] = [value(a), value(b)].map(v => Number.isNaN(v) ? null : v);
  if (x === null || y === null) return (x === null ? 1 : 0) - (y === null ? 1 : 0);
  return x === y ? 0 : sign * (x < y ? -1 : 1);
};

// Light or dark: what the system prefers, until the button says otherwise.
const themes = ["", "dark", "light"];
const paint = theme => {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  $("theme").textContent = "Colors: " + (theme || "as the system");
};
let theme = "";
try { theme = localStorage.getItem("llmpr-theme") || ""; } catch { /* Pages without storage are painted as the system says. */ }
paint(theme);
$("theme").hidden = false;
$("theme").addEventListener("click", () => {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length];
  paint(theme);
  try { localStorage.setItem("llmpr-theme", theme); } catch { /* It lasts as long as the page. */ }
});
