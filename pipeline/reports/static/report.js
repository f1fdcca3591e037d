// What report.html does beyond being read: curves say their values, lists are chosen, all queries are sorted.
// Without it the page shows all lists and every figure but the table of single queries.
"use strict";
(() => {
  const PIECE = 200; // rows of the table of queries that are put on the page at a time

  for (const element of document.querySelectorAll("[data-script]")) element.hidden = false;
  for (const figure of document.querySelectorAll("figure.chart")) follow(figure);
  const choice = document.getElementById("choose");
  if (choice) chooseLists(choice, document.getElementById("lists"));
  const queries = document.getElementById("queries");
  if (queries) sortQueries(queries, JSON.parse(document.getElementById("queries-data").textContent));

  // The pointer or the arrow keys move a line over the curves; the text beneath says what they reach there.
  function follow(figure) {
    const chart = JSON.parse(figure.dataset.chart);
    const [svg, said] = [figure.querySelector("svg"), figure.querySelector("output")];
    const cursor = svg.querySelector(".cursor"), line = cursor.querySelector("line");
    const spots = [...cursor.querySelectorAll("circle")];
    let at = chart.at;
    const show = (place) => {
      at = Math.max(0, Math.min(chart.x.length - 1, place));
      line.setAttribute("x1", chart.x[at]);
      line.setAttribute("x2", chart.x[at]);
      spots.forEach((spot, i) => {
        spot.setAttribute("cx", chart.x[at]);
        spot.setAttribute("cy", chart.y[i][at]);
      });
      cursor.removeAttribute("hidden");
      said.textContent = chart.said[at];
    };
    const nearest = (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) * svg.viewBox.baseVal.width) / box.width;
      const far = chart.x.map((value) => Math.abs(value - x));
      show(far.indexOf(Math.min(...far)));
    };
    svg.addEventListener("pointermove", nearest);
    svg.addEventListener("pointerdown", nearest);
    svg.tabIndex = 0;
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      show(at + step);
    });
  }

  function chooseLists(form, lists) {
    const cards = [...lists.children];
    const update = () => {
      const { kind, first, camera, order, words } = Object.fromEntries(new FormData(form));
      const wanted = words.trim().toLowerCase();
      let shown = 0;
      for (const card of cards) {
        const about = card.dataset;
        card.hidden = !(
          (!kind || about.kinds.split(" ").includes(kind)) &&
          (!first || about.first === first) &&
          (!camera || about.camera === camera) &&
          about.words.includes(wanted)
        );
        shown += !card.hidden;
      }
      const sign = { rising: 1, falling: -1 }[order] ?? 0;
      lists.append(...[...cards].sort((a, b) => sign * (a.dataset.ap - b.dataset.ap)));
      form.querySelector("output").textContent = `${shown} of ${cards.length} queries shown`;
    };
    form.addEventListener("input", update);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(update)); // the fields are empty after the event
    update();
  }

  // The queries of the table, for the dialog with the lists of one.
  function asked(row) {
    const [name, person, camera, matches] = row;
    return { number: row.number, name, person, camera, matches, ap: row[queries.dataset.ap] };
  }

  function sortQueries(table, rows) {
    rows.forEach((row, number) => { row.number = number; });
    const [body, form, more] = [table.tBodies[0], document.getElementById("find"), document.getElementById("more")];
    const heads = [...table.tHead.rows[0].cells];
    let chosen = rows, next = 0;

    const extend = () => {
      const piece = document.createDocumentFragment();
      for (const row of chosen.slice(next, next + PIECE)) {
        const line = document.createElement("tr");
        row.forEach((value, column) => {
          const cell = line.insertCell();
          const { digits } = heads[column].dataset;
          const shown = value !== null && digits ? value.toFixed(digits).replace("-", "−") : value;
          if (column === 0 && openLists) cell.append(opener(row, shown));
          else cell.textContent = shown ?? "–"; // never as HTML: names are whatever files are called
          if (digits) cell.className = "number";
        });
        piece.append(line);
      }
      body.append(piece);
      next = Math.min(next + PIECE, chosen.length);
      more.hidden = next === chosen.length;
      more.textContent = `Show ${Math.min(PIECE, chosen.length - next)} more`;
      form.querySelector("output").textContent = `${next} of ${chosen.length} rows shown, ${rows.length} queries in all`;
    };
    const opener = (row, name) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.addEventListener("click", () => openLists(chosen.map(asked), chosen.indexOf(row), button));
      return button;
    };
    const update = () => {
      const wanted = form.elements.words.value.trim().toLowerCase();
      const column = heads.findIndex((head) => head.hasAttribute("aria-sort"));
      chosen = rows.filter((row) => `${row[0]} ${row[1]}`.toLowerCase().includes(wanted));
      if (column >= 0) {
        const sign = heads[column].getAttribute("aria-sort") === "ascending" ? 1 : -1;
        chosen.sort((a, b) => compare(a[column], b[column], sign));
      }
      body.replaceChildren();
      next = 0;
      extend();
    };
    heads.forEach((head, column) => {
      head.querySelector("button").addEventListener("click", () => {
        const again = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        heads[column].setAttribute("aria-sort", again);
        update();
      });
    });
    more.addEventListener("click", extend);
    form.addEventListener("input", update);
    form.addEventListener("submit", (event) => event.preventDefault());
    update();

    // #query=NAME opens that query.
    const follow = () => {
      const [, name] = /^#query=(.+)$/.exec(location.hash) ?? [];
      const place = name && openLists ? chosen.findIndex((row) => row[0] === decodeURIComponent(name)) : -1;
      if (place >= 0) openLists(chosen.map(asked), place);
    };
    addEventListener("hashchange", follow);
    follow();
  }

  // Queries without a match (null) come last in either order.
  function compare(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
  }
})();
