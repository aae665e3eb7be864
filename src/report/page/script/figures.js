// An entry of a legend shows and hides what it stands for.
const off = () => new Set((state.off || "").split("~").filter(Boolean));
const keys = [...document.querySelectorAll("figure .key")];
const nameOf = key => key.closest("figure").id + "." + key.dataset.k;
const showSeries = () => {
  const hidden = off();
  for (const key of keys) {
    const gone = hidden.has(nameOf(key));
    key.setAttribute("aria-pressed", String(!gone));
    for (const part of key.closest("figure").querySelectorAll(`[data-k="${key.dataset.k}"]:not(.key)`)) part.classList.toggle("gone", gone);
  }
};
for (const key of keys) {
  key.setAttribute("role", "button");
  key.setAttribute("tabindex", "0");
  const toggle = () => {
    const hidden = off();
    if (!hidden.delete(nameOf(key))) hidden.add(nameOf(key));
    keep({off: [...hidden].join("~")});
    showSeries();
  };
  key.addEventListener("click", toggle);
  key.addEventListener("keydown", event => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    toggle();
  });
}
listeners.push(showSeries);

// The numbers of the point nearest to the pointer, at most this many pixels away.
const NEAR = 18, tip = $("tip");
const points = new Map();
document.querySelectorAll("figure svg").forEach(svg => {
  // A title of its own would show beside this one.
  const own = [...svg.querySelectorAll("path.p > title")].map(title => ({mark: title.parentNode, note: title.textContent}));
  own.forEach(one => one.mark.setAttribute("aria-label", one.note));
  points.set(svg, own);
  svg.querySelectorAll("path.p > title").forEach(title => title.remove());
  const hide = () => { tip.hidden = true; };
  const find = event => {
    let best = null, least = NEAR;
    for (const one of points.get(svg)) {
      if (one.mark.closest(".gone")) continue;
      const box = one.mark.getBoundingClientRect();
      const away = Math.hypot(event.clientX - box.x - box.width / 2, event.clientY - box.y - box.height / 2);
      if (away < least) [best, least] = [one, away];
    }
    if (!best) return hide();
    tip.textContent = best.note;
    tip.hidden = false;
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    tip.style.left = Math.max(8, left) + "px";
    tip.style.top = Math.max(8, event.clientY - tip.offsetHeight - 12) + "px";
  };
  svg.addEventListener("pointermove", find);
  svg.addEventListener("pointerdown", find);
  svg.addEventListener("pointerleave", hide);
});
