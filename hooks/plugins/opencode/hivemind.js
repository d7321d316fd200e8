// OpenCode's part, and that of its fork Kilo Code: what recall says is a hidden part of the prompt, stands behind a
// tool's result, or is the error of a call that is held.

const SHELL_MARK = "The following tool was executed by the user";
const PARENTS_MAX = 16;
const LOOKUP_MS = 1000;

export default async ({ client, directory }) => {
  const parents = new Few(500); // session -> promise of its parent's id, or of ""
  const beginnings = new Few(50); // session -> promise of the answer at its start
  const rules = new Few(200); // call -> what is said with its result
  const drafts = new Few(50); // message -> its last text, the order of its parts
  const once = new Few(2000);
  const byHand = new Few(200); // messages in which the person's own command runs
  const spoken = new Few(100); // sessions that a person spoke in
  let mayAsk; // undefined: not known

  function first(name) {
    if (once.get(name)) return false;
    return once.put(name, true);
  }

  function parentOf(id) {
    return parents.get(id) || parents.put(id, lookup(id));
  }

  async function lookup(id) {
    try {
      const timeout = new Promise((resolve) => setTimeout(resolve, LOOKUP_MS).unref?.());
      const found = await Promise.race([client.session.get({ path: { id } }), timeout]);
      return (found && found.data && found.data.parentID) || "";
    } catch {
      return "";
    }
  }

  /** The session a person speaks in; in that of a subagent, both. */
  async function session(id) {
    let root = id;
    for (let n = 0; n < PARENTS_MAX; n += 1) {
      const parent = await parentOf(root);
      if (!parent) break;
      root = parent;
    }
    const own = { session_id: root, cwd: directory };
    return root === id ? own : { ...own, agent_id: id };
  }

  async function created(info) {
    parents.put(info.id, Promise.resolve(info.parentID || ""));
    if (info.parentID) return;
    beginnings.put(info.id, ask("session.created", { ...(await session(info.id)), source: "startup" }));
  }

  async function part(one) {
    const draft = drafts.get(one.messageID) || drafts.put(one.messageID, { text: "", textAt: "", toolAt: "" });
    if (one.type === "text" && one.synthetic === true) {
      if ((one.text || "").startsWith(SHELL_MARK)) byHand.put(one.messageID, true);
    } else if (one.type === "text") {
      Object.assign(draft, { text: one.text || "", textAt: one.id });
    } else if (one.type === "compaction" && first(`compact ${one.messageID}`)) {
      const fields = { message_id: one.messageID, auto: one.auto === true };
      tell("session.compacted", { ...(await session(one.sessionID)), ...fields });
    } else if (one.type === "tool") {
      draft.toolAt = one.id;
      await tool(one, one.state || {}, draft);
    }
  }

  async function tool(one, state, draft) {
    if (state.status !== "completed" && state.status !== "error") return;
    const call = { tool_name: one.tool, tool_use_id: one.callID, tool_input: state.input || {} };
    if (byHand.get(one.messageID)) {
      if (first(`hand ${one.callID}`)) tell("tool.by_hand", { ...(await session(one.sessionID)), ...call });
    } else if (state.status === "error" && first(`error ${one.callID}`)) {
      const interrupted = (state.metadata || {}).interrupted === true;
      draft.cut = draft.cut || interrupted;
      tell("tool.error", { ...(await session(one.sessionID)), ...call, error: state.error || "", interrupted });
    }
  }

  async function message(info) {
    if (info.role !== "assistant") return;
    if (byHand.get(info.parentID)) byHand.put(info.id, true);
    if (!info.time || !info.time.completed || !first(`message ${info.id}`)) return;
    const draft = drafts.take(info.id) || { text: "", textAt: "", toolAt: "" };
    const text = info.summary !== true && draft.textAt > draft.toolAt ? draft.text : "";
    const aborted = (info.error || {}).name === "MessageAbortedError";
    if (!text.trim() && !aborted) return;
    const fields = { message_id: info.id, parent_id: info.parentID, text, aborted, for_tool: draft.cut === true };
    tell("message.updated", { ...(await session(info.sessionID)), ...fields });
  }

  const handlers = {
    "session.created": (told) => created(told.info),
    "message.part.updated": (told) => part(told.part),
    "message.updated": (told) => message(told.info),
  };

  /** The same function, but whatever goes wrong in it stays in it. */
  function quiet(handler) {
    return async (...given) => {
      try {
        await handler(...given);
      } catch {
        // it is not the agent's problem
      }
    };
  }

  function ends() {
    const own = { cwd: directory, reason: "exit" };
    return spoken.names().map((id) => spoken.take(id) && ["session.ended", { session_id: id, ...own }]);
  }
  farewell = ends; // `opencode run` does not call dispose

  async function before(input, output) {
    const fields = { tool_name: input.tool, tool_use_id: input.callID, tool_input: output.args, asks: mayAsk };
    const answer = await ask("tool.execute.before", { ...(await session(input.sessionID)), ...fields });
    if (answer.context) rules.put(input.callID, answer.context);
    return answer.deny;
  }

  return {
    config: quiet(async (config) => {
      const agents = Object.values(config.agent || {}).map((agent) => agent && agent.permission);
      mayAsk = JSON.stringify([config.permission, ...agents]).includes('"ask"');
    }),
    event: quiet(async ({ event }) => {
      const handler = Object.hasOwn(handlers, event.type) ? handlers[event.type] : undefined;
      if (handler) await handler(event.properties);
    }),
    "chat.message": quiet(async (input, output) => {
      const own = output.parts.filter((one) => one.type === "text" && one.synthetic !== true && one.ignored !== true);
      if (!own.length) return;
      const told = await session(input.sessionID);
      const texts = own.map((one) => one.text || "");
      const { id, agent } = output.message;
      const fields = { message_id: id, prompt: texts.join("\n"), texts: texts.length > 1 ? texts : undefined };
      const event = told.agent_id ? "subagent.message" : "chat.message";
      const beginning = beginnings.take(input.sessionID);
      spoken.put(told.session_id, true);
      const asked = ask(event, { ...told, ...fields, agent_type: told.agent_id ? agent : undefined });
      for (const answer of [await beginning, await asked]) {
        if (answer && answer.context) output.parts.push(hidden(output.parts, id, input.sessionID, answer.context));
      }
    }),
    "tool.execute.before": async (input, output) => {
      const deny = await before(input, output).catch(noop);
      if (deny) throw new Error(deny);
    },
    "tool.execute.after": quiet(async (input, output) => {
      const { output: text, metadata, content } = output;
      const given = typeof text === "string" ? text : textOf(content);
      const rule = rules.take(input.callID);
      if (rule && typeof text === "string") output.output = `${text}\n\n${rule}`;
      const call = { tool_name: input.tool, tool_use_id: input.callID, tool_input: input.args || {} };
      const fields = { output: given, exit: metadata ? metadata.exit : undefined };
      tell("tool.execute.after", { ...(await session(input.sessionID)), ...call, ...fields });
    }),
    dispose: quiet(async () => {
      for (const [event, payload] of ends()) tell(event, payload);
      await settled(WAIT_MS);
    }),
  };
};

function textOf(content) {
  const texts = (Array.isArray(content) ? content : []).filter((one) => one.type === "text");
  return texts.map((one) => one.text || "").join("\n");
}

/** A part of the prompt that only the model is shown. Parts are ordered by their ids: it stands behind the others. */
function hidden(parts, messageID, sessionID, text) {
  const newest = parts.map((one) => one.id || "").sort().pop();
  const stem = newest && newest.startsWith("prt_") ? newest.slice(0, 16) : `prt_${Date.now().toString(16)}`;
  const id = `${stem}zzzz${String(parts.length).padStart(4, "0")}`.padEnd(30, "z");
  return { id, messageID, sessionID, type: "text", text, synthetic: true };
}
