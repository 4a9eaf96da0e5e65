#include "report_assets.h"

namespace press {

const std::string_view kReportStyle = R"css(
:root { color-scheme: light dark;
  --paper: #ffffff; --panel: #f6f7f9; --ink: #1d2126; --soft: #5b6470; --rule: #dde1e6; --accent: #0062a3;
  --warn: #b34700; --good: #00795a; --grid: #e6e8eb;
  --c0: #5c6470; --c1: #0072b2; --c2: #d55e00; --c3: #00886a; --c4: #b5599a; --c5: #8f6c00; --c6: #3d8fc4; --c7: #7a4fc0; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #14171b; --panel: #1c2026; --ink: #e6e9ed; --soft: #a0a9b5; --rule: #343b45; --accent: #6cb8ee;
  --warn: #ff9d5c; --good: #4fd0a8; --grid: #2a3038;
  --c0: #b6bec9; --c1: #58b0ea; --c2: #ff9350; --c3: #3fcfa4; --c4: #e592c9; --c5: #e0ba45; --c6: #9ad0f2; --c7: #b799f5; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
main, header, footer { max-width: 1500px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 28px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 6px; }
h2 { font-size: 1.25rem; margin: 40px 0 12px; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 24px 0 8px; }
p { margin: 6px 0; }
.soft, footer { color: var(--soft); }
.facts { display: flex; flex-wrap: wrap; gap: 2px 22px; color: var(--soft); font-size: .92rem; margin: 0; padding: 0; list-style: none; }
.facts li { overflow-wrap: anywhere; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(215px, 1fr)); gap: 12px; margin: 18px 0; }
.card { background: var(--panel); border: 1px solid var(--rule); border-radius: 8px; padding: 12px 14px; }
.card b { display: block; font-size: .85rem; color: var(--soft); font-weight: 600; }
.card .what { font-weight: 600; margin: 2px 0; }
.card .numbers { font-size: .92rem; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 430px), 1fr)); gap: 14px; }
figure { margin: 0; background: var(--panel); border: 1px solid var(--rule); border-radius: 8px; padding: 8px 8px 4px; }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; gap: 4px 12px;
  font-size: .85rem; color: var(--soft); padding: 2px 6px 4px; }
.key { display: inline-flex; flex-wrap: wrap; gap: 2px 12px; }
.key i { display: inline-block; width: .75em; height: .75em; border-radius: 50%; margin-right: 5px; }
svg.chart { display: block; width: 100%; height: auto; max-width: 760px; margin: 0 auto; }
svg text { font: 11.5px system-ui, "DejaVu Sans", sans-serif; fill: var(--soft); }
svg .heading { font-size: 13.5px; font-weight: 600; fill: var(--ink); }
svg .mark { font-weight: 700; fill: var(--ink); }
svg .legend { fill: var(--ink); }
.grid { stroke: var(--grid); } .ground { stroke: var(--soft); }
.front { fill: none; stroke: var(--soft); stroke-width: 1.4; }
.base { stroke: var(--soft); stroke-dasharray: 5 4; }
.g0 { --c: var(--c0); } .g1 { --c: var(--c1); } .g2 { --c: var(--c2); } .g3 { --c: var(--c3); }
.g4 { --c: var(--c4); } .g5 { --c: var(--c5); } .g6 { --c: var(--c6); } .g7 { --c: var(--c7); }
.dot { cursor: pointer; } .dot circle, .dot path { fill: var(--panel); stroke: var(--c); stroke-width: 1.6; }
.on-front circle, .on-front path { fill: var(--c); }
.dot.off { opacity: .12; } .dot:focus { outline: none; }
.dot.lit circle, .dot:focus circle { stroke: var(--ink); stroke-width: 3; }
.series circle { fill: var(--c); } .line { fill: none; stroke: var(--c); stroke-width: 1.8; }
.bar rect { fill: var(--c1); } .worst rect { fill: var(--c2); }
.columns { fill: var(--c1); opacity: .5; } .outline { fill: none; stroke: var(--c2); stroke-width: 1.3; }
.range { fill: var(--c3); opacity: .16; }
button, input { font: inherit; color: inherit; }
.tools button { font-size: .8rem; border: 1px solid var(--rule); background: var(--paper); border-radius: 5px; padding: 1px 8px; cursor: pointer; }
.controls { display: flex; flex-wrap: wrap; gap: 8px 18px; align-items: center; margin: 18px 0 8px; }
.controls input[type=search] { padding: 6px 10px; border: 1px solid var(--rule); border-radius: 6px; background: var(--paper); width: min(100%, 320px); }
.scroll { overflow-x: auto; border: 1px solid var(--rule); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
th { position: sticky; top: 0; background: var(--panel); font-weight: 600; }
th button { all: unset; cursor: pointer; } th button:focus-visible { outline: 2px solid var(--accent); }
th[aria-sort=ascending] button::after { content: " ▲"; font-size: .7em; }
th[aria-sort=descending] button::after { content: " ▼"; font-size: .7em; }
td.name, th.name { text-align: left; white-space: normal; min-width: 235px; }
tbody tr:last-child td { border-bottom: none; }
tbody tr:hover td, tr.lit td { background: var(--panel); }
tr.front-row td.name { font-weight: 600; } tr.failed td { color: var(--warn); }
.worse { color: var(--warn); } .better { color: var(--good); }
.star { color: var(--accent); }
details { border: 1px solid var(--rule); border-radius: 8px; margin: 8px 0; padding: 0 14px; background: var(--paper); }
details[open] { padding-bottom: 14px; }
summary { cursor: pointer; padding: 9px 0; overflow-wrap: anywhere; }
pre { background: var(--panel); border-radius: 6px; padding: 10px 12px; overflow-x: auto; font: .84rem/1.45 ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; margin: 6px 0; }
footer { margin-top: 44px; padding-bottom: 40px; font-size: .88rem; border-top: 1px solid var(--rule); padding-top: 14px; }
@media (min-width: 1200px) { svg text { font-size: 10.5px; } svg .heading { font-size: 12px; } }
@media (max-width: 600px) { main, header, footer { padding: 0 12px; } header { padding-top: 16px; } h1 { font-size: 1.4rem; }
  svg text { font-size: 14px; } svg .heading { font-size: 16px; } table { font-size: .82rem; } th, td { padding: 5px 7px; }
  td.name, th.name { position: sticky; left: 0; background: var(--paper); min-width: 118px; max-width: 150px; z-index: 1; }
  th.name { background: var(--panel); } th.number, td.number { display: none; } }
@media print { :root { --paper: #fff; --panel: #fff; --ink: #000; --soft: #444; --rule: #bbb; --grid: #ddd; --accent: #00508a;
    --c0: #555; --c1: #0072b2; --c2: #d55e00; --c3: #00795a; --c4: #a04b87; --c5: #806000; --c6: #3d8fc4; --c7: #6a3fb0; }
  body { font-size: 10pt; } .controls, .tools { display: none; } .scroll { overflow: visible; border: none; }
  table { font-size: 7.4pt; } th, td { padding: 2px 4px; } td.name { min-width: 0; } th { position: static; }
  figure, details, .card, tr { break-inside: avoid; } h2, h3 { break-after: avoid; } .charts { grid-template-columns: 1fr 1fr; }
  details:not([open]) { display: none; } }
)css";

const std::string_view kReportScript = R"js(
"use strict";
for (const section of document.querySelectorAll("section.model")) {
  const body = section.querySelector("tbody");
  const rows = [...body.rows];
  const dots = [...section.querySelectorAll(".dot")];
  const search = section.querySelector("input[type=search]");
  const only = section.querySelector("input[type=checkbox]");
  const count = section.querySelector(".count");

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.dataset.text;
      const keep = words.every(word => text.includes(word)) && (!only.checked || row.classList.contains("front-row"));
      row.hidden = !keep;
      shown += keep ? 1 : 0;
      for (const dot of dots) if (dot.dataset.id === row.dataset.id) dot.classList.toggle("off", !keep);
    }
    count.textContent = shown + " of " + rows.length;
  };
  search.addEventListener("input", filter);
  only.addEventListener("change", filter);
  filter();

  section.querySelectorAll("th button").forEach(button => {
    const header = button.parentElement;
    button.addEventListener("click", () => {
      const column = header.cellIndex;
      const up = header.getAttribute("aria-sort") !== "ascending";
      for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = row => row.cells[column].dataset.v ?? "";
      rows.sort((a, b) => {
        const x = value(a), y = value(b);
        if (x === "" || y === "") return (x === "") - (y === "");   // what is not known comes last
        const order = header.dataset.words ? x.localeCompare(y) : Number(x) - Number(y);
        return up ? order : -order;
      });
      body.append(...rows);
    });
  });

  const light = (id, on) => {
    for (const part of [...rows, ...dots]) if (part.dataset.id === id) part.classList.toggle("lit", on);
  };
  for (const part of [...rows, ...dots]) {
    part.addEventListener("mouseenter", () => light(part.dataset.id, true));
    part.addEventListener("mouseleave", () => light(part.dataset.id, false));
  }
  const show = dot => {
    const row = rows.find(one => one.dataset.id === dot.dataset.id);
    if (row) row.scrollIntoView({block: "center", behavior: "smooth"});
  };
  for (const dot of dots) {
    dot.addEventListener("click", () => show(dot));
    dot.addEventListener("keydown", event => { if (event.key === "Enter") show(dot); });
  }
}

const save = (url, name) => {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
};
const picture = svg => {
  const copy = svg.cloneNode(true);
  const box = svg.viewBox.baseVal;
  copy.setAttribute("width", 2 * box.width);
  copy.setAttribute("height", 2 * box.height);
  copy.insertAdjacentHTML("afterbegin", document.getElementById("chart-style").innerHTML);
  return new XMLSerializer().serializeToString(copy);
};
for (const figure of document.querySelectorAll("figure")) {
  const svg = figure.querySelector("svg");
  const name = svg.getAttribute("aria-label").replace(/[^A-Za-z0-9]+/g, "-").toLowerCase();
  const tools = document.createElement("span");
  tools.className = "tools";
  const button = (text, action) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.title = "save this chart as " + text;
    made.addEventListener("click", action);
    tools.append(made, " ");
  };
  button("SVG", () => save("data:image/svg+xml;charset=utf-8," + encodeURIComponent(picture(svg)), name + ".svg"));
  button("PNG", () => {
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = image.width;
      canvas.height = image.height;
      const context = canvas.getContext("2d");
      context.fillStyle = "#fff";
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(image, 0, 0);
      save(canvas.toDataURL("image/png"), name + ".png");
    };
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(picture(svg));
  });
  figure.querySelector("figcaption").append(tools);
}
addEventListener("beforeprint", () => document.querySelectorAll("details.front-cell").forEach(part => part.open = true));
)js";

}  // namespace press
