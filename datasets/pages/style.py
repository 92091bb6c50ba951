"""The look of every page."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --text: #1c1e21; --back: #fff; --soft: #5b6068; --line: #dcdfe4; --head: #f4f5f7;
  --bar: #3b78c4; --error: #b3261e; --warning: #8a5a00; --info: #2c6ba8 }
@media (prefers-color-scheme: dark) {
  :root { --text: #dfe2e7; --back: #15171b; --soft: #a2a8b2; --line: #363a42; --head: #20242a;
    --bar: #6aa5ea; --error: #ff8a80; --warning: #f0b95a; --info: #8ab8ea }
}
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem auto; max-width: 75rem; padding: 0 1rem;
  color: var(--text); background: var(--back); overflow-wrap: anywhere }
h1 { font-size: 1.5rem; line-height: 1.25; margin-bottom: .3rem }
h2 { margin: 2rem 0 .5rem; font-size: 1.15rem }
h3 { margin: 0 0 .3rem; font-size: 1rem }
p { margin: .4rem 0 }
.soft, figcaption, summary { color: var(--soft); font-size: 13px }
code, pre { font: 13px/1.45 ui-monospace, monospace }
pre { background: var(--head); border: 1px solid var(--line); border-radius: 4px; padding: .6rem .8rem;
  white-space: pre-wrap }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 4px }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums;
  overflow-wrap: normal }
th, td { padding: .3rem .55rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child { text-align: left } th { background: var(--head) }
tr:last-child td { border-bottom: 0 }
.card { border: 1px solid var(--line); border-left: 4px solid var(--soft); border-radius: 4px; padding: .7rem .9rem;
  margin: .8rem 0 }
.card.error { border-left-color: var(--error) } .card.warning { border-left-color: var(--warning) }
.card.info { border-left-color: var(--info) }
.error > h3 b { color: var(--error) } .warning > h3 b { color: var(--warning) } .info > h3 b { color: var(--info) }
.pictures { display: flex; flex-wrap: wrap; gap: .7rem; margin-top: .6rem }
figure { margin: 0; width: 320px; max-width: 100% } figure img { display: block; width: 100%; height: auto;
  border-radius: 3px; background: var(--head) }
.bars { display: grid; grid-template-columns: minmax(4rem, max-content) 1fr max-content; gap: .15rem .7rem;
  align-items: center; font-size: 14px; font-variant-numeric: tabular-nums }
.bars i { display: block; height: .75rem; border-radius: 2px; background: var(--bar); min-width: 1px }
.bars b { display: inline-block; width: .75rem; height: .75rem; margin-right: .4rem; border-radius: 2px;
  border: 1px solid var(--line); vertical-align: -1px }
"""
