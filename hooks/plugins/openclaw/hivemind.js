// OpenClaw's part: its plugin hooks are told, and what recall says is put before the prompt, or blocks a call.

const HOOK_MS = 3000;

export default {
  id: "hivemind",
  name: "hivemind",
  description: "hivemind: what people corrected, told to the agent before it acts again",
  register(api) {
    const begun = new Few(200); // session -> what its start has to say, until its first prompt

    function on(event, handler) {
      const safe = async (told, ctx) => {
        try {
          return await handler(told || {}, ctx || {});
        } catch {
          return undefined;
        }
      };
      api.on(event, safe, { timeoutMs: HOOK_MS });
    }

    function session(told, ctx) {
      const key = text(ctx.sessionKey) || text(told.sessionKey);
      return {
        session_id: text(told.sessionId) || text(ctx.sessionId) || key,
        session_key: key,
        cwd: text(ctx.workspaceDir),
        channel: text(ctx.messageProvider) || text(ctx.channelId) || text(ctx.channel),
        trigger: text(ctx.trigger),
        owner: ctx.senderIsOwner === true,
      };
    }

    on("session_start", (told, ctx) => {
      const of = session(told, ctx);
      begun.put(of.session_id, ask("session_start", { ...of, source: told.resumedFrom ? "resume" : "startup" }));
    });

    on("before_prompt_build", async (told, ctx) => {
      const of = session(told, ctx);
      const prompt = typeof told.currentUserMessage === "string" ? told.currentUserMessage : text(told.prompt);
      const start = begun.take(of.session_id) || Promise.resolve({});
      const answers = await Promise.all([start, ask("before_prompt_build", { ...of, prompt })]);
      const said = answers.map((answer) => answer.context).filter(Boolean);
      return said.length ? { prependContext: said.join("\n\n") } : undefined;
    });

    on("before_tool_call", async (told, ctx) => {
      const answer = await ask("before_tool_call", { ...session(told, ctx), ...call(told) });
      return answer.deny ? { block: true, blockReason: answer.deny } : undefined;
    });

    on("after_tool_call", (told, ctx) => {
      const error = told.error === undefined || told.error === null ? "" : String(told.error.message || told.error);
      tell("after_tool_call", { ...session(told, ctx), ...call(told), content: told.result ?? null, error });
    });

    on("agent_end", (told, ctx) => {
      const error = told.success === false ? String((told.error && told.error.message) || told.error || "failed") : "";
      tell("agent_end", { ...session(told, ctx), text: reply(told.messages), error });
    });

    on("before_compaction", (told, ctx) => tell("before_compaction", session(told, ctx)));

    on("session_end", async (told, ctx) => {
      tell("session_end", { ...session(told, ctx), reason: text(told.reason) || "unknown" });
      await settled(WAIT_MS);
    });
  },
};

function call(told) {
  const input = told.params && typeof told.params === "object" && !Array.isArray(told.params) ? told.params : {};
  return { tool_name: text(told.toolName), tool_use_id: text(told.toolCallId), tool_input: input };
}

/** What the agent said last, behind the person's last message and behind its last call. */
function reply(messages) {
  const last = (Array.isArray(messages) ? messages : []).filter((one) => one && one.role).pop();
  if (!last || last.role !== "assistant") return "";
  if (typeof last.content === "string") return last.content;
  const blocks = Array.isArray(last.content) ? last.content : [];
  return blocks
    .filter((one) => one && one.type === "text" && typeof one.text === "string")
    .map((one) => one.text)
    .join("\n");
}

function text(value) {
  return typeof value === "string" ? value : "";
}
