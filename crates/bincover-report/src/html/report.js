// What a page can do beyond being read: themes, sorting, folding, a filter, keys. It loads nothing.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");
  const kept = (action) => { try { return action(localStorage); } catch { return null; } };
  const theme = kept((store) => store.getItem("bincover-theme"));
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;

  const turn = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    kept((store) => store.setItem("bincover-theme", root.dataset.theme));
  };

  // The index: rows in a table are a tree by their depth alone.
  const index = (table) => {
    const body = table.tBodies[0];
    const all = [];
    const stack = [];
    for (const row of body.rows) {
      const depth = Number(row.className.match(/^d(\d+)/)[1]);
      const node = { row, depth, isFolder: row.classList.contains("dir"), children: [], open: true, shown: true };
      node.name = row.cells[0].textContent;
      stack.length = depth;
      node.parent = stack[depth - 1] || null;
      node.path = (node.parent ? node.parent.path : "") + node.name;
      node.searched = node.path.toLowerCase();
      if (node.parent) node.parent.children.push(node);
      stack[depth] = node;
      all.push(node);
      if (node.isFolder) {
        const button = document.createElement("button");
        button.type = "button";
        button.addEventListener("click", () => { node.open = !node.open; show(); });
        node.button = button;
        row.cells[0].prepend(button);
      }
    }
    const tops = all.filter((node) => !node.parent);
    let filter = "";
    const show = () => {
      for (const node of all) {
        const parent = node.parent;
        const hidden = !node.shown || Boolean(parent && (parent.row.hidden || (!parent.open && !filter)));
        if (node.row.hidden !== hidden) node.row.hidden = hidden;
        const open = filter ? true : node.open;
        if (node.button && node.saidOpen !== open) {
          node.saidOpen = open;
          node.button.textContent = open ? "▾" : "▸";
          node.button.setAttribute("aria-expanded", String(open));
          node.button.setAttribute("aria-label", `${open ? "Close" : "Open"} ${node.name}`);
        }
      }
    };
    const search = (text) => {
      filter = text.trim().toLowerCase();
      let found = 0;
      for (const node of all) node.shown = !filter;
      if (filter) {
        for (const node of all) {
          if (node.isFolder || !node.searched.includes(filter)) continue;
          found += 1;
          for (let up = node; up && !up.shown; up = up.parent) up.shown = true;
        }
      }
      document.getElementById("found").textContent = filter ? `${found} ${found === 1 ? "file" : "files"}` : "";
      show();
    };
    // Siblings change places, so that the tree stays one.
    const value = (node, column, key) => {
      const text = node.row.cells[column].textContent;
      if (key === "name") return node.name;
      if (key === "percent") return text === "-" ? -1 : Number(text);
      const [covered, total] = text.split("/").map(Number);
      return total ? total - covered : -1;
    };
    const sort = (column, key, direction) => {
      const rows = document.createDocumentFragment();
      const place = (nodes) => {
        const values = new Map(nodes.map((node) => [node, value(node, column, key)]));
        nodes.sort((a, b) => {
          if (a.isFolder !== b.isFolder && key === "name") return a.isFolder ? -1 : 1;
          const [x, y] = [values.get(a), values.get(b)];
          return (x < y ? -1 : x > y ? 1 : 0) * direction;
        });
        for (const node of nodes) { rows.append(node.row); place(node.children); }
      };
      place(tops);
      body.append(rows);
      all.length = 0;
      const list = (nodes) => nodes.forEach((node) => { all.push(node); list(node.children); });
      list(tops);
    };
    [...table.tHead.rows[0].cells].forEach((cell, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () => {
        const key = cell.dataset.key;
        const was = cell.getAttribute("aria-sort");
        const first = key === "missed" ? "descending" : "ascending";
        const next = !was ? first : was === "ascending" ? "descending" : "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", next);
        sort(column, key, next === "ascending" ? 1 : -1);
      });
    });
    const openAll = (open) => { for (const node of all) node.open = open; show(); };
    document.getElementById("open").addEventListener("click", () => openAll(true));
    document.getElementById("close").addEventListener("click", () => openAll(false));
    // Of a large tree, what is typed in one go is looked for once.
    let typing;
    document.getElementById("filter").addEventListener("input", (event) => {
      clearTimeout(typing);
      const look = () => search(event.target.value);
      if (all.length <= 2000) look();
      else typing = setTimeout(look, 150);
    });
    // A large tree begins closed.
    openAll(all.length <= 200);
    show();
  };

  // A source: places that are not covered, one after another.
  const source = (table) => {
    const places = [...table.querySelectorAll("tr.u")];
    let at = -1;
    const say = () => {
      const all = `${places.length} ${places.length === 1 ? "line" : "lines"} to look at`;
      const text = at < 0 ? all : `${at + 1} of ${all}`;
      document.getElementById("at").textContent = text;
    };
    const jump = (step) => {
      if (!places.length) return;
      at = at < 0 && step < 0 ? places.length - 1 : (at + step + places.length) % places.length;
      for (const row of table.querySelectorAll(".here")) row.classList.remove("here");
      const row = places[at];
      row.classList.add("here");
      row.scrollIntoView({ block: "center" });
      history.replaceState(null, "", `#${row.id}`);
      say();
    };
    document.getElementById("next").addEventListener("click", () => jump(1));
    document.getElementById("previous").addEventListener("click", () => jump(-1));
    table.addEventListener("click", (event) => {
      const cell = event.target.closest("td");
      const row = cell && cell.parentElement;
      if (row && row.id && cell === row.cells[0]) location.hash = row.id;
    });
    say();
    return jump;
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", turn);
    const files = document.getElementById("files");
    // Until then rows are not drawn, most of which are closed afterwards.
    try { if (files) index(files); } finally { root.classList.add("ready"); }
    const lines = document.querySelector("table.src");
    const jump = lines ? source(lines) : null;
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.matches("input")) {
        if (event.key === "Escape") event.target.blur();
        return;
      }
      if (event.key === "t") turn();
      else if (event.key === "/" && files) { event.preventDefault(); document.getElementById("filter").focus(); }
      else if (jump && (event.key === "n" || event.key === "j")) jump(1);
      else if (jump && (event.key === "p" || event.key === "k")) jump(-1);
      else if (jump && event.key === "u") location.href = "../index.html";
    });
  });
})();
