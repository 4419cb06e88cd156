"use strict";
// Everything shown is set as text or as an attribute, never as markup: prompts and file
// names are not to be trusted.
const pictures = JSON.parse(document.getElementById("pictures").textContent);
const at = (id) => document.getElementById(id);
const grid = at("grid"), viewer = at("viewer");
const CHUNK = 120;

let shown = [];   // the pictures that search and filters leave, in order
let drawn = 0;    // how many of them are in the page
let current = -1; // the one in the viewer
let pushed = false; // whether the viewer has an entry of its own in the history

function made(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

for (const picture of pictures) {
  picture.text = [picture.prompt, picture.negative, picture.name, picture.facts.seed]
    .filter((part) => part !== undefined).join("\n").toLowerCase();
}

function offer(select, key) {
  const names = new Set(pictures.map((picture) => picture[key]).filter(Boolean));
  for (const name of [...names].sort()) {
    const option = made("option", "", name);
    option.value = name;
    select.append(option);
  }
  select.hidden = names.size < 2;
}

function filter() {
  const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const model = at("model").value, sampler = at("sampler").value;
  shown = pictures.filter((picture) =>
    (!model || picture.model === model) &&
    (!sampler || picture.sampler === sampler) &&
    words.every((word) => picture.text.includes(word)));
  if (at("order").value === "old") shown.reverse();
  const all = pictures.length.toLocaleString("en");
  at("count").textContent = shown.length === pictures.length
    ? `${all} ${pictures.length === 1 ? "picture" : "pictures"}`
    : `${shown.length.toLocaleString("en")} of ${all}`;
  grid.replaceChildren(end);
  drawn = 0;
  more();
}

function card(picture, index) {
  const link = made("a", "card");
  link.href = picture.url;
  link.dataset.index = index;
  const image = made("img");
  image.loading = "lazy";
  image.decoding = "async";
  image.alt = picture.prompt || picture.name;
  image.src = picture.url;
  const how = [picture.sampler, picture.facts.seed && `seed ${picture.facts.seed}`];
  const said = made("p", "said", picture.prompt || picture.name);
  said.dir = "auto";
  link.append(image, said, made("p", "how", how.filter(Boolean).join(" \u00b7 ")));
  return link;
}

function more() {
  const next = shown.slice(drawn, drawn + CHUNK);
  end.before(...next.map((picture, index) => card(picture, drawn + index)));
  drawn += next.length;
  end.hidden = drawn > 0 && drawn >= shown.length;
  end.textContent = shown.length ? "" : "No picture matches.";
  nearing.unobserve(end); // told anew of an end that is still near
  nearing.observe(end);
}

const end = made("p");
end.id = "none";
const nearing = new IntersectionObserver((entries) => {
  if (drawn < shown.length && entries.some((entry) => entry.isIntersecting)) more();
}, { rootMargin: "1500px" });

// The viewer

function open(index) {
  const picture = shown[index];
  if (!picture) return;
  current = index;
  at("prompt").textContent = picture.prompt || picture.name;
  const words = picture.command || [picture.why];
  at("command").replaceChildren(...words.flatMap((word) => [made("span", "", word), " "]));
  at("copy").hidden = !picture.command;
  at("copy").textContent = "Copy the command";
  at("file").href = picture.url;
  at("facts").replaceChildren(...Object.entries(picture.facts).flatMap(
    ([name, value]) => [made("dt", "", name), made("dd", "", String(value))]));
  at("previous").disabled = index === 0;
  at("next").disabled = index === shown.length - 1;
  const views = picture.views || [];
  at("views").replaceChildren(...views.map((view) => {
    const button = made("button", "", view.label);
    button.addEventListener("click", () => show(view, picture));
    return button;
  }));
  show(views[0] || { url: picture.url }, picture);
  if (viewer.open) {
    history.replaceState(null, "", address(picture));
  } else {
    history.pushState(null, "", address(picture)); // so that Back closes the viewer
    pushed = true;
    viewer.showModal();
  }
  viewer.scrollTop = at("about").scrollTop = 0;
}

function address(picture) {
  return "#" + encodeURIComponent(picture.name);
}

function show(view, picture) {
  const [width, height] = view.size || picture.size;
  const comparing = view.before !== undefined;
  at("frame").style.setProperty("--ratio", width / height);
  at("frame").style.setProperty("--width", `${width}px`);
  at("after").src = view.url;
  at("after").alt = picture.prompt || picture.name;
  if (comparing) at("before").src = view.before;
  else at("before").removeAttribute("src");
  for (const id of ["before", "edge", "split"]) at(id).hidden = !comparing;
  at("split").value = 50;
  split();
  for (const button of at("views").children) {
    button.setAttribute("aria-pressed", String(button.textContent === view.label));
  }
}

function split() {
  at("frame").style.setProperty("--split", `${at("split").value}%`);
}

window.addEventListener("popstate", () => {
  pushed = false;
  if (viewer.open) viewer.close();
});

viewer.addEventListener("close", () => {
  if (pushed) history.back();
  while (drawn <= current && drawn < shown.length) more();
  const link = grid.querySelector(`[data-index="${current}"]`);
  if (link) link.focus();
  current = -1;
});

async function copy() {
  const text = shown[current].command.join(" ");
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = made("textarea");
    field.value = text;
    viewer.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  at("copy").textContent = "Copied";
}

// Keys

const STEPS = { ArrowLeft: -1, ArrowRight: 1 };

function walk(event) {
  const link = document.activeElement.closest(".card");
  const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  const step = STEPS[event.key] || { ArrowUp: -columns, ArrowDown: columns }[event.key];
  if (!step || !link) return;
  const next = Number(link.dataset.index) + step;
  while (drawn <= next && drawn < shown.length) more();
  const other = grid.querySelector(`[data-index="${next}"]`);
  if (other) {
    event.preventDefault();
    other.focus();
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = document.activeElement;
  if (viewer.open) {
    if (field !== at("split") && STEPS[event.key]) open(current + STEPS[event.key]);
  } else if (field === at("search")) {
    if (event.key === "Escape") {
      field.value = "";
      filter();
      field.blur();
    }
  } else if (event.key === "/") {
    event.preventDefault();
    at("search").select();
  } else if (field.tagName !== "SELECT") {
    walk(event);
  }
});

grid.addEventListener("click", (event) => {
  const link = event.target.closest(".card");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open(Number(link.dataset.index));
});

at("search").addEventListener("input", filter);
for (const id of ["model", "sampler", "order"]) at(id).addEventListener("change", filter);
at("split").addEventListener("input", split);
at("previous").addEventListener("click", () => open(current - 1));
at("next").addEventListener("click", () => open(current + 1));
at("close").addEventListener("click", () => viewer.close());
at("copy").addEventListener("click", copy);

offer(at("model"), "model");
offer(at("sampler"), "sampler");
filter();
open(shown.findIndex((picture) => address(picture) === location.hash));
