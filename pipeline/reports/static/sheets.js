// A thumbnail on a sheet of them: which file holds image `number`, and where on it.
// sheet: { columns, rows, width, height } of the sheets; see pipeline/reports/sheets.py.
"use strict";
const onSheet = (sheet, number) => {
  const place = number % (sheet.columns * sheet.rows), file = Math.floor(number / (sheet.columns * sheet.rows));
  const [column, row] = [place % sheet.columns, Math.floor(place / sheet.columns)];
  return { file: String(file).padStart(5, "0"), position: `calc(-${column} * var(--w)) calc(-${row} * var(--h))` };
};
