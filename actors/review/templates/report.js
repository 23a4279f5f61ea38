"use strict";
(() => {
  // Details of pictures: what is pointed at, or chosen with the arrow keys, is told below the picture.
  const tell = (svg, cell) => {
    const figure = svg.closest("figure");
    const detail = figure.querySelector(".detail");
    figure.querySelectorAll(".cell.on").forEach((other) => other.classList.remove("on"));
    if (cell) {
      cell.classList.add("on");
      detail.textContent = cell.querySelector("title").textContent;
      detail.classList.add("told");
    }
    if (svg.classList.contains("graph")) connect(svg, cell);
  };
  const connect = (svg, cell) => {
    svg.querySelectorAll(".near").forEach((other) => other.classList.remove("near"));
    svg.classList.toggle("active", Boolean(cell));
    if (!cell) return;
    const near = new Set([cell.dataset.n]);
    svg.querySelectorAll(".curve").forEach((curve) => {
      const { s, t } = curve.dataset;
      if (s !== cell.dataset.n && t !== cell.dataset.n) return;
      curve.classList.add("near");
      near.add(s).add(t);
    });
    svg.querySelectorAll(".box").forEach((box) => box.classList.toggle("near", near.has(box.dataset.n)));
  };
  const middle = (cell) => {
    const box = cell.querySelector("rect").getBBox();
    const folder = cell.classList.contains("folder");
    return [box.x + box.width / 2, folder ? box.y + 8 : box.y + box.height / 2];
  };
  const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  document.querySelectorAll("svg.explore").forEach((svg) => {
    svg.addEventListener("pointerover", (event) => {
      const cell = event.target.closest(".cell");
      if (cell) tell(svg, cell);
    });
    svg.addEventListener("pointerleave", () => tell(svg, null));
    svg.addEventListener("blur", () => tell(svg, null));
    svg.addEventListener("keydown", (event) => {
      if (event.key === "Escape") tell(svg, null);
      if (!(event.key in keys)) return;
      event.preventDefault();
      const cells = [...svg.querySelectorAll(".cell")];
      const current = svg.querySelector(".cell.on");
      if (!current) return tell(svg, cells[0]);
      const [x, y] = middle(current);
      const [dx, dy] = keys[event.key];
      let best = null;
      let least = Infinity;
      for (const cell of cells) {
        if (cell === current) continue;
        const [cx, cy] = middle(cell);
        const along = (cx - x) * dx + (cy - y) * dy;
        const aside = Math.abs((cx - x) * dy) + Math.abs((cy - y) * dx);
        if (along > 0.1 && along + 3 * aside < least) { least = along + 3 * aside; best = cell; }
      }
      if (best) tell(svg, best);
    });
  });

  // Tables that can be sorted by any column.
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const number = parseFloat(text.replace(/,/g, ""));
    return row.cells[column].classList.contains("n") ? (Number.isNaN(number) ? -1 : number) : text.toLowerCase();
  };
  document.querySelectorAll("table.sortable").forEach((table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const numeric = head.classList.contains("n");
        const was = head.getAttribute("aria-sort");
        const ascending = was ? was === "descending" : !numeric;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows].map((row) => [value(row, column), row]);
        rows.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (ascending ? 1 : -1));
        table.tBodies[0].append(...rows.map(([, row]) => row));
      });
    });
  });

  // The filter of the long table.
  document.querySelectorAll("[data-table]").forEach((input) => {
    const box = document.getElementById(input.dataset.table);
    const rows = [...box.querySelectorAll("tbody tr")];
    const texts = rows.map((row) => `${row.cells[0].textContent} ${row.cells[1].textContent}`.toLowerCase());
    const summary = box.querySelector("summary");
    const all = summary.textContent;
    input.closest("label").hidden = false;
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      let shown = 0;
      rows.forEach((row, index) => { row.hidden = !texts[index].includes(wanted); shown += row.hidden ? 0 : 1; });
      summary.textContent = wanted ? `${shown} of ${all}` : all;
      if (wanted) box.open = true;
    });
  });
})();
