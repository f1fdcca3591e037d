// The images of the labels page without their looks: which are chosen, in which order, which are marked.
"use strict";
const table = (() => {
  const { names, layers, pairs, splits, cameras, persons, statuses, classes } = LABELS;
  const UNKNOWN = -1; // in a column: the image has no such mask
  const small = names.map((name) => name.toLowerCase());
  const marks = new Map(LABELS.marks); // number of an image -> reason
  const numbers = new Map(names.map((name, number) => [name, number]));

  // wanted: the values of the filters, "" for any; parts: 1 (shown), 0 (missing) or undefined for each part.
  // Numbers of the images that all filters let through, in the order of the page.
  function choose(wanted, parts) {
    const words = wanted.words.trim().toLowerCase();
    const layer = layers[wanted.layer || 0], pair = pairs[wanted.pair || 0];
    const tests = [];
    const equal = (column, text) => text && text !== "" && tests.push((i) => column[i] === Number(text));
    if (words) tests.push((i) => small[i].includes(words));
    equal(layer.status, wanted.status);
    equal(LABELS.split, wanted.split);
    equal(LABELS.camera, wanted.camera);
    const person = (wanted.person || "").trim();
    if (person) {
      const place = persons.indexOf(person);
      tests.push((i) => LABELS.person[i] === place);
    }
    if (wanted.marked) tests.push((i) => marks.has(i) === (wanted.marked === "1"));
    const known = (column, test) => tests.push((i) => column[i] !== UNKNOWN && test(column[i]));
    if (wanted.least) known(layer.foreground, (value) => value >= 10 * wanted.least);
    if (wanted.most) known(layer.foreground, (value) => value <= 10 * wanted.most);
    if (pair && wanted.iou) known(pair.iou, (value) => value <= 10 * wanted.iou);
    if (pair && wanted.differ) known(pair.stripes, (value) => LABELS.stripes - value >= wanted.differ);
    const asked = parts.reduce((bits, state, part) => bits | (state === undefined ? 0 : 1 << part), 0);
    const shown = parts.reduce((bits, state, part) => bits | (state === 1 ? 1 << part : 0), 0);
    if (asked) known(layer.parts, (value) => (value & asked) === shown);
    const chosen = [];
    for (let i = 0; i < names.length; i++) if (tests.every((test) => test(i))) chosen.push(i);
    return chosen;
  }

  // Images without a value come last; equal ones keep the order of the page.
  function sort(chosen, order, wanted) {
    const layer = layers[wanted.layer || 0], pair = pairs[wanted.pair || 0];
    const columns = { foreground: layer.foreground, iou: pair?.iou, stripes: pair?.stripes, status: layer.status,
      person: LABELS.person };
    const column = columns[order.replace("-", "")], sign = order.startsWith("-") ? -1 : 1;
    if (!column) return chosen;
    const value = (i) => (column[i] === UNKNOWN ? Infinity : sign * column[i]);
    const keys = new Map(chosen.map((i) => [i, value(i)]));
    return chosen.sort((a, b) => (keys.get(a) === keys.get(b) ? a - b : keys.get(a) - keys.get(b)));
  }

  const percent = (value) => (value === UNKNOWN ? "–" : `${(value / 10).toFixed(value < 100 ? 1 : 0)} %`);
  const shownParts = (layer, i) =>
    layer.parts[i] === UNKNOWN ? [] : classes.slice(1).filter((_, part) => layer.parts[i] & (1 << part));

  // What is known of an image: name and value.
  function facts(i) {
    const rows = [["person", persons[LABELS.person[i]]], ["camera", cameras[LABELS.camera[i]]]];
    rows.push(["split", splits[LABELS.split[i]]]);
    for (const layer of layers) {
      const said = layer.status ? [statuses[layer.status[i]]] : [];
      if (layer.foreground[i] !== UNKNOWN)
        said.push(`foreground ${percent(layer.foreground[i])}`, shownParts(layer, i).join(", ") || "no part");
      rows.push([layer.title, said.join("; ") || "no mask"]);
    }
    for (const pair of pairs) {
      if (pair.iou[i] === UNKNOWN) continue;
      const stripes = pair.stripes[i] === UNKNOWN ? "" : `; ${pair.stripes[i]} of ${LABELS.stripes} stripes agree`;
      rows.push([pair.title, `mIoU ${percent(pair.iou[i])}${stripes}`]);
    }
    return rows;
  }

  // The marks outlive the page in the browser's storage, if it has one for files.
  function keep() {
    try {
      localStorage.setItem(LABELS.key, JSON.stringify([...marks].map(([i, reason]) => [names[i], reason])));
      return true;
    } catch {
      return false;
    }
  }

  function recall() {
    try {
      const kept = JSON.parse(localStorage.getItem(LABELS.key));
      if (!Array.isArray(kept)) return;
      marks.clear();
      for (const [name, reason] of kept) if (numbers.has(name)) marks.set(numbers.get(name), String(reason));
    } catch {
      // no storage, or another program's value: the page starts with the marks that it was written with
    }
  }

  const field = (text) => (/[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const csv = () => {
    const rows = [...marks].sort((a, b) => a[0] - b[0]).map(([i, reason]) => `${field(names[i])},${field(reason)}\n`);
    return `path,reason\n${rows.join("")}`;
  };

  // Marks of a marks.csv are added. The number of its lines that name no image of this page.
  function load(text) {
    const [head, ...rows] = parse(text.replace(/^\ufeff/, ""));
    const [path, why] = ["path", "reason"].map((name) => (head || []).indexOf(name));
    if (path < 0) return null;
    let strange = 0;
    for (const row of rows) {
      if (numbers.has(row[path])) marks.set(numbers.get(row[path]), row[why] || "marked");
      else strange++;
    }
    return strange;
  }

  function parse(text) {
    const rows = [];
    let row = [], cell = "", quoted = false;
    const end = () => { row.push(cell); cell = ""; };
    for (let at = 0; at < text.length; at++) {
      const sign = text[at];
      if (quoted) {
        if (sign !== '"') cell += sign;
        else if (text[at + 1] === '"') { cell += sign; at++; }
        else quoted = false;
      } else if (sign === '"') quoted = true;
      else if (sign === ",") end();
      else if (sign === "\n") { end(); rows.push(row); row = []; }
      else if (sign !== "\r") cell += sign;
    }
    if (cell || row.length) { end(); rows.push(row); }
    return rows.filter((cells) => cells.some((one) => one));
  }

  recall();
  return { choose, sort, facts, percent, marks, keep, csv, load, count: names.length };
})();
