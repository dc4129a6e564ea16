/** The look of the report: one sheet for light, dark and paper; system fonts, nothing loaded. */
export const style = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --text: #16202c; --soft: #5b6878; --line: #e1e6ec; --grid: #e8ecf1; --mark: #c3ccd6;
  --gateway: #16202c; --warn: #fff5dd; --warn-line: #e5b94a; --badge: #e7f0ff; --badge-text: #1a4fa3;
  --waku: #0b8f7d; --trtc: #2a67d8; --xmtp: #d9480f; --push: #a02cbd; --http: #6b7280; --other: #6b7280;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f141a; --card: #171e26; --text: #e6ebf1; --soft: #97a4b3; --line: #28323d; --grid: #232d38; --mark: #3c4a59;
    --gateway: #e6ebf1; --warn: #2d2614; --warn-line: #a98426; --badge: #1b2c47; --badge-text: #a9c8ff;
    --waku: #35c4ae; --trtc: #6ea3ff; --xmtp: #ff8a5c; --push: #d77fec; --http: #9aa5b4; --other: #9aa5b4;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 40px 24px 72px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.015em; }
h2 { font-size: 19px; margin: 44px 0 4px; letter-spacing: -0.005em; }
h3 { font-size: 14px; margin: 0 0 6px; font-weight: 600; }
p { margin: 6px 0 12px; max-width: 78ch; }
.lead, .note { color: var(--soft); }
.note { font-size: 13.5px; }
.badge { display: inline-block; padding: 2px 10px; border-radius: 99px; background: var(--badge); color: var(--badge-text); font-size: 12px; font-weight: 600; letter-spacing: 0.04em; vertical-align: 5px; margin-left: 8px; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 22px 0; }
.fact { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px; }
.fact b { display: block; font-size: 19px; font-weight: 650; font-variant-numeric: tabular-nums; }
.fact span { color: var(--soft); font-size: 12.5px; }
.warnings { background: var(--warn); border: 1px solid var(--warn-line); border-radius: 10px; padding: 12px 18px; margin: 18px 0; }
.warnings ul { margin: 0; padding-left: 18px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px; margin: 12px 0; }
.scroll { overflow-x: auto; padding: 4px 18px 8px; }
.grid2 { display: grid; grid-template-columns: repeat(auto-fit, minmax(400px, 1fr)); gap: 14px; }
.grid3 { display: grid; grid-template-columns: repeat(auto-fit, minmax(270px, 1fr)); gap: 14px; }
.grid2 .card, .grid3 .card { margin: 0; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 8px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; vertical-align: top; }
th { color: var(--soft); font-size: 12px; font-weight: 600; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
tr:last-child td { border-bottom: 0; }
td small { display: block; color: var(--soft); font-size: 11.5px; line-height: 1.35; }
th.group { text-align: center; border-bottom: 1px solid var(--mark); }
tr.head td { padding-top: 18px; font-weight: 650; font-size: 13px; border-bottom: 1px solid var(--mark); }
td.adds { background: color-mix(in srgb, var(--gateway) 5%, transparent); font-weight: 600; }
td.adds small { font-weight: 400; }
td.wrap { white-space: normal; text-align: left; min-width: 320px; }
.matrix { table-layout: fixed; min-width: 620px; }
.matrix td, .matrix th { text-align: center; vertical-align: middle; }
.matrix th:first-child { text-align: left; }
.matrix td { border: 2px solid var(--card); border-radius: 8px; padding: 10px 8px; }
.dot { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 7px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin-top: 8px; font-size: 12.5px; color: var(--soft); }
.legend .key { display: inline-block; width: 18px; height: 0; border-top: 2px solid; vertical-align: 4px; margin-right: 6px; }
.legend .key.dashed { border-top-style: dashed; }
.legend .key.strong { border-top-width: 4px; vertical-align: 3px; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: var(--soft); }
svg text.label { font-size: 12.5px; fill: var(--text); }
svg .grid { stroke: var(--grid); stroke-width: 1; }
svg .grid.mark { stroke: var(--mark); stroke-dasharray: 3 3; }
svg path { fill: none; stroke-linejoin: round; }
svg path.main { stroke-width: 3; }
svg path.curve { stroke-width: 1.6; }
svg path.dashed { stroke-dasharray: 5 3; }
svg path.faint { stroke-width: 1.1; opacity: 0.45; }
code { font: 12.5px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: var(--page); border: 1px solid var(--line); border-radius: 5px; padding: 1px 5px; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 20px; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; min-width: 0; }
footer { margin-top: 48px; color: var(--soft); font-size: 13px; }
@media (max-width: 560px) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 8px; } .grid2 { grid-template-columns: 1fr; } }
@media print {
  @page { size: A4 landscape; margin: 12mm; }
  :root { --page: #fff; --card: #fff; }
  body { font-size: 11px; }
  main { max-width: none; padding: 0; }
  .card, .fact, tr, svg { break-inside: avoid; }
  h2 { break-after: avoid; }
  .grid2 { grid-template-columns: 1fr 1fr; }
  .grid3 { grid-template-columns: 1fr 1fr 1fr; }
  table { font-size: 10px; }
  td small { font-size: 9px; }
  th, td { padding: 4px 6px; }
  .matrix { min-width: 0; }
}
`
