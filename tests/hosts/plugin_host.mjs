// A host without an agent: `node plugin_host.mjs PLUGIN.mjs STEPS.json` loads a plugin of ours, tells it the steps'
// events one after the other, and prints what it answered, as JSON.
import { readFileSync } from "node:fs";

const [plugin, steps] = process.argv.slice(2);
const { default: load, ...others } = await import(plugin);
const { host, directory, parents = {}, config, events } = JSON.parse(readFileSync(steps, "utf8"));
const answers = [];

if (Object.keys(others).length) throw new Error(`besides the default it exports ${Object.keys(others)}`);

if (host === "pi") {
  const handlers = {};
  load({ on: (event, handler) => (handlers[event] = handler) });
  for (const { event, told, session } of events) {
    const ctx = { cwd: directory, hasUI: false, sessionManager: { getSessionId: () => session } };
    answers.push((await handlers[event]?.(told, ctx)) ?? null);
  }
} else {
  const get = async ({ path: { id } }) => ({ data: { id, parentID: parents[id] } });
  const hooks = await load({ client: { session: { get } }, directory });
  if (config) await hooks.config(config);
  for (const { event, args } of events) {
    try {
      if (event.startsWith("event:")) await hooks.event({ event: { type: event.slice(6), properties: args[0] } });
      else await hooks[event]?.(...args);
      answers.push(args[1] ?? null);
    } catch (error) {
      answers.push({ thrown: error.message });
    }
  }
}
process.stdout.write(JSON.stringify(answers));
