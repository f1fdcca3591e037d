// The ranked lists of any query of report.html, in a dialog: answers and pictures are read when a query is opened.
// They lie beside the page, in the folder LISTS.folder. A card looks like those that the page itself holds.
"use strict";
const openLists = (() => {
  const about = document.getElementById("lists-data");
  if (!about) return null;
  Object.assign(LISTS, JSON.parse(about.textContent), { pieces: {} });
  const { sheet, variants, groups, folder } = LISTS, PER_PIECE = sheet.columns * sheet.rows;
  const dialog = document.getElementById("one"), card = dialog.querySelector(".card");
  const at = (name) => dialog.querySelector(`[data-at="${name}"]`);
  const files = new Map(); // name of a script -> promise
  let rows = [], place = 0, opener = null;
  dialog.style.setProperty("--columns", sheet.columns);
  dialog.style.setProperty("--rows", sheet.rows);
  dialog.style.setProperty("--ratio", sheet.width / sheet.height);

  // A page from disk may not fetch a file, but it may load a script.
  function load(name) {
    if (!files.has(name)) files.set(name, new Promise((done, failed) => {
      const made = Object.assign(document.createElement("script"), { src: `${folder}/${name}`, onload: done });
      made.onerror = () => { files.delete(name); failed(new Error(name)); };
      document.head.append(made);
    }));
    return files.get(name);
  }
  const sheets = new Map(); // file -> promise of the loaded picture
  function loaded(file) {
    if (!sheets.has(file)) sheets.set(file, new Promise((done) => {
      const picture = new Image();
      picture.onload = picture.onerror = done;
      picture.src = `${folder}/${file}`;
    }));
    return sheets.get(file);
  }

  // --- elements; texts are never HTML: names are whatever files are called -----------------------------------------
  function make(tag, kind = "", text = "", ...inside) {
    const made = document.createElement(tag);
    if (kind) made.className = kind;
    if (text) made.textContent = text;
    made.append(...inside);
    return made;
  }
  function thumbnail(side, number, said) {
    const made = make("span", "thumb"), { file, position } = onSheet(sheet, number), name = `${side}-${file}.jpg`;
    made.style.backgroundImage = `url(${folder}/${name})`;
    made.style.backgroundPosition = position;
    made.setAttribute("role", "img");
    made.setAttribute("aria-label", said);
    waiting.push(loaded(name));
    return made;
  }
  let waiting = [];
  const short = (value) => (Math.round(value * 100) / 100 + 0).toFixed(2).replace("-", "−").replace("0.", ".");
  const words = { 11: "visible in both", 10: "hidden in the gallery image", "01": "hidden in the query",
    "00": "hidden in both" };
  function bar(seen, whose) {
    const made = make("span", "bar", "", ...[...seen].map((one) => make("span", one === "1" ? "seen" : "")));
    const said = [...seen].map((one, p) => `${p + 1} ${one === "1" ? "visible" : "hidden"}`).join(", ");
    made.setAttribute("role", "img");
    made.setAttribute("aria-label", `stripes of ${whose}: ${said}`);
    return made;
  }
  function pair(name, seen, counted, value) {
    const made = make("div"), boxes = make("i", "", [...seen].map((one) => (one === "1" ? "■" : "□")).join(""));
    made.title = `${name}: ${words[seen]}, ${counted ? "counts" : "does not count"}: ${value.toFixed(3)}`;
    boxes.setAttribute("role", "img");
    boxes.setAttribute("aria-label", made.title);
    made.append(boxes, " ", make(counted ? "b" : "s", "", short(value)));
    return made;
  }
  const counts = { both: (seen) => seen === "11", all: () => true, none: () => false };

  function tile(answer, query, variant) {
    const [number, rank, right, similarity, whole, stripes, parts, second] = answer, { gallery } = LISTS;
    const view = second ? query.second : query; // the one that is compared
    const [kind, sign, who] = right ? ["right", "✓", "the same person"] : ["wrong", "✗", "another person"];
    const [person, camera] = [gallery.person[number], gallery.camera[number]];
    const said = `rank ${rank}, ${who}: person ${person}, camera ${camera}`;
    const [stripesSeen, partsSeen] = [gallery.visible[number], gallery.parts[number]];
    const below = make("div", "stripes");
    if (whole !== null) below.append(make("div", "", "", make("i", "", "g"), " ", make("b", "", short(whole))));
    stripes.forEach((value, p) => {
      const seen = view.visible[p] + stripesSeen[p];
      below.append(pair(`stripe ${p + 1}`, seen, counts[variant.stripes](seen), value));
    });
    parts.forEach((value, k) => {
      const seen = view.parts[k] + partsSeen[k];
      below.append(pair(groups[k], seen, seen === "11", value));
    });
    const frame = make("div", "frame", "", thumbnail("gallery", number, said));
    if (stripesSeen) frame.append(bar(stripesSeen, "the gallery image"));
    const made = make("li", `tile ${kind}`, "", frame, make("div", "tag", `${rank} ${sign} ${short(similarity)}`),
      make("div", "who", `${person} `, make("small", "", `cam ${camera}`)),
      ...(second ? [make("div", "who", "", make("small", "", "query at its place"))] : []), below);
    made.title = `${said} · ${gallery.name[number]}`;
    return made;
  }

  function list([first, answers], query, variant, heading) {
    const said = first ? `first match at rank ${first}` : "no match in the gallery";
    const tiles = make("ol", "scroll tiles");
    tiles.tabIndex = 0;
    tiles.setAttribute("aria-label", `answers to ${heading} by ${variant.variant}`);
    answers.forEach((answer, i) => {
      if (answer[1] > i + 1) {
        const gap = make("li", "gap", "…");
        gap.setAttribute("aria-hidden", "true");
        tiles.append(gap);
      }
      tiles.append(tile(answer, query, variant));
    });
    return [make("p", "variant", "", make("b", "", variant.variant), " ", make("span", "", said), " ",
      make("span", "muted", variant.rule)), tiles];
  }

  // --- the dialog --------------------------------------------------------------------------------------------------
  async function show(to) {
    place = Math.max(0, Math.min(rows.length - 1, to));
    const { number, name, person, camera, matches, ap } = rows[place], shown = place;
    const heading = `Person ${person}, camera ${camera}`;
    delete dialog.dataset.ready;
    at("heading").textContent = heading;
    at("ap").textContent = ap === null ? "no match" : `AP ${ap.toFixed(1)} %`;
    at("count").textContent = `${place + 1} of ${rows.length}`;
    at("before").disabled = place === 0;
    at("after").disabled = place === rows.length - 1;
    remember(name);
    const piece = Math.floor(number / PER_PIECE);
    try {
      await Promise.all([load("gallery.js"), load(`answers-${String(piece).padStart(5, "0")}.js`)]);
    } catch (error) {
      card.replaceChildren(make("p", "note", `The lists lie in the folder ${folder} beside this page, and ` +
        `${error.message} is not there. Copy the folder too, or make the report again.`));
      return;
    }
    if (shown !== place) return; // another query was asked for meanwhile
    const query = LISTS.pieces[piece][number % PER_PIECE], images = matches === 1 ? "image" : "images";
    waiting = [];
    const asked = make("div", "asked", "", make("div", "tile query", "", thumbnail("query", number, "the query"),
      ...(query.visible ? [bar(query.visible, "the query")] : [])), make("p", "", "", make("b", "", "query"),
      make("br"), make("span", "name", name), make("br"), make("span", "muted", `${matches} matching gallery ${images}`)));
    const answers = make("div", "answers", "", ...query.lists.flatMap((own, i) => list(own, query, variants[i], heading)));
    card.replaceChildren(make("div", "pair", "", asked, answers));
    await Promise.all(waiting);
    if (shown === place) dialog.dataset.ready = name;
  }

  // The address names the query, so that it can be sent to somebody, and a comparison of two runs can point to it.
  function remember(name) {
    try {
      history.replaceState(null, "", name === null ? "#all-queries" : `#query=${encodeURIComponent(name)}`);
    } catch {
      // some browsers keep no address of a page from disk
    }
  }
  function open(wanted, number, from = null) {
    [rows, opener] = [wanted, from];
    if (!dialog.open) dialog.showModal();
    return show(number);
  }

  at("before").addEventListener("click", () => show(place - 1));
  at("after").addEventListener("click", () => show(place + 1));
  at("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => { remember(null); opener?.focus(); });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.target.closest(".tiles")) return; // there the arrows scroll
    event.preventDefault();
    show(place + step);
  });
  return open;
})();
