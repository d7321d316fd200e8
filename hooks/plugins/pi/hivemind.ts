// pi's part: its events are told, and what recall says is given as a hidden message, or behind a tool's result.

/** One session; each method is named for the event it takes. */
class Session {
  constructor() {
    this.inputs = new Few(200); // call id -> what the tool was given
    this.rules = new Few(200); // call id -> what is said with the call's result
    this.beginning = Promise.resolve({});
    this.prompted = undefined; // the prompt whose own message is still to come
    this.working = false;
  }

  session_start(told, ctx) {
    this.beginning = ask("session_start", { ...named(ctx), source: told.reason });
    this.beginning.then((answer) => answer.notice && ctx.hasUI && ctx.ui.notify(answer.notice, "info")).catch(noop);
  }

  async before_agent_start(told, ctx) {
    if (told.messageType !== undefined && told.messageType !== "user") return undefined;
    this.prompted = told.prompt;
    const asked = ask("before_agent_start", { ...named(ctx), prompt: told.prompt });
    const answers = await Promise.all([this.beginning, asked]);
    this.beginning = Promise.resolve({});
    const said = answers.map((answer) => answer.context).filter(Boolean);
    if (!said.length) return undefined;
    return { message: { customType: "hivemind", content: said.join("\n\n"), display: false } };
  }

  async tool_call(told, ctx) {
    const call = { tool_name: told.toolName, tool_use_id: told.toolCallId, tool_input: told.input };
    this.inputs.put(told.toolCallId, told.input);
    const answer = await ask("tool_call", { ...named(ctx), ...call });
    if (answer.deny) return { block: true, reason: answer.deny };
    if (answer.context) this.rules.put(told.toolCallId, answer.context);
    return undefined;
  }

  tool_result(told) {
    const rule = this.rules.take(told.toolCallId);
    return rule && { content: [...told.content, { type: "text", text: rule }] };
  }

  /** Unlike tool_result it comes for a call that was blocked, too. */
  tool_execution_end(told, ctx) {
    const result = told.result || {};
    tell("tool_execution_end", {
      ...named(ctx),
      tool_name: told.toolName,
      tool_use_id: told.toolCallId,
      tool_input: this.inputs.take(told.toolCallId) || {},
      content: texts(result.content),
      is_error: told.isError === true,
    });
  }

  message_end(told, ctx) {
    const { role, content, stopReason, timestamp } = told.message;
    if (role === "user") {
      const text = texts(content).join("\n");
      const expected = text === this.prompted;
      if (expected) this.prompted = undefined;
      else if (text) tell("message_end", { ...named(ctx), role, text, steer: this.working });
    } else if (role === "assistant") {
      this.working = stopReason === "toolUse";
      const calls = Array.isArray(content) && content.some((block) => block.type === "toolCall");
      const text = calls ? "" : texts(content).join("\n");
      if (!text.trim() && stopReason !== "aborted") return;
      tell("message_end", { ...named(ctx), role, text, stop_reason: stopReason, timestamp });
    }
  }

  user_bash(told, ctx) {
    tell("user_bash", { ...named(ctx), command: told.command });
  }

  session_compact(told, ctx) {
    tell("session_compact", { ...named(ctx), entry_id: (told.compactionEntry || {}).id });
  }

  async session_shutdown(told, ctx) {
    tell("session_shutdown", { ...named(ctx), reason: told.reason });
    await settled(WAIT_MS);
  }
}

export default function hivemind(pi) {
  const session = new Session();
  for (const event of Object.getOwnPropertyNames(Session.prototype)) {
    if (event === "constructor") continue;
    pi.on(event, async (told, ctx) => {
      try {
        return await session[event](told, ctx);
      } catch {
        return undefined;
      }
    });
  }
}

function named(ctx) {
  return { session_id: ctx.sessionManager.getSessionId(), cwd: ctx.cwd };
}

function texts(content) {
  if (typeof content === "string") return [content];
  return (Array.isArray(content) ? content : []).filter((one) => one.type === "text" && one.text).map((one) => one.text);
}
