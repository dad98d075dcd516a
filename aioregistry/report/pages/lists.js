"use strict";
// Texts come as they are to be shown, and reach the page through textContent alone.
const data = JSON.parse(document.getElementById("data").textContent);
const PAGE = 50;
const PRINTED = 500;
const TYPING = 120;
const UNITS = ["kB", "MB", "GB", "TB"];
const numbers = new Intl.NumberFormat("en");
const words = new Intl.Collator("en", { numeric: true });

function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  let amount = bytes / 1000;
  let unit = 0;
  while (unit < UNITS.length - 1 && Number(amount.toFixed(1)) >= 1000) {
    amount /= 1000;
    unit += 1;
  }
  return `${amount.toFixed(1)} ${UNITS[unit]}`;
}

function counted(count, one) {
  return `${numbers.format(count)} ${one}${count === 1 ? "" : "s"}`;
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// What a value of each kind of column is: to read, and to sort by.
const KINDS = {
  text: { read: (column, row) => column.values[row] },
  choice: { read: (column, row) => column.choices[column.values[row]] },
  digest: { read: (column, row) => column.values.slice(12 * row, 12 * row + 12).trim() },
  bytes: {
    read: (column, row) => (column.values[row] < 0 ? "" : size(column.values[row])),
    number: (column, row) => column.values[row],
  },
  time: {
    read: (column, row) => time(column.values[row]).slice(0, 10),
    number: (column, row) => column.values[row],
  },
};

function time(minutes) {
  return minutes < 0 ? "" : new Date(minutes * 60000).toISOString().slice(0, 16);
}

function cell(column, row) {
  const made = element("td", { role: "cell", "data-title": column.title });
  const text = KINDS[column.kind].read(column, row);
  if (!text) return made;
  if (column.kind === "text" || column.kind === "choice") {
    made.append(element("bdi", {}, text));
  } else if (column.kind === "digest") {
    made.append(element("code", {}, text));
  } else if (column.kind === "time") {
    const at = time(column.values[row]);
    made.append(element("time", { datetime: `${at}Z`, title: `${at.replace("T", " ")} UTC` }, text));
  } else {
    made.className = "number";
    made.title = `${numbers.format(column.values[row])} bytes`;
    made.append(text);
  }
  return made;
}

class LongList {
  constructor(root) {
    this.root = root;
    const spec = data.lists[root.dataset.list];
    this.columns = spec.columns;
    this.one = spec.one;
    this.all = Array.from({ length: spec.rows }, (_, row) => row);
    this.found = this.all;
    this.page = 0;
    this.order = null;
    this.texts = null;
    this.search = this.part("input");
    this.selects = Array.from(root.querySelectorAll("select"));
    for (const select of this.selects) {
      this.columns[select.dataset.column].choices.forEach((choice, number) => {
        select.append(element("option", { value: number }, choice));
      });
      select.addEventListener("change", () => this.find());
    }
    let typing;
    this.search.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.find(), TYPING);
    });
    this.part("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.find();
    });
    this.part(".csv").addEventListener("click", () => this.download());
    this.heads = Array.from(root.querySelectorAll("thead button"));
    for (const head of this.heads) head.addEventListener("click", () => this.sortBy(head));
    this.pager = this.part(".pager");
    this.pager.addEventListener("click", (event) => this.turn(event.target.dataset.page));
    addEventListener("beforeprint", () => this.print());
    addEventListener("afterprint", () => this.draw());
    for (const hidden of root.querySelectorAll("[hidden]")) hidden.hidden = false;
    this.draw();
  }

  part(selector) {
    return this.root.querySelector(selector);
  }

  // What is searched, made at the first search: opening the page does not wait for it.
  haystack() {
    const searched = this.columns.filter((column) => !KINDS[column.kind].number);
    this.texts ??= this.all.map((row) =>
      searched.map((column) => KINDS[column.kind].read(column, row)).join("\n").toLowerCase(),
    );
    return this.texts;
  }

  find() {
    const wanted = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const parts = wanted.map((word) => word.replace(/^sha256:([0-9a-f]{12}).*$/, "$1"));
    const texts = parts.length ? this.haystack() : [];
    const chosen = this.selects
      .filter((select) => select.value !== "")
      .map((select) => [this.columns[select.dataset.column].values, Number(select.value)]);
    this.found = this.all.filter(
      (row) =>
        chosen.every(([values, number]) => values[row] === number) &&
        parts.every((part) => texts[row].includes(part)),
    );
    this.sort();
    this.page = 0;
    this.draw();
  }

  sortBy(head) {
    const number = Number(head.dataset.column);
    const isNumber = Boolean(KINDS[this.columns[number].kind].number);
    const down = this.order?.number === number ? !this.order.down : isNumber;
    this.order = { number, down };
    for (const each of this.heads) {
      const direction = each !== head ? "none" : down ? "descending" : "ascending";
      each.parentNode.setAttribute("aria-sort", direction);
      each.lastElementChild.textContent = each !== head ? "" : down ? "↓" : "↑";
    }
    this.found = this.found.slice();
    this.sort();
    this.page = 0;
    this.draw();
  }

  sort() {
    if (!this.order) return;
    const column = this.columns[this.order.number];
    const { read, number } = KINDS[column.kind];
    const sign = this.order.down ? -1 : 1;
    const compare = number
      ? (one, other) => number(column, one) - number(column, other)
      : (one, other) => words.compare(read(column, one), read(column, other));
    this.found.sort((one, other) => sign * compare(one, other) || one - other);
  }

  turn(to) {
    if (!to) return;
    const pages = Math.ceil(this.found.length / PAGE);
    this.page = { first: 0, previous: this.page - 1, next: this.page + 1, last: pages - 1 }[to];
    this.draw();
    this.part(".count").scrollIntoView({ block: "nearest" });
  }

  draw() {
    const begin = this.page * PAGE;
    const end = Math.min(begin + PAGE, this.found.length);
    this.rows(this.found.slice(begin, end));
    const all = counted(this.all.length, this.one);
    const some = `${numbers.format(this.found.length)} of ${all}`;
    this.part(".count").textContent = this.found.length === this.all.length ? all : some;
    const range = `${numbers.format(begin + 1)}–${numbers.format(end)} of ${numbers.format(this.found.length)}`;
    this.part(".range").textContent = end ? range : "";
    this.pager.hidden = this.found.length <= PAGE;
    for (const button of this.pager.querySelectorAll("button")) {
      const back = ["first", "previous"].includes(button.dataset.page);
      button.disabled = back ? this.page === 0 : end === this.found.length;
    }
  }

  rows(rows) {
    const made = rows.map((row) =>
      element("tr", { role: "row" }, ...this.columns.map((column) => cell(column, row))),
    );
    this.part("tbody").replaceChildren(...made);
  }

  print() {
    this.rows(this.found.slice(0, PRINTED));
    const all = counted(this.found.length, this.one);
    const some = `The first ${numbers.format(PRINTED)} of ${all}.`;
    this.part(".printed").textContent = this.found.length > PRINTED ? some : `${all}.`;
  }

  choose(column, number) {
    const select = this.selects.find((each) => Number(each.dataset.column) === column);
    this.search.value = select ? "" : this.columns[column].choices[number];
    if (select) select.value = number;
    this.find();
    this.root.scrollIntoView();
    this.search.focus({ preventScroll: true });
  }

  download() {
    // A text that begins so is a formula to spreadsheets.
    const quoted = (text) => `"${(/^[=+\-@]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
    const value = (column, row) => {
      if (column.kind === "time") return time(column.values[row]);
      if (column.kind === "bytes") return column.values[row] < 0 ? "" : column.values[row];
      return quoted(KINDS[column.kind].read(column, row));
    };
    const lines = [this.columns.map((column) => quoted(column.title)).join(",")];
    for (const row of this.found) {
      lines.push(this.columns.map((column) => value(column, row)).join(","));
    }
    const file = new Blob(["\ufeff", lines.join("\r\n"), "\r\n"], { type: "text/csv" });
    const link = element("a", { href: URL.createObjectURL(file), download: `${this.root.dataset.list}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}
