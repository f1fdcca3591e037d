// The looks of the labels page: a grid that holds only the thumbnails on the screen, one image large, marks, keys.
"use strict";
(() => {
  const { sheet, layers } = LABELS;
  const SPARE = 2; // rows of the grid beyond the screen
  const NONE = -1, SIDE = "side"; // in place of a layer: the photograph; two layers beside each other
  const at = (id) => document.getElementById(id);
  const [grid, rows, one, form] = [at("grid"), at("rows"), at("one"), at("filters")];
  const [view, order, size, reason, stage] = ["view", "order", "size", "reason", "stage"].map(at);
  const states = LABELS.classes.slice(1).map(() => undefined); // 1: shown, 0: missing
  const tiles = new Map(); // place in `chosen` -> element
  let chosen = [], active = 0, across = 1, pitch = { width: 1, height: 1, left: 0 }, cut = 50;

  // --- pictures ---------------------------------------------------------------------------------------------------
  function shape(element, height) {
    element.style.setProperty("--h", `${height}px`);
    element.style.setProperty("--w", `${width(height)}px`);
  }
  const width = (height) => Math.round((height * sheet.width) / sheet.height);
  for (const name of ["columns", "rows"]) document.documentElement.style.setProperty(`--${name}`, sheet[name]);

  // Photograph and mask of an image: the right places of two sheets.
  function paint(picture, number, layer) {
    const { file, position } = onSheet(sheet, number);
    const [photograph, mask] = picture.children;
    photograph.style.backgroundImage = `url(sheets/image-${file}.jpg)`;
    photograph.style.backgroundPosition = mask.style.backgroundPosition = position;
    picture.classList.toggle("masked", layer !== NONE);
    mask.style.backgroundImage = layer === NONE ? "none" : `url(sheets/${layers[layer].key}-${file}.png)`;
  }
  function picture() {
    const made = document.createElement("span");
    made.className = "pic";
    made.append(document.createElement("i"), document.createElement("b"));
    return made;
  }

  // --- grid -------------------------------------------------------------------------------------------------------
  const shownLayers = () => (view.value === SIDE ? [0, 1] : [Number(view.value)]);

  function lay() {
    const height = Number(size.value);
    shape(grid, height);
    const wide = Math.max(shownLayers().length * (width(height) + 3) + 12, 92);
    across = Math.max(1, Math.floor(grid.clientWidth / wide));
    pitch = { width: wide, height: height + 46, left: Math.max(0, Math.floor((grid.clientWidth - across * wide) / 2)) };
    rows.style.height = `${Math.ceil(chosen.length / across) * pitch.height}px`;
    for (const tile of tiles.values()) tile.remove();
    tiles.clear();
    render();
  }

  function render() {
    const first = Math.max(0, Math.floor(grid.scrollTop / pitch.height) - SPARE) * across;
    const last = Math.ceil((grid.scrollTop + grid.clientHeight) / pitch.height + SPARE) * across;
    for (const [place, tile] of tiles) {
      if (place >= first && place < last) continue;
      tile.remove();
      tiles.delete(place);
    }
    for (let place = first; place < Math.min(last, chosen.length); place++) if (!tiles.has(place)) add(place);
    if (chosen.length) grid.setAttribute("aria-activedescendant", `tile${active}`);
    else grid.removeAttribute("aria-activedescendant");
  }

  function add(place) {
    const tile = document.createElement("div"), pictures = document.createElement("div"), number = chosen[place];
    tile.className = "tile";
    tile.id = `tile${place}`;
    tile.setAttribute("role", "option");
    tile.setAttribute("aria-setsize", chosen.length);
    tile.setAttribute("aria-posinset", place + 1);
    tile.style.cssText = `width:${pitch.width}px;transform:translate(${
      pitch.left + (place % across) * pitch.width}px,${Math.floor(place / across) * pitch.height}px)`;
    pictures.className = "pics";
    for (const layer of shownLayers()) {
      const made = picture();
      paint(made, number, layer);
      pictures.append(made);
    }
    tile.append(pictures, document.createElement("p"), document.createElement("p"));
    tiles.set(place, tile);
    caption(place);
    rows.append(tile);
  }

  // What stands beneath a thumbnail; names are whatever files are called, so never as HTML.
  function caption(place) {
    const tile = tiles.get(place);
    if (!tile) return;
    const number = chosen[place], name = LABELS.names[number], layer = layers[form.elements.layer?.value ?? 0];
    const marked = table.marks.get(number), status = LABELS.statuses[layer.status[number]];
    const share = table.percent(layer.foreground[number]), [first, second] = tile.querySelectorAll("p");
    first.textContent = `\u200e${name.slice(name.lastIndexOf("/") + 1)}`; // from left to right, though cut on the left
    second.textContent = marked !== undefined ? `✗ ${marked}` : status === "ok" ? share : `${status} ${share}`;
    tile.title = name;
    tile.setAttribute("aria-selected", marked !== undefined);
    tile.setAttribute("aria-label", `${name}, ${status}, foreground ${share}${marked !== undefined ? `, marked: ${marked}` : ""}`);
    tile.classList.toggle("active", place === active);
  }

  function go(place) {
    const before = active;
    active = Math.max(0, Math.min(chosen.length - 1, place));
    const top = Math.floor(active / across) * pitch.height;
    if (top < grid.scrollTop) grid.scrollTop = top;
    else if (top + pitch.height > grid.scrollTop + grid.clientHeight) grid.scrollTop = top + pitch.height - grid.clientHeight;
    render();
    caption(before);
    caption(active);
    if (one.open) enlarge();
  }

  function update() {
    const wanted = Object.fromEntries(new FormData(form)), number = chosen[active];
    chosen = table.sort(table.choose(wanted, states), order.value, wanted);
    active = Math.max(0, chosen.indexOf(number));
    at("count").textContent = `${chosen.length.toLocaleString("en")} of ${table.count.toLocaleString("en")} images`;
    grid.scrollTop = 0;
    lay();
    go(active);
  }

  // --- marks ------------------------------------------------------------------------------------------------------
  function mark(text) {
    if (!chosen.length) return;
    if (text === undefined) table.marks.delete(chosen[active]);
    else table.marks.set(chosen[active], text);
    told();
    caption(active);
    if (one.open) enlarge();
  }
  const toggle = () => mark(table.marks.has(chosen[active]) ? undefined : reason.value);

  function told(more = "") {
    const kept = table.keep() ? "" : "; this browser keeps no marks of files: download them before you leave";
    at("marked").textContent = `${table.marks.size.toLocaleString("en")} marked${kept}${more}`;
  }

  function download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([table.csv()], { type: "text/csv" }));
    link.download = "marks.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  async function load(event) {
    const [file] = event.target.files;
    if (!file) return;
    const strange = table.load(await file.text());
    event.target.value = "";
    if (strange === null) told(`; ${file.name} is no marks.csv: it has no column path`);
    else told(strange ? `; ${strange} lines of ${file.name} name no image of this page` : "");
    update();
  }

  // --- one image, large -------------------------------------------------------------------------------------------
  function enlarge() {
    const number = chosen[active], marked = table.marks.get(number);
    const height = Math.max(160, Math.min(innerHeight * 0.62, 576, ((innerWidth * 0.86) * sheet.height) / sheet.width));
    shape(one, Math.round(height));
    at("name").textContent = LABELS.names[number];
    for (const side of ["left", "right"]) paint(stage.querySelector(`.${side}`), number, Number(at(side).value));
    const titles = ["left", "right"].map((side) => at(side).selectedOptions[0].textContent);
    stage.setAttribute("aria-label", `${LABELS.names[number]}: ${titles.join(" | ")}`);
    if (document.activeElement !== at("why")) at("why").value = marked ?? "";
    at("toggle").textContent = marked === undefined ? "mark" : "take the mark away";
    at("facts").replaceChildren(...table.facts(number).flatMap(([name, value]) => {
      const [term, said] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = name;
      said.textContent = value;
      return [term, said];
    }));
    at("strip").replaceChildren(...[NONE, ...layers.keys()].map((layer) => {
      const figure = document.createElement("figure"), below = document.createElement("figcaption"), made = picture();
      shape(figure, 144);
      paint(made, number, layer);
      below.textContent = layer === NONE ? "photograph" : layers[layer].title;
      figure.append(made, below);
      return figure;
    }));
    slide(cut);
  }
  function slide(to) {
    cut = Math.max(0, Math.min(100, to));
    stage.style.setProperty("--cut", `${cut}%`);
    at("slide").value = cut;
  }
  function open() {
    if (!chosen.length || one.open) return;
    one.showModal();
    enlarge();
    stage.focus();
  }

  // --- keys -------------------------------------------------------------------------------------------------------
  const typing = (element) => element.matches("input:not([type=range]), select, textarea");

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("#help")) return;
    const here = event.target, { key } = event, inGrid = here === grid || (one.open && here === stage);
    if (key === "Escape" && !one.open && here !== grid) return used(event, () => grid.focus());
    if (typing(here)) return;
    const page = across * Math.max(1, Math.floor(grid.clientHeight / pitch.height));
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across, Home: -Infinity, End: Infinity,
      PageUp: -page, PageDown: page }[key];
    if (inGrid && step !== undefined) used(event, () => go(active + step));
    else if (inGrid && key === " ") used(event, toggle);
    else if (inGrid && key === "Enter") used(event, open);
    else if (/^[1-9]$/.test(key) && reason.options[key - 1]) used(event, () => mark(reason.options[key - 1].value));
    else if (key === "[" || key === "]") used(event, () => slide(cut + (key === "[" ? -5 : 5)));
    else if (key === "?") used(event, () => at("help").showModal());
    else if (key === "/" && !one.open) used(event, () => { at("panel").open = true; form.elements.words.focus(); });
    else if (key === "v" && !one.open) used(event, () => { view.selectedIndex = (view.selectedIndex + 1) % view.length; lay(); });
  }
  function used(event, act) {
    event.preventDefault();
    act();
  }

  function cycle(button) {
    const part = Number(button.dataset.part), next = { undefined: 1, 1: 0, 0: undefined }[states[part]];
    states[part] = next;
    button.dataset.state = next ?? "";
    button.querySelector("b").textContent = { 1: "✓", 0: "✗" }[next] ?? "";
    button.setAttribute("aria-label", `${LABELS.classes[part + 1]}: ${{ 1: "shown", 0: "missing" }[next] ?? "any"}`);
  }
  const partButtons = [...form.querySelectorAll("[data-part]")];

  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { // the fields are empty after the event
    for (const button of partButtons) while (states[button.dataset.part] !== undefined) cycle(button);
    update();
  }));
  for (const button of partButtons) button.addEventListener("click", () => { cycle(button); update(); });
  order.addEventListener("input", update);
  view.addEventListener("input", lay);
  size.addEventListener("input", () => { lay(); go(active); });
  grid.addEventListener("scroll", render, { passive: true });
  new ResizeObserver(lay).observe(grid);
  rows.addEventListener("click", (event) => {
    const tile = event.target.closest(".tile");
    if (tile) go(Number(tile.id.slice(4)));
  });
  rows.addEventListener("dblclick", open);
  at("download").addEventListener("click", download);
  at("load").addEventListener("change", load);
  at("clear").addEventListener("click", () => {
    if (!table.marks.size || !confirm(`Clear ${table.marks.size} marks?`)) return;
    table.marks.clear();
    told();
    update();
  });
  at("ask").addEventListener("click", () => at("help").showModal());
  document.querySelector("[data-close]").addEventListener("click", () => at("help").close());
  at("close").addEventListener("click", () => one.close());
  one.addEventListener("close", () => { caption(active); grid.focus(); });
  at("help").addEventListener("close", () => (one.open ? stage : grid).focus());
  for (const side of ["left", "right"]) at(side).addEventListener("input", enlarge);
  at("slide").addEventListener("input", () => slide(Number(at("slide").value)));
  at("strength").addEventListener("input", () => one.style.setProperty("--strength", at("strength").value / 100));
  at("why").addEventListener("input", () => mark(at("why").value.trim() || undefined));
  at("before").addEventListener("click", () => go(active - 1));
  at("after").addEventListener("click", () => go(active + 1));
  at("toggle").addEventListener("click", toggle);
  const drag = (event) => {
    const box = stage.getBoundingClientRect();
    if (event.buttons) slide((100 * (event.clientX - box.left)) / box.width);
  };
  stage.addEventListener("pointerdown", drag);
  stage.addEventListener("pointermove", drag);
  addEventListener("keydown", pressed);

  at("panel").open = innerWidth > 800;
  at("left").value = layers.length > 1 ? 0 : NONE;
  at("right").value = layers.length > 1 ? 1 : 0;
  told();
  update();
  grid.focus();
})();
