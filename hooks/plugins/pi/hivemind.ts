// pi's part: its events are told, and what recall says is given as a hidden message, or behind a tool's result.

export default function hivemind(pi) {
  const inputs = new Few(200); // call id -> what the tool was given
  const rules = new Few(200); // call id -> what is said with the call's result
  let beginning = Promise.resolve({});
  let prompted; // the prompt whose own message is still to come
  let working = false;

  function on(event, handler) {
    pi.on(event, async (told, ctx) => {
      try {
        return await handler(told, ctx);
      } catch {
        return undefined;
      }
    });
  }

  function session(ctx) {
    return { session_id: ctx.sessionManager.getSessionId(), cwd: ctx.cwd };
  }

  on("session_start", (told, ctx) => {
    beginning = ask("session_start", { ...session(ctx), source: told.reason });
    beginning.then((answer) => answer.notice && ctx.hasUI && ctx.ui.notify(answer.notice, "info")).catch(noop);
  });

  on("before_agent_start", async (told, ctx) => {
    if (told.messageType !== undefined && told.messageType !== "user") return undefined;
    prompted = told.prompt;
    const answers = await Promise.all([beginning, ask("before_agent_start", { ...session(ctx), prompt: told.prompt })]);
    beginning = Promise.resolve({});
    const said = answers.map((answer) => answer.context).filter(Boolean);
    if (!said.length) return undefined;
    return { message: { customType: "hivemind", content: said.join("\n\n"), display: false } };
  });

  on("tool_call", async (told, ctx) => {
    const call = { tool_name: told.toolName, tool_use_id: told.toolCallId, tool_input: told.input };
    inputs.put(told.toolCallId, told.input);
    const answer = await ask("tool_call", { ...session(ctx), ...call });
    if (answer.deny) return { block: true, reason: answer.deny };
    if (answer.context) rules.put(told.toolCallId, answer.context);
    return undefined;
  });

  on("tool_result", (told) => {
    const rule = rules.take(told.toolCallId);
    return rule && { content: [...told.content, { type: "text", text: rule }] };
  });

  // Unlike tool_result it comes for a call that was blocked, too.
  on("tool_execution_end", (told, ctx) => {
    const result = told.result || {};
    tell("tool_execution_end", {
      ...session(ctx),
      tool_name: told.toolName,
      tool_use_id: told.toolCallId,
      tool_input: inputs.take(told.toolCallId) || {},
      content: texts(result.content),
      is_error: told.isError === true,
    });
  });

  on("message_end", (told, ctx) => {
    const { role, content, stopReason, timestamp } = told.message;
    if (role === "user") {
      const text = texts(content).join("\n");
      const expected = text === prompted;
      prompted = expected ? undefined : prompted;
      if (!expected && text) tell("message_end", { ...session(ctx), role, text, steer: working });
    } else if (role === "assistant") {
      working = stopReason === "toolUse";
      const calls = Array.isArray(content) && content.some((block) => block.type === "toolCall");
      const text = calls ? "" : texts(content).join("\n");
      if (text.trim() || stopReason === "aborted") {
        tell("message_end", { ...session(ctx), role, text, stop_reason: stopReason, timestamp });
      }
    }
  });

  on("user_bash", (told, ctx) => tell("user_bash", { ...session(ctx), command: told.command }));

  on("session_compact", (told, ctx) => {
    tell("session_compact", { ...session(ctx), entry_id: (told.compactionEntry || {}).id });
  });

  on("session_shutdown", async (told, ctx) => {
    tell("session_shutdown", { ...session(ctx), reason: told.reason });
    await settled(WAIT_MS);
  });
}

function texts(content) {
  if (typeof content === "string") return [content];
  return (Array.isArray(content) ? content : []).filter((one) => one.type === "text" && one.text).map((one) => one.text);
}
