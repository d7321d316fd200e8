// OpenCode's part, and that of its fork Kilo Code: what recall says is a hidden part of the prompt, stands behind a
// tool's result, or is the error of a call that is held.

const SHELL_MARK = "The following tool was executed by the user";
const PARENTS_MAX = 16;
const LOOKUP_MS = 1000;

/** Which session a person speaks in: that of a subagent has a parent. */
class Families {
  constructor(client, directory) {
    this.client = client;
    this.directory = directory;
    this.parents = new Few(500); // session -> promise of its parent's id, or of ""
  }

  born(info) {
    this.parents.put(info.id, Promise.resolve(info.parentID || ""));
  }

  /** What every payload begins with: the person's session, and in a subagent's both. */
  async of(id) {
    let root = id;
    for (let n = 0; n < PARENTS_MAX; n += 1) {
      const parent = await (this.parents.get(root) || this.parents.put(root, this.lookup(root)));
      if (!parent) break;
      root = parent;
    }
    const own = { session_id: root, cwd: this.directory };
    return root === id ? own : { ...own, agent_id: id };
  }

  async lookup(id) {
    try {
      const timeout = new Promise((resolve) => setTimeout(resolve, LOOKUP_MS).unref?.());
      const found = await Promise.race([this.client.session.get({ path: { id } }), timeout]);
      return (found && found.data && found.data.parentID) || "";
    } catch {
      return "";
    }
  }
}

/** Reads the bus, where the same part and message are told again and again. */
class Turns {
  constructor(families) {
    this.families = families;
    this.drafts = new Few(50); // message -> its last text, and the order of its parts
    this.byHand = new Few(200); // messages in which the person's own command runs
    this.once = new Few(2000);
  }

  first(name) {
    return !this.once.get(name) && this.once.put(name, true);
  }

  async tell(event, session, fields) {
    tell(event, { ...(await this.families.of(session)), ...fields });
  }

  async part(one) {
    const { messageID: message, sessionID: session } = one;
    const draft = this.drafts.get(message) || this.drafts.put(message, { text: "", textAt: "", toolAt: "" });
    if (one.type === "text" && one.synthetic === true) {
      if ((one.text || "").startsWith(SHELL_MARK)) this.byHand.put(message, true);
    } else if (one.type === "text") {
      Object.assign(draft, { text: one.text || "", textAt: one.id });
    } else if (one.type === "compaction" && this.first(`compact ${message}`)) {
      await this.tell("session.compacted", session, { message_id: message, auto: one.auto === true });
    } else if (one.type === "tool") {
      draft.toolAt = one.id;
      await this.tool(one, one.state || {}, draft);
    }
  }

  async tool(one, state, draft) {
    if (state.status !== "completed" && state.status !== "error") return;
    const call = { tool_name: one.tool, tool_use_id: one.callID, tool_input: state.input || {} };
    if (this.byHand.get(one.messageID)) {
      if (this.first(`hand ${one.callID}`)) await this.tell("tool.by_hand", one.sessionID, call);
    } else if (state.status === "error" && this.first(`error ${one.callID}`)) {
      const interrupted = (state.metadata || {}).interrupted === true;
      draft.cut = draft.cut || interrupted;
      await this.tell("tool.error", one.sessionID, { ...call, error: state.error || "", interrupted });
    }
  }

  async message(info) {
    if (info.role !== "assistant") return;
    if (this.byHand.get(info.parentID)) this.byHand.put(info.id, true);
    if (!info.time || !info.time.completed || !this.first(`message ${info.id}`)) return;
    const draft = this.drafts.take(info.id) || { text: "", textAt: "", toolAt: "" };
    const text = info.summary !== true && draft.textAt > draft.toolAt ? draft.text : "";
    const aborted = (info.error || {}).name === "MessageAbortedError";
    if (!text.trim() && !aborted) return;
    const fields = { message_id: info.id, parent_id: info.parentID, text, aborted, for_tool: draft.cut === true };
    await this.tell("message.updated", info.sessionID, fields);
  }
}

/** Asks at the moments when recall may speak, and gives the agent what it says. */
class Moments {
  constructor(families) {
    this.families = families;
    this.beginnings = new Few(50); // session -> promise of the answer at its start
    this.rules = new Few(200); // call -> what is said with its result
    this.spoken = new Few(100); // sessions that a person spoke in
    this.mayAsk = undefined; // may the person be asked about a call? Not known
  }

  settle(config) {
    const agents = Object.values(config.agent || {}).map((agent) => agent && agent.permission);
    this.mayAsk = JSON.stringify([config.permission, ...agents]).includes('"ask"');
  }

  async created(info) {
    this.families.born(info);
    if (info.parentID) return;
    const told = await this.families.of(info.id);
    this.beginnings.put(info.id, ask("session.created", { ...told, source: "startup" }));
  }

  async prompt(input, output) {
    const own = output.parts.filter((one) => one.type === "text" && one.synthetic !== true && one.ignored !== true);
    if (!own.length) return;
    const told = await this.families.of(input.sessionID);
    const texts = own.map((one) => one.text || "");
    const { id, agent } = output.message;
    const fields = { message_id: id, prompt: texts.join("\n"), texts: texts.length > 1 ? texts : undefined };
    const event = told.agent_id ? "subagent.message" : "chat.message";
    const beginning = this.beginnings.take(input.sessionID);
    this.spoken.put(told.session_id, true);
    const asked = ask(event, { ...told, ...fields, agent_type: told.agent_id ? agent : undefined });
    for (const answer of [await beginning, await asked]) {
      if (answer && answer.context) output.parts.push(hidden(output.parts, id, input.sessionID, answer.context));
    }
  }

  /** Why the call is not to run; undefined: it may. */
  async before(input, output) {
    const fields = { tool_name: input.tool, tool_use_id: input.callID, tool_input: output.args, asks: this.mayAsk };
    const answer = await ask("tool.execute.before", { ...(await this.families.of(input.sessionID)), ...fields });
    if (answer.context) this.rules.put(input.callID, answer.context);
    return answer.deny;
  }

  async after(input, output) {
    const { output: text, metadata, content } = output;
    const given = typeof text === "string" ? text : textOf(content);
    const rule = this.rules.take(input.callID);
    if (rule && typeof text === "string") output.output = `${text}\n\n${rule}`;
    const call = { tool_name: input.tool, tool_use_id: input.callID, tool_input: input.args || {} };
    const fields = { output: given, exit: metadata ? metadata.exit : undefined };
    tell("tool.execute.after", { ...(await this.families.of(input.sessionID)), ...call, ...fields });
  }

  ends() {
    const own = { cwd: this.families.directory, reason: "exit" };
    return this.spoken.names().map((id) => this.spoken.take(id) && ["session.ended", { session_id: id, ...own }]);
  }
}

export default async ({ client, directory }) => {
  const families = new Families(client, directory);
  const turns = new Turns(families);
  const moments = new Moments(families);
  farewells.push(() => moments.ends()); // `opencode run` does not call dispose
  const handlers = {
    "session.created": (told) => moments.created(told.info),
    "message.part.updated": (told) => turns.part(told.part),
    "message.updated": (told) => turns.message(told.info),
  };
  return {
    config: quiet((config) => moments.settle(config)),
    event: quiet(({ event }) => Object.hasOwn(handlers, event.type) && handlers[event.type](event.properties)),
    "chat.message": quiet((input, output) => moments.prompt(input, output)),
    "tool.execute.before": async (input, output) => {
      const deny = await moments.before(input, output).catch(noop);
      if (deny) throw new Error(deny);
    },
    "tool.execute.after": quiet((input, output) => moments.after(input, output)),
    dispose: quiet(() => {
      for (const [event, payload] of moments.ends()) tell(event, payload);
      return settled(WAIT_MS);
    }),
  };
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
