// Runs in the page, before any script of it, and looks after every change of the document: before the browser paints.

/** Installs `globalThis.witness`. It must stand alone: only its source reaches the page. */
export function installWitness() {
  const held = new Map();
  const heard = new WeakSet();
  const witness = { faults: [], states: {}, spoken: [], replies: [], inStepAt: null };
  globalThis.witness = witness;

  const look = (changes) => {
    const touched = new Set(changes.map(({ target }) => itemOf(target)));
    if (touched.has(null)) compareAll();
    else for (const node of touched) compare(node);
    listen();
    const control = document.getElementById("control")?.dataset.control;
    const isOnline = document.querySelector('.app[data-connection="online"]') !== null;
    if (isOnline && control !== "nobody") witness.inStepAt ??= performance.now();
    const reply = [...document.querySelectorAll("#timeline > .reply")].at(-1);
    if (reply) sample(control, reply.querySelector(".text")?.textContent ?? "", reply.dataset);
  };

  const itemOf = (target) => {
    const element = target instanceof Element ? target : target.parentElement;
    return element?.closest("#timeline > .message, #timeline > .reply") ?? null;
  };

  const compareAll = () => {
    const nodes = [...document.querySelectorAll("#timeline > .message, #timeline > .reply")];
    const keys = new Set(nodes.map((node) => node.dataset.key));
    if (keys.size < nodes.length) witness.faults.push(`double: an item is shown twice among ${[...keys]}`);
    for (const key of held.keys()) if (!keys.has(key)) remove(key);
    for (const node of nodes) if (held.get(node.dataset.key)?.node !== node) compare(node);
  };

  const remove = (key) => {
    witness.faults.push(`gone: “${held.get(key).text.slice(0, 60)}”`);
    held.delete(key);
  };

  const compare = (node) => {
    const { key, state } = node.dataset;
    const text = node.querySelector(".text")?.textContent ?? "";
    const before = held.get(key);
    if (before !== undefined && before.node !== node) witness.faults.push(`redrawn: “${text.slice(0, 60)}”`);
    if (before !== undefined && !text.startsWith(before.text)) {
      witness.faults.push(`shrunk: “${before.text.slice(-60)}” became “${text.slice(-60)}”`);
    }
    held.set(key, { node, text });
    witness.states[key] ??= [];
    if (witness.states[key].at(-1) !== state) witness.states[key].push(state);
  };

  const sample = (control, text, { key, state }) => {
    const last = witness.replies.at(-1);
    if (last?.text === text && last.control === control && last.state === state && last.key === key) return;
    witness.replies.push({ control, key, state, text });
  };

  const listen = () => {
    for (const line of document.querySelectorAll("#announcer > p")) {
      if (!heard.has(line)) witness.spoken.push(line.textContent);
      heard.add(line);
    }
  };

  const everything = { subtree: true, childList: true, characterData: true, attributes: true };
  new MutationObserver(look).observe(document, everything);
}
