/** The whole style of the page. It is allowed by its hash, so it has no element of its own and no outside reference. */
export const style = `
:root{color-scheme:light dark;
--ground:#e8eeeb;--surface:#fff;--surface-2:#f3f6f5;--line:#d3dcd7;--line-strong:#6f7d76;--text:#0f1714;--text-2:#38443f;
--accent:#00573f;--accent-text:#00573f;--danger:#9a1220;--danger-soft:#fae4e3;--focus:#0f1714;
--font:"Atkinson Hyperlegible Next Variable","Atkinson Hyperlegible Next","Segoe UI Variable Text","Segoe UI",-apple-system,BlinkMacSystemFont,Roboto,"Noto Sans","Liberation Sans",Arial,sans-serif;
--mono:"Atkinson Hyperlegible Mono Variable",ui-monospace,"SF Mono","Cascadia Mono","Roboto Mono","DejaVu Sans Mono",monospace}
@media(prefers-color-scheme:dark){:root{
--ground:#0a100d;--surface:#161e1a;--surface-2:#1e2823;--line:#2d3933;--line-strong:#82918a;--text:#eef4f1;--text-2:#c0ccc6;
--accent:#62d6ab;--accent-text:#74dfb8;--danger:#ffaaa4;--danger-soft:#3b1719;--focus:#fff}}
*{box-sizing:border-box}
html{scroll-padding-top:4.5rem;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--text);font:400 1rem/1.5 var(--font);display:grid;
grid-template:3.5rem 1fr/17.5rem minmax(0,1fr)}
a{color:var(--accent-text);text-underline-offset:.15em}
h1,h2,h3,h4,h5{font-weight:680;letter-spacing:-.012em;line-height:1.2;text-wrap:balance;margin:0}
h1{font-size:2.125rem}h2{font-size:1.625rem}h3{font-size:1.25rem}h4{font-size:1.0625rem}
h5{font-size:.8125rem;font-weight:600;letter-spacing:0;color:var(--text-2);margin:1.5rem 0 .25rem}
h3,h4{overflow-wrap:anywhere}h3 a,h4 a{color:inherit;text-decoration:none}h3 a:hover,h4 a:hover{text-decoration:underline}
p{margin:.5rem 0;max-width:70ch}
code,pre{font-family:var(--mono);font-size:.875em}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px}
:target h3,:target h4{text-decoration:underline;text-decoration-color:var(--accent);text-decoration-thickness:3px;text-underline-offset:.3em}
.skip{position:absolute;left:-999rem}.skip:focus{left:1rem;top:.75rem;z-index:2;background:var(--surface);padding:.5rem 1rem}
header{grid-column:1/-1;position:sticky;top:0;z-index:1;background:var(--ground);display:flex;align-items:center;gap:.6rem;padding:0 1.5rem}
.mark{width:1.75rem;height:1.75rem}.sign{fill:var(--text)}.counter{fill:var(--accent)}
.name{font-weight:680;font-size:1.0625rem;letter-spacing:-.012em;color:var(--text);text-decoration:none}
.what{color:var(--text-2)}.file{margin-left:auto;font-family:var(--mono);font-size:.875rem}
nav{position:sticky;top:3.5rem;align-self:start;height:calc(100vh - 3.5rem);overflow-y:auto;padding:.5rem 1rem 3rem 1.5rem;font-size:.9375rem}
nav ul{list-style:none;margin:0;padding:0}
nav a{display:block;color:var(--text-2);text-decoration:none;padding:.25rem .5rem;border-radius:6px}
nav a:hover{background:var(--surface);color:var(--text)}
nav .chapter{color:var(--text);font-weight:680;margin-top:1.25rem}nav .tag{color:var(--text);font-weight:600;margin-top:.75rem}
nav .to{display:flex;gap:.5rem;align-items:baseline;font-size:.875rem}
nav .to .method{flex:none;width:3.1rem;font-size:.625rem;border:0;padding:0;text-align:right}
main{background:var(--surface);border-radius:22px 0 0 0;padding:0 2.25rem 6rem;min-width:0}
.beginning{padding:2.5rem 0 2rem}.beginning p{max-width:74ch;color:var(--text-2)}
dl{display:grid;grid-template-columns:auto 1fr;gap:.4rem 1.5rem;margin:1.5rem 0 0}dt{font-weight:600}dd{margin:0;color:var(--text-2);overflow-wrap:anywhere}
.opening{border-top:2px solid var(--text);padding-top:1.5rem;margin-top:3rem}.opening p{color:var(--text-2)}
.tagged{margin-top:2.5rem}.tagged>p{color:var(--text-2);margin-top:.25rem}
.operation{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,27rem);gap:0 2.5rem;border-top:1px solid var(--line);padding:1.75rem 0 2.25rem;margin-top:1.25rem}
.address{display:flex;gap:.6rem;align-items:baseline;margin:.6rem 0 .25rem;overflow-wrap:anywhere}.address code{font-size:.9375rem}
.method{flex:none;font:600 .6875rem/1.4 var(--mono);letter-spacing:.02em;border:1px solid var(--line-strong);border-radius:6px;padding:.1rem .4rem;color:var(--text)}
.method.delete{color:var(--danger);border-color:var(--danger)}
.needs{font-size:.875rem;color:var(--text-2);margin:.25rem 0 .75rem}
table{border-collapse:collapse;width:100%;font-size:.9375rem}
th,td{text-align:left;vertical-align:top;padding:.5rem 1rem .5rem 0;border-bottom:1px solid var(--line);font-weight:400;overflow-wrap:anywhere}
thead th{font-size:.8125rem;font-weight:600;color:var(--text-2);border-bottom:1px solid var(--line-strong)}
.members th:first-child{width:33%}.members td:nth-child(2){width:24%}
tbody th code{font-weight:600}td{color:var(--text-2)}td p{margin:0 0 .25rem}
.required,.limits{font-size:.8125rem;color:var(--text-2)}
.members .required{display:block}
.limits{white-space:nowrap}.kind{color:var(--text-2)}
.answers th{width:3.5rem;font-variant-numeric:tabular-nums;font-weight:600}.answers .bad td{font-size:.875rem}
figure{margin:0 0 1rem;background:var(--surface-2);border:1px solid var(--line);border-radius:14px;overflow:hidden}
figcaption{font-size:.8125rem;font-weight:600;color:var(--text-2);padding:.6rem 1rem;border-bottom:1px solid var(--line)}
pre{margin:0;padding:.8rem 1rem;font-size:.8125rem;line-height:1.55;white-space:pre-wrap;overflow-wrap:anywhere;max-height:32rem;overflow-y:auto}
pre code{font-size:inherit}
.common{font-size:.875rem;color:var(--text-2)}.errors{margin-top:1.5rem;max-width:60rem}.errors th:first-child{width:20rem}
.object{margin-top:2rem;max-width:60rem}
@media(max-width:1160px){.operation{grid-template-columns:minmax(0,1fr)}.shown{margin-top:1.5rem}}
@media(max-width:860px){
body{display:block}header{padding:0 1rem;height:3.5rem}
nav{position:static;height:auto;padding:.25rem 1rem 1rem}nav .to,nav ul ul ul{display:none}
nav ul ul{display:flex;flex-wrap:wrap;gap:.25rem}nav .chapter{margin-top:.5rem;padding-left:0}
nav .tag{margin:0;background:var(--surface);font-weight:400;padding:.6rem .75rem;border-radius:10px}
main{border-radius:22px 22px 0 0;padding:0 1rem 4rem}
dl{grid-template-columns:1fr;gap:.1rem}dd{margin-bottom:.6rem}
h1{font-size:1.625rem}}
@media(max-width:560px){
.what{display:none}
.members thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
.members tr{display:block;border-bottom:1px solid var(--line);padding:.6rem 0}
.members th,.members td,.members th:first-child,.members td:nth-child(2){display:block;width:auto;border:0;padding:.1rem 0}
.members td:empty{display:none}.members .required{display:inline;margin-left:.35rem}}
@media print{nav,.skip{display:none}body{display:block;background:none}.operation{break-inside:avoid}}
`
