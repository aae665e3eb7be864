// Texts of the chosen cell: those in the page, or all of them where the page is served and files lie beside it.
const data = read("data");
const served = data.files > 0 && location.protocol.startsWith("http");
const [cell, view, search, everywhere, topic, cards, more] = ["cell", "view", "search", "everywhere", "topic", "cards", "more"].map($);
const loaded = new Map();
let people = null;
const load = file => {
  if (!loaded.has(file)) loaded.set(file, (async () => {
    people ||= fetch("texts/references.json").then(answer => answer.json());
    const [part, references] = await Promise.all([fetch(`texts/${file}.json`).then(answer => answer.json()), people]);
    data.references = references;
    const byId = new Map(part.cells.map(one => [one.id, one]));
    for (const one of data.cells) {
      const whole = one.file === file && byId.get(one.id);
      if (whole) Object.assign(one, {texts: whole.texts, uncovered_shown: whole.uncovered, whole: true});
    }
  })());
  return loaded.get(file);
};

const mark = (text, words) => {
  const box = make("div", "text" + (text.trim() ? "" : " none"));
  box.dir = "auto";
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
  box.append(make("h4", "", title), mark(text, words));
  return box;
};
const digits = (value, count) => value === null || value === undefined ? null : typeof value === "string" ? value : value.toFixed(count);
const endings = {eos: "ended by itself", stop: "stop string", length: "cut at the token limit"};
const percent = share => `${(100 * share).toFixed(0)} %`;

const completion = ({one, of}, words) => {
  const card = make("article", "card"), facts = make("div", "facts");
  if (one.balls !== null) {
    const inside = one.balls > 0;
    facts.append(make("span", "badge " + (inside ? "in" : "out"), inside ? "inside" : "outside"));
    facts.append(make("span", "", inside ? `in ${one.balls} reference ball${one.balls === 1 ? "" : "s"}` : "in no reference ball"));
  }
  if (one.realism !== null) facts.append(make("span", "", `realism ${digits(one.realism, 2)}`));
  if (one.copy) facts.append(make("span", "badge out", "copy"));
  facts.append(make("span", "", "#" + one.id), make("span", "", `${one.tokens} tokens`));
  facts.append(make("span", "", endings[one.finish] || one.finish));
  if (one.logprob !== null) facts.append(make("span", "", `log-probability ${digits(one.logprob, 2)} a token`));
  if (state.every) facts.append(make("span", "", of.label));
  if (one.cut) facts.append(make("span", "", "shortened here"));
  const pair = make("div", "pair");
  pair.append(side("the model's text", one.text, words));
  if (one.nearest !== null) pair.append(side(`nearest reference text (${one.nearest}, distance ${digits(one.distance, 3)})`, data.references[one.nearest] || "", words));
  card.append(facts, pair);
  if (one.shared) {
    const {with: where, of: name, words: count, all, text} = one.shared;
    const box = make("details", "shared");
    box.append(make("summary", "", `${count} of ${all} words in one run also in ${where} ${name}`), mark(text, words));
    card.append(box);
  }
  return card;
};
const missed = ({one, of}, words) => {
  const card = make("article", "card"), facts = make("div", "facts");
  facts.append(make("span", "badge out", "not reached"), make("span", "", `reference ${one.reference}`));
  const first = data.cells[one.first];
  facts.append(make("span", "", one.reached_by ? `reached by ${one.reached_by} of the other cells, first by ${first.label}` : "reached by no cell"));
  if (one.topic !== null) facts.append(make("span", "", "topic: " + data.topics[one.topic].words.join(", ")));
  if (state.every) facts.append(make("span", "", of.label));
  const pair = make("div", "pair");
  pair.append(side("reference text", data.references[one.reference] || "", words));
  pair.append(side(`the model's nearest text (distance ${digits(one.distance, 3)})`, one.text, words));
  card.append(facts, pair);
  return card;
};

// What the chosen cell does with each topic of the references.
const drawTopics = one => {
  const rows = one.topics.map(([reached, texts, frontier], at) => {
    const {words, n} = data.topics[one.topic + at];
    const lost = one.uncovered ? (n - reached) / one.uncovered : 0;
    return {at: one.topic + at, words, n, reached: reached / n, lost, texts: one.n ? texts / one.n : 0, frontier};
  }).filter(row => row.n).sort((a, b) => b.lost - a.lost);
  $("topics").hidden = !rows.length;
  $("topic-rows").replaceChildren(...rows.map(row => {
    const line = make("tr"), name = make("td"), button = make("button", "link", row.words.join(", ") || "(no words of its own)");
    button.type = "button";
    button.addEventListener("click", () => { keep({topic: String(row.at), show: "missed"}); update(); });
    name.append(button);
    const numbers = [String(row.n), percent(row.reached), percent(row.lost), percent(row.texts), percent(row.frontier)];
    line.append(name, ...numbers.map(text => make("td", "num", text)));
    return line;
  }));
  topic.replaceChildren(make("option", "", "all topics"), ...rows.map(row => {
    const option = make("option", "", row.words.join(", "));
    option.value = row.at;
    return option;
  }));
  topic.options[0].value = "";
  topic.value = rows.some(row => String(row.at) === state.topic) ? state.topic : "";
};

// The same order for the same cell, until others are asked for.
const shuffled = (list, name) => {
  let seed = [...name + (state.seed || "")].reduce((sum, letter) => Math.imul(sum, 31) + letter.codePointAt(0) | 0, 7);
  const next = () => {
    seed = seed + 0x6d2b79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 4294967296;
  };
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
};

let found = [], shown = 0, turn = 0;
const page = () => {
  const words = (state.q || "").trim().toLowerCase();
  const draw = view.value === "missed" ? missed : completion;
  cards.append(...found.slice(shown, shown + 10).map(one => draw(one, words)));
  shown = Math.min(shown + 10, found.length);
  more.hidden = shown >= found.length;
  more.textContent = `Show more (${found.length - shown} left)`;
};
const depth = one => one.realism === "inf" ? Infinity : one.realism ?? 0;
const matches = (one, words) => {
  const has = text => !words || text.toLowerCase().includes(words);
  const about = one => !state.topic || String(one.topic) === state.topic;
  if (view.value === "missed") {
    return one.uncovered_shown.filter(m => about(m) && (has(m.text) || has(data.references[m.reference] || ""))).sort((a, b) => a.reached_by - b.reached_by);
  }
  const wanted = {"in": t => t.balls > 0, out: t => t.balls === 0, copies: t => t.copy}[view.value] || (() => true);
  const list = one.texts.filter(t => wanted(t) && about(t) && (has(t.text) || has(data.references[t.nearest] || "")));
  if (view.value === "out") return list.sort((a, b) => depth(a) - depth(b) || b.distance - a.distance);
  if (view.value === "copies") return list.sort((a, b) => b.shared.words / b.shared.all - a.shared.words / a.shared.all);
  return shuffled(list, one.id);
};
const counted = one => {
  const judged = one.judged ? `; ${one.inside} inside the reference's support, ${one.n - one.inside} outside, ${one.uncovered} references not reached` : "";
  const how = one.whole || one.texts.length === one.n ? "all" : `${one.texts.length}, chosen at random,`;
  return `${one.n} texts${judged}, ${one.copies} copies; ${how} of them are here.`;
};
const update = async () => {
  const mine = ++turn;
  const at = Math.max(0, data.cells.findIndex(one => one.id === state.cell));
  const one = data.cells[at];
  cell.value = String(at);
  view.value = one.judged && state.show || "all";
  search.value = state.q || "";
  everywhere.checked = Boolean(state.every);
  for (const option of view.options) option.disabled = !["all", "copies"].includes(option.value) && !one.judged;
  drawTopics(one);
  const chosen = state.every ? data.cells : [one];
  if (served) {
    const files = [...new Set(chosen.map(one => one.file))];
    for (const [i, file] of files.entries()) {
      $("count").textContent = `Loading texts, ${i} of ${files.length} files …`;
      try {
        await load(file);
      } catch {
        loaded.delete(file);
        people = null;
        $("failed").textContent = "Not all texts can be loaded: the folder texts is not beside this page, or the server is gone.";
        break;
      }
      if (mine !== turn) return;
    }
  }
  const words = (state.q || "").trim().toLowerCase();
  found = chosen.flatMap(of => matches(of, words).map(one => ({one, of})));
  $("count").textContent = `${found.length} shown. ` + (state.every ? `${data.cells.length} cells.` : counted(one));
  $("found").textContent = String(found.length);
  cards.replaceChildren();
  shown = 0;
  page();
};
if (data.cells.length) {
  $("controls").hidden = false;
  $("controls").addEventListener("submit", event => event.preventDefault());
  cell.append(...data.cells.map((one, i) => {
    const option = make("option", "", one.label);
    option.value = String(i);
    return option;
  }));
  cell.addEventListener("change", () => { keep({cell: data.cells[Number(cell.value)].id, topic: ""}); update(); });
  view.addEventListener("change", () => { keep({show: view.value === "all" ? "" : view.value}); update(); });
  topic.addEventListener("change", () => { keep({topic: topic.value}); update(); });
  search.addEventListener("input", () => { keep({q: search.value}); update(); });
  everywhere.addEventListener("change", () => { keep({every: everywhere.checked ? "1" : ""}); update(); });
  // A link to a cell of this page leaves the rest of the view as it is.
  document.addEventListener("click", event => {
    const link = event.target.closest && event.target.closest("a[href^='#cell=']");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    keep({cell: new URLSearchParams(link.hash.slice(1)).get("cell"), topic: ""});
    update();
    $("texts").scrollIntoView();
  });
  more.addEventListener("click", page);
  $("others").addEventListener("click", () => { keep({seed: String(Number(state.seed || 0) + 1)}); update(); });
  listeners.push(update);
} else $("count").textContent = "This report was made without the texts of its cells.";
