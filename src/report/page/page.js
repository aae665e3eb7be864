"use strict";
(() => {
  const $ = id => document.getElementById(id);
  const make = (tag, cls, text) => {
    const node = document.createElement(tag);
    if (cls) node.className = cls;
    if (text !== undefined) node.textContent = text;
    return node;
  };

  // Table: a click on a heading sorts by it, a second one the other way round.
  const table = $("table");
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const ascending = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const number = head.classList.contains("num");
    const value = row => row.cells[column].dataset.v;
    const order = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (!number) return x < y ? -1 : x > y ? 1 : 0;
      // What is not there goes last, whichever the direction.
      if (x === "" || y === "") return (x === "" ? 1 : 0) - (y === "" ? 1 : 0);
      return (ascending ? 1 : -1) * (Number(x) - Number(y));
    };
    const rows = [...table.tBodies[0].rows].map((row, i) => [row, i]);
    const sign = number || ascending ? 1 : -1;
    rows.sort((a, b) => sign * order(a[0], b[0]) || a[1] - b[1]);
    rows.forEach(([row]) => table.tBodies[0].append(row));
  }));

  // Browser: cards for the chosen cell.
  const data = JSON.parse($("data").textContent);
  if (!data.cells.length) {
    $("count").textContent = "This report was made without the texts of its cells.";
    return;
  }
  const [cell, view, search, cards, more] = ["cell", "view", "search", "cards", "more"].map($);
  $("controls").hidden = false;
  $("controls").addEventListener("submit", event => event.preventDefault());
  data.cells.forEach((one, i) => {
    const option = make("option", "", one.label);
    option.value = String(i);
    cell.append(option);
  });

  const marked = (text, words) => {
    const box = make("div", "text" + (text.trim() ? "" : " none"));
    if (!text.trim()) box.textContent = "(empty)";
    else if (!words) box.textContent = text;
    else {
      // Search in a lower-case copy; where that has another length, nothing is marked.
      const low = text.toLowerCase();
      let from = 0;
      for (let at; low.length === text.length && (at = low.indexOf(words, from)) >= 0;) {
        box.append(text.slice(from, at), make("mark", "", text.slice(at, at + words.length)));
        from = at + words.length;
      }
      box.append(text.slice(from));
    }
    return box;
  };
  const side = (title, text, words) => {
    const box = make("div");
    box.append(make("h4", "", title), marked(text, words));
    return box;
  };
  const number = (value, digits) => value === null || value === undefined ? null : value.toFixed(digits);
  const endings = {eos: "ended by itself", stop: "stop string", length: "cut at the token limit"};

  const completion = (one, words) => {
    const card = make("article", "card");
    const facts = make("div", "facts");
    if (one.balls !== null) {
      const inside = one.balls > 0;
      facts.append(make("span", "badge " + (inside ? "in" : "out"), inside ? "inside" : "outside"));
      facts.append(make("span", "", inside ? `in ${one.balls} reference ball${one.balls === 1 ? "" : "s"}` : "in no reference ball"));
    }
    facts.append(make("span", "", "#" + one.id), make("span", "", `${one.tokens} tokens`));
    facts.append(make("span", "", endings[one.finish] || one.finish));
    if (one.logprob !== null) facts.append(make("span", "", `log-probability ${number(one.logprob, 2)} a token`));
    if (one.cut) facts.append(make("span", "", "shortened here"));
    const pair = make("div", "pair");
    pair.append(side("the model's text", one.text, words));
    if (one.nearest !== null) pair.append(side(`nearest reference text (distance ${number(one.distance, 3)})`, data.references[one.nearest] || "", words));
    card.append(facts, pair);
    return card;
  };
  const missed = (one, words) => {
    const card = make("article", "card");
    const facts = make("div", "facts");
    facts.append(make("span", "badge out", "not reached"), make("span", "", `reference ${one.reference}`));
    const pair = make("div", "pair");
    pair.append(side("reference text", data.references[one.reference] || "", words));
    pair.append(side(`the model's nearest text (distance ${number(one.distance, 3)})`, one.text, words));
    card.append(facts, pair);
    return card;
  };

  let found = [], shown = 0;
  const page = () => {
    const words = search.value.trim().toLowerCase();
    const draw = view.value === "missed" ? missed : completion;
    found.slice(shown, shown + 10).forEach(one => cards.append(draw(one, words)));
    shown = Math.min(shown + 10, found.length);
    more.hidden = shown >= found.length;
    more.textContent = `Show more (${found.length - shown} left)`;
  };
  const update = () => {
    const one = data.cells[Number(cell.value)];
    const words = search.value.trim().toLowerCase();
    const has = text => !words || text.toLowerCase().includes(words);
    if (view.value === "missed") {
      found = one.uncovered_shown.filter(m => has(m.text) || has(data.references[m.reference] || ""));
    } else {
      const wanted = {all: () => true, in: t => t.balls > 0, out: t => t.balls === 0}[view.value];
      found = one.texts.filter(t => wanted(t) && (has(t.text) || has(data.references[t.nearest] || "")));
    }
    for (const option of view.options) option.disabled = option.value !== "all" && !one.judged;
    $("count").textContent = view.value === "missed"
      ? `${found.length} shown of ${one.uncovered} reference texts that no ball of the model holds, chosen at random`
      : `${found.length} of the ${one.texts.length} texts embedded here, chosen at random from ${one.n}`;
    cards.replaceChildren();
    shown = 0;
    page();
  };
  cell.addEventListener("change", () => {
    if (!data.cells[Number(cell.value)].judged) view.value = "all";
    update();
  });
  view.addEventListener("change", update);
  search.addEventListener("input", update);
  more.addEventListener("click", page);
  update();
})();
