// Boxes whose areas are to each other as the values are, the largest first: rows along the shorter
// side, each as long as that makes its boxes no longer.
function squarified(values, x, y, width, height) {
  const total = values.reduce((sum, value) => sum + value, 0);
  const areas = values.map((value) => (value * width * height) / total);
  const boxes = [];
  while (boxes.length < areas.length) {
    const side = Math.min(width, height);
    const largest = areas[boxes.length];
    let end = boxes.length;
    let filled = 0;
    let worst = Infinity;
    while (end < areas.length) {
      const more = filled + areas[end];
      const ratio = Math.max((side * side * largest) / more ** 2, more ** 2 / (side * side * areas[end]));
      if (ratio > worst) break;
      [filled, worst, end] = [more, ratio, end + 1];
    }
    const thick = filled / side;
    const across = width >= height;
    let at = across ? y : x;
    for (const area of areas.slice(boxes.length, end)) {
      const long = area / thick;
      boxes.push(across ? [x, at, thick, long] : [at, y, long, thick]);
      at += long;
    }
    if (across) [x, width] = [x + thick, width - thick];
    else [y, height] = [y + thick, height - thick];
  }
  return boxes;
}

// A letter, and the width from which on the beginning of a name is worth showing.
const CHARACTER = 7.4;
const LABEL = 110;
const SVG = "http://www.w3.org/2000/svg";

function drawn(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function px(number) {
  return number.toFixed(1);
}

class BytesMap {
  constructor(root, crumbs, list) {
    [this.root, this.crumbs, this.list] = [root, crumbs, list];
    this.top = Array.from(root.children);
    this.path = [];
    root.addEventListener("click", (event) => this.open(event.target.closest(".tile")));
    root.addEventListener("keydown", (event) => this.press(event));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.path.length) this.back(this.path.length - 1);
    });
    let resizing;
    addEventListener("resize", () => {
      clearTimeout(resizing);
      resizing = setTimeout(() => this.path.length && this.draw(), TYPING);
    });
  }

  press(event) {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.open(tile);
      return;
    }
    const tiles = Array.from(tile.parentNode.querySelectorAll(".tile"));
    const at = tiles.indexOf(tile);
    const keys = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: tiles.length - 1 };
    const to = tiles[keys[event.key]];
    if (!to) return;
    event.preventDefault();
    tile.setAttribute("tabindex", -1);
    to.setAttribute("tabindex", 0);
    to.focus();
  }

  open(tile) {
    if (!tile) return;
    this.path.push({ kind: tile.dataset.open, number: Number(tile.dataset.number) });
    this.draw();
    this.crumbs.querySelector("button").focus({ preventScroll: true });
  }

  back(level) {
    const left = this.path[level];
    this.path.length = level;
    this.draw();
    const open = `.tile[data-open="${left.kind}"][data-number="${left.number}"]`;
    const seen = Array.from(this.root.children).find((svg) => svg.getClientRects().length);
    seen?.querySelector(open)?.focus({ preventScroll: true });
  }

  name({ kind, number }) {
    return (kind === "registry" ? data.map.registries : data.map.repositories)[number];
  }

  draw() {
    const here = this.path[this.path.length - 1];
    this.crumbs.hidden = !here;
    this.root.replaceChildren(...(here ? [this.level(here)] : this.top));
    if (!here) return;
    const all = data.map.registries.length > 1 ? "All registries" : "All repositories";
    const steps = [all, ...this.path.slice(0, -1).map((step) => this.name(step))].map((name, level) => {
      const button = element("button", { type: "button" }, name);
      button.addEventListener("click", () => this.back(level));
      return button;
    });
    const parts = steps.flatMap((step) => [step, "›"]);
    parts.push(element("strong", {}, element("bdi", {}, this.name(here))));
    if (here.kind === "repository") {
      const button = element("button", { type: "button", class: "csv" }, "Its tags as a list");
      button.addEventListener("click", () => this.list.choose(0, here.number));
      parts.push(button);
    }
    this.crumbs.replaceChildren(...parts);
  }

  // Name, bytes, kind, and for repositories the number.
  parts({ kind, number }) {
    const { map } = data;
    if (kind === "registry") {
      const own = map.repositories.map((name, each) => [name, map.bytes[each], "repository", each]);
      const of = own.filter((part) => map.registry[part[3]] === number);
      return [...of, ["Shared by repositories", map.between[number], "shared"]];
    }
    const [repository, tag, alone] = this.list.columns;
    const policy = this.list.columns.find((column) => column.title === "Policy");
    const stays = policy ? policy.choices.indexOf("stays") : -1;
    const rows = this.list.all.filter((row) => repository.values[row] === number);
    return [
      ...rows.map((row) => [tag.values[row], alone.values[row], policy && policy.values[row] !== stays ? "going" : "tag"]),
      ["Shared by several tags", map.shared[number], "shared"],
      ["Untagged", map.untagged[number], "untagged"],
    ];
  }

  level(here) {
    const width = Math.max(280, this.root.clientWidth);
    const height = width < 700 ? 480 : 500;
    const parts = this.parts(here).filter((part) => part[1] > 0);
    parts.sort((one, other) => other[1] - one[1]);
    const total = parts.reduce((sum, part) => sum + part[1], 0);
    const shown = parts.filter((part) => (part[1] * width * height) / total >= 60).slice(0, 1000);
    const others = parts.length - shown.length;
    const rest = total - shown.reduce((sum, part) => sum + part[1], 0);
    if (others) shown.push([counted(others, "smaller part"), rest, "rest"]);
    shown.sort((one, other) => other[1] - one[1]);
    const boxes = squarified(shown.map((part) => part[1]), 0, 0, width, height);
    const label = `${this.name(here)}: ${size(total)} in ${counted(parts.length, "part")}; the list below has all tags`;
    const role = here.kind === "registry" ? "group" : "img";
    const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role, "aria-label": label });
    svg.append(...shown.map((part, number) => this.tile(part, boxes[number], number === 0)));
    return svg;
  }

  tile([name, bytes, kind, number], [x, y, width, height], first) {
    const gap = Math.min(1, width / 4, height / 4);
    const box = { x: px(x + gap), y: px(y + gap), width: px(width - 2 * gap), height: px(height - 2 * gap), rx: 2 };
    const sentence = `${name} ${size(bytes)}`;
    const opens = { class: "tile", role: "button", tabindex: first ? 0 : -1, "aria-label": sentence, "data-open": kind, "data-number": number };
    const made = drawn("g", number === undefined ? {} : opens, drawn("title", {}, sentence));
    made.append(drawn("rect", { ...box, class: number === undefined ? kind : `base ${kind}` }));
    const room = Math.min(LABEL, CHARACTER * name.length + 12);
    if (height > 24 && width > room) made.append(...this.label(name, bytes, kind, x + gap, y + gap, width - 2 * gap, height));
    made.append(drawn("rect", { ...box, class: "edge" }));
    return made;
  }

  // What is wider than its tile is cut off at the edge. On hatching, text has a plate of its own.
  label(name, bytes, kind, x, y, width, height) {
    const both = height > 44 && width > CHARACTER * size(bytes).length + 12;
    const place = { x: px(x), y: px(y), width: px(width - 4), height: both ? 42 : 24 };
    const text = drawn("text", { x: 6, y: 17 }, `${name} `);
    if (both) text.append(drawn("tspan", { class: "size", x: 6, y: 35 }, size(bytes)));
    const plate = { x: 3, y: 3, width: 10 + CHARACTER * Math.max(name.length, both ? size(bytes).length : 0), height: both ? 38 : 20, rx: 3, class: "plate" };
    return [drawn("svg", { ...place, "aria-hidden": "true", class: "on-part" }, ...(kind === "going" ? [drawn("rect", plate)] : []), text)];
  }
}

const lists = {};
for (const root of document.querySelectorAll("[data-list]")) lists[root.dataset.list] = new LongList(root);
const map = document.querySelector(".map");
if (map) new BytesMap(map, document.querySelector(".crumbs"), lists.tags);
