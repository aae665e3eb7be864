// Of a run that is being written, as `llmpr report --serve` tells it.
if (document.querySelector("meta[name=llmpr-live]")) {
  const box = $("live"), first = Number(box.dataset.cells);
  const ask = async () => {
    let again = 2000;
    try {
      const told = await (await fetch("progress.json", {cache: "no-store"})).json();
      box.hidden = false;
      $("live-words").textContent = told.words;
      $("live-bar").max = Math.max(told.texts_planned, 1);
      $("live-bar").value = told.texts;
      $("live-link").hidden = told.scored <= first;
      if (told.done) again = 0;
    } catch {
      $("live-words").textContent = "The server does not answer; the page stays as it is.";
      again = 10000;
    }
    if (again) setTimeout(ask, again);
  };
  $("live-link").addEventListener("click", () => location.reload());
  ask();
}
