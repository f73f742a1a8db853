// Tables that sort and filter. Without this script they are plain tables with all their rows.
"use strict";

const FIRST_ROWS = 12;

function cellValue(row, column) {
  const cell = row.cells[column];
  const value = cell.dataset.value;
  return value === undefined ? cell.textContent.trim() : Number(value);
}

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), "en", { numeric: true });
}

function enhance(table) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const tool = table.closest(".table").querySelector(".tool");
  const input = tool.querySelector("input");
  const said = tool.querySelector("[role=status]");
  const noun = table.dataset.noun;
  const rest = Number(table.dataset.rest || 0);
  let ordered = rows;
  let showsAll = rows.length <= FIRST_ROWS + 3;

  const more = document.createElement("button");
  more.type = "button";
  more.className = "all";
  more.addEventListener("click", () => {
    const first = ordered.find((row) => row.hidden);
    showsAll = true;
    show();
    if (first) {
      first.tabIndex = -1;
      first.focus();
    }
  });
  table.closest(".table").append(more);

  function show() {
    const words = input.value.toLocaleLowerCase("en").split(/\s+/).filter(Boolean);
    let found = 0;
    for (const row of ordered) {
      const text = row.textContent.toLocaleLowerCase("en");
      const matches = words.every((word) => text.includes(word));
      if (matches) found += 1;
      row.hidden = !matches || (!showsAll && !words.length && found > FIRST_ROWS);
    }
    if (table.tFoot) table.tFoot.hidden = words.length > 0;
    more.hidden = showsAll || words.length > 0;
    more.textContent = `Show all ${rows.length.toLocaleString("en")}`;
    const all = `${rows.length.toLocaleString("en")} ${noun}`;
    const smaller = rest ? `; ${rest.toLocaleString("en")} more are not in this table` : "";
    said.textContent = words.length ? `${found.toLocaleString("en")} of ${all}${smaller}` : all;
  }

  function sort(column, ascending) {
    ordered = rows.slice().sort((one, other) => {
      const order = compare(cellValue(one, column), cellValue(other, column));
      return ascending ? order : -order;
    });
    body.append(...ordered);
    show();
  }

  Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const ascending = before ? before === "descending" : !head.classList.contains("number");
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      sort(column, ascending);
    });
  });
  input.addEventListener("input", show);
  tool.hidden = rows.length <= FIRST_ROWS;
  show();
}

document.querySelectorAll("table[data-noun]").forEach(enhance);
