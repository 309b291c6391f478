// How the launcher and the panel look. A constructed sheet in a shadow root: the site's own rules do not reach it, and a
// site whose Content-Security-Policy allows no inline styles does not block it.

const CSS = `
:host{all:initial!important;position:fixed!important;inset-block-end:0!important;z-index:2147483000!important;
  color-scheme:light dark;font:16px/1.4 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
:host{inset-inline-end:0!important}
:host([data-side=start]){inset-inline:0 auto!important}
button{font:inherit;cursor:pointer}
.launcher{position:relative;display:grid;place-items:center;inline-size:60px;block-size:60px;padding:0;
  margin:0 max(20px,env(safe-area-inset-right)) max(20px,env(safe-area-inset-bottom)) max(20px,env(safe-area-inset-left));
  border:0;border-radius:50%;background:#0f766e;color:#fff;box-shadow:0 2px 6px rgb(0 0 0/20%),0 8px 24px rgb(0 0 0/20%);
  transition:transform .15s}
.launcher:hover{transform:scale(1.05)}
.launcher:focus-visible{outline:3px solid #fff;outline-offset:-5px;box-shadow:0 0 0 3px #0f766e}
svg{inline-size:28px;block-size:28px;fill:none;stroke:currentColor;stroke-width:1.9;stroke-linecap:round;stroke-linejoin:round}
.badge{position:absolute;inset-block-start:-3px;inset-inline-end:-3px;min-inline-size:22px;padding:2px 5px;box-sizing:border-box;
  border-radius:11px;background:#b42318;color:#fff;font-size:12px;font-weight:700;line-height:18px;text-align:center}
.panel{position:absolute;inset-block-end:94px;inset-inline-end:20px;inline-size:min(400px,calc(100vw - 40px));
  block-size:min(660px,calc(100dvh - 120px));overflow:hidden;border-radius:20px;background:Canvas;color:CanvasText;
  box-shadow:0 2px 8px rgb(0 0 0/14%),0 18px 48px rgb(0 0 0/24%)}
:host([data-side=start]) .panel{inset-inline:20px auto}
.panel:not([hidden]){animation:rise .18s ease-out}
iframe{display:block;inline-size:100%;block-size:100%;border:0}
.trouble{position:absolute;inset:0;display:grid;place-content:center;gap:12px;padding:24px;text-align:center;background:Canvas}
.trouble button{padding:8px 16px;border:1px solid;border-radius:10px;background:none;color:inherit}
[hidden]{display:none!important}
.spoken{position:absolute;inline-size:1px;block-size:1px;overflow:hidden;clip-path:inset(50%)}
@keyframes rise{from{opacity:0;transform:translateY(12px)}}
@media (max-width:480px){
  .panel,:host([data-side]) .panel{position:fixed;inset:var(--top,0) 0 auto;inline-size:100%;block-size:var(--height,100dvh);border-radius:0}
  :host([data-open]) .launcher{display:none}
}
@media (prefers-reduced-motion:reduce){.launcher,.panel:not([hidden]){transition:none;animation:none}}
@media (forced-colors:active){.launcher,.panel{border:1px solid}}
`;

/** Puts the style on a shadow root. */
export function applyStyle(root: ShadowRoot): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  root.adoptedStyleSheets = [sheet];
}
