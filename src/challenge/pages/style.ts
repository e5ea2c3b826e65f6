/**
 * How the pages look: one column, system fonts, two sizes of text and one of figures, colours from variables for
 * light and dark. All pairs of text and background have a contrast of 4.5:1 or more.
 *
 * The countdown needs no script: `.n` is one line high and shows a strip of numbers, one to a line,
 * that moves up by a line a second. On paper, and where motion is not wanted, one number stands in its place (`.r`), which
 * is also what a screen reader reads.
 */
export const LINE_EM = 1.5
/** Seconds that the strip can count. */
export const MOST_COUNTED_S = 120

const light = '--p:#fff;--t:#1b252d;--s:#4b5a65;--w:#7d9aad;--v:#8f4b1d;--a:#0b4f7d;--b:#c5d0d8'
const dark = '--p:#11171c;--t:#e4eaee;--s:#a7b5bf;--w:#567489;--v:#dfa476;--a:#8ec6f0;--b:#3a4853'

export const STYLE = [
  `:root{color-scheme:light dark;${light}}`,
  `@media(prefers-color-scheme:dark){:root{${dark}}}`,
  `body{margin:0 auto;padding:1.5em 1em;max-width:36em;background:var(--p);color:var(--t);font:1.0625em/${LINE_EM} system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;overflow-wrap:break-word}`,
  'h1{font-size:1.5em;line-height:1.25;margin:1em 0 .75em}',
  'p{margin:.75em 0}',
  'header{font-weight:600}',
  'header img{max-height:3em;max-width:100%;vertical-align:middle;margin-inline-end:.75em}',
  '.g{display:block;width:15em;max-width:100%;margin-top:1.5em}',
  '.w{fill:var(--w)}.v{fill:var(--v)}.l{fill:none;stroke:var(--t);stroke-width:1.5}',
  '[dir=rtl] .g{transform:scaleX(-1)}',
  'b{font-size:1.25em;font-weight:600}',
  'b,.k{font-variant-numeric:tabular-nums;white-space:nowrap}',
  '.n,progress{display:none}',
  '@media screen and (prefers-reduced-motion:no-preference){',
  '.r{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}',
  `.n{display:inline-block;height:${LINE_EM}em;overflow:hidden;vertical-align:bottom;text-align:end}`,
  `.n:before{content:attr(data-n);display:block;white-space:pre;animation:n ${MOST_COUNTED_S}s steps(${MOST_COUNTED_S})}`,
  `@keyframes n{to{transform:translateY(-${LINE_EM * MOST_COUNTED_S}em)}}`,
  'progress{display:block;width:100%;height:.75em;accent-color:var(--v)}',
  '}',
  'a{color:var(--a)}',
  'a,button{display:inline-block;padding:.15em 0}',
  '.act a{margin-inline-end:1.5em}',
  'button{font:inherit;padding:.4em 1.2em;border:2px solid var(--a);border-radius:4px;background:var(--a);color:var(--p);cursor:pointer}',
  'a:focus-visible,button:focus-visible{outline:3px solid var(--v);outline-offset:2px}',
  '.say,section,nav,footer{margin-top:1.5em;padding-top:.75em;border-top:1px solid var(--b)}',
  '.say{white-space:pre-line}',
  'h2{margin:0;font-size:1em}',
  'ul{margin:.5em 0;padding:0;list-style:none}',
  'nav li{display:inline-block;margin-inline-end:1.25em}',
  'footer{color:var(--s)}footer bdi{display:inline-block}',
  '[hidden]{display:none!important}',
  '@media print{nav,.act{display:none}:root{--p:#fff;--t:#000;--s:#000;--a:#000}}',
].join('')
