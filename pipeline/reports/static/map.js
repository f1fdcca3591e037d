// The map of map.html: pictures on a canvas that can be moved and zoomed; one person stands out when it is chosen.
"use strict";
(() => {
  const DATA = JSON.parse(document.getElementById("map-data").textContent), { sheet } = DATA;
  const PER_SHEET = sheet.columns * sheet.rows, EDGE = 0.04; // free space around the map
  const sheets = [...document.querySelectorAll("#sheets img")], count = DATA.name.length;
  const canvas = document.getElementById("map"), form = document.getElementById("find"), said = form.querySelector("output");
  const words = DATA.name.map((name, i) => `${name} ${DATA.person[i]}`.toLowerCase());
  const style = getComputedStyle(document.documentElement);
  let view = { zoom: 1, x: 0.5, y: 0.5 }, chosen = null, found = null, waiting = false;

  // --- places: unit square <-> pixels of the canvas ----------------------------------------------------------------
  const side = () => Math.min(canvas.clientWidth, canvas.clientHeight) * (1 - 2 * EDGE) * view.zoom;
  const across = (i) => canvas.clientWidth / 2 + (DATA.x[i] - view.x) * side();
  const down = (i) => canvas.clientHeight / 2 - (DATA.y[i] - view.y) * side();
  const height = () => Number(form.elements.size.value) * Math.min(4, Math.sqrt(view.zoom));
  const width = () => (height() * sheet.width) / sheet.height;

  function draw() {
    waiting = false;
    const sharp = devicePixelRatio || 1, [w, h] = [width(), height()];
    canvas.width = canvas.clientWidth * sharp;
    canvas.height = canvas.clientHeight * sharp;
    const pen = canvas.getContext("2d");
    pen.scale(sharp, sharp);
    const kept = (i) => (chosen !== null ? DATA.person[i] === DATA.person[chosen] : !found || found.has(i));
    let drawn = 0;
    for (const wanted of [false, true]) for (let i = 0; i < count; i++) { // those that stand out are drawn last
      if (kept(i) !== wanted) continue;
      const [x, y] = [across(i) - w / 2, down(i) - h / 2];
      if (x > canvas.clientWidth || y > canvas.clientHeight || x + w < 0 || y + h < 0) continue;
      const place = i % PER_SHEET, picture = sheets[Math.floor(i / PER_SHEET)];
      const [column, row] = [place % sheet.columns, Math.floor(place / sheet.columns)];
      pen.globalAlpha = wanted ? 1 : 0.15;
      pen.drawImage(picture, column * sheet.width, row * sheet.height, sheet.width, sheet.height, x, y, w, h);
      if (DATA.query[i] || (wanted && (chosen !== null || found))) {
        pen.lineWidth = i === chosen ? 4 : 2;
        pen.strokeStyle = style.getPropertyValue(DATA.query[i] ? "--accent" : "--right");
        pen.strokeRect(x, y, w, h);
      }
      drawn++;
    }
    canvas.dataset.drawn = drawn;
  }
  const render = () => { if (!waiting) { waiting = true; setTimeout(draw, 10); } };

  function zoom(by, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
    const before = side();
    view.zoom = Math.max(0.5, Math.min(60, view.zoom * by));
    const change = 1 / before - 1 / side(); // what is under the pointer stays there
    view.x += (x - canvas.clientWidth / 2) * change;
    view.y -= (y - canvas.clientHeight / 2) * change;
    render();
  }
  function move(x, y) {
    view.x -= x / side();
    view.y += y / side();
    render();
  }

  function at(x, y) { // the picture on top
    for (let i = count - 1; i >= 0; i--)
      if (Math.abs(across(i) - x) <= width() / 2 && Math.abs(down(i) - y) <= height() / 2) return i;
    return null;
  }
  function tell() {
    if (chosen === null) said.textContent = found ? `${found.size} of ${count} images` : `${count} images`;
    else {
      const all = DATA.person.filter((person) => person === DATA.person[chosen]).length;
      said.textContent = `person ${DATA.person[chosen]}, camera ${DATA.camera[chosen]}, ${all} images · ${DATA.name[chosen]}`;
    }
  }
  function choose(i) {
    chosen = i;
    tell();
    render();
  }

  // --- pointer, fingers, keys --------------------------------------------------------------------------------------
  const down_at = new Map(); // pointer -> where it is
  let dragged = 0;
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    if (!down_at.size) dragged = 0;
    down_at.set(event.pointerId, [event.offsetX, event.offsetY]);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = down_at.get(event.pointerId), now = [event.offsetX, event.offsetY];
    if (!before) return;
    const others = [...down_at].filter(([pointer]) => pointer !== event.pointerId).map(([, place]) => place);
    const far = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
    if (others.length) zoom(far(now, others[0]) / Math.max(1, far(before, others[0])), ...others[0]);
    else move(now[0] - before[0], now[1] - before[1]);
    dragged += far(now, before);
    down_at.set(event.pointerId, now);
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) canvas.addEventListener(end, (event) => {
    if (end === "pointerup" && down_at.size === 1 && dragged < 5) choose(at(event.offsetX, event.offsetY));
    down_at.delete(event.pointerId);
  });
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    const factor = { "+": 1.25, "=": 1.25, "-": 0.8 }[event.key];
    if (factor) zoom(factor);
    else if (steps[event.key]) move(...steps[event.key]);
    else if (event.key === "Escape") choose(null);
    else return;
    event.preventDefault();
  });
  for (const button of form.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => {
    if (Number(button.dataset.zoom)) zoom(Number(button.dataset.zoom));
    else { view = { zoom: 1, x: 0.5, y: 0.5 }; render(); }
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    const wanted = form.elements.words.value.trim().toLowerCase();
    const exact = DATA.person.includes(form.elements.words.value.trim()); // a person's number is in many names
    const hits = (i) => (exact ? DATA.person[i].toLowerCase() === wanted : words[i].includes(wanted));
    found = wanted ? new Set([...Array(count).keys()].filter(hits)) : null;
    chosen = null;
    tell();
    render();
  });
  new ResizeObserver(render).observe(canvas);
  for (const picture of sheets) if (!picture.complete) picture.addEventListener("load", render);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", render);
  tell();
  draw();
})();
