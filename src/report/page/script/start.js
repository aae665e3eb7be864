// As the address says; a table that is asked for nothing stays as it was written.
restore();
if (!location.hash.includes("=")) {
  showSeries();
  if (data.cells.length) update();
  order = cells.rows.map((_, index) => index);
  drawn = table.tBodies[0].rows.length;
} else if (state.cell) $("texts").scrollIntoView();
