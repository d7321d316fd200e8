// Written by `hivemind install`; `hivemind uninstall` removes it. A copy you change is yours: it is left alone.
//
// Starts hivemind's hook for each event that is used, one at a time and in their order, with one JSON object on its
// stdin; takes back one line of JSON at most. Never throws, and never keeps the agent waiting past WAIT_MS.
import { spawn, spawnSync } from "node:child_process";

const HOOK = "@HIVEMIND_HOOK@"; // a command of POSIX sh; the event is its last word
const WAIT_MS = 1500; // the hook keeps a far shorter budget itself: this is for a machine that hangs
const CHILD_MS = 20000;
const QUEUE_MAX = 100;
const BODY_MAX = 8000000;
const TEXT_MAX = 1000000; // a longer text is cut just behind it, where hivemind sees that it was
const DEPTH_MAX = 40;
const STDOUT_MAX = 1000000;
const SLOW_MS = 60000; // after an answer that never came, nobody waits for so long
const EXIT_MS = 2000;

const queue = [];
let last = Promise.resolve();
let busy = false;
let slowUntil = 0;
const farewells = []; // each gives [event, payload] pairs for the moment when the process ends

/** Hand an event over; nobody waits. */
function tell(event, payload) {
  ask(event, payload).catch(() => {});
}

/** Hand an event over; its answer {context?, deny?, notice?}, each a text, or {} if none came in time. */
async function ask(event, payload) {
  try {
    if (off() || queue.length >= QUEUE_MAX) return {};
    const body = JSON.stringify(bounded(payload, 0));
    if (body.length > BODY_MAX) return {};
    const done = new Promise((resolve) => queue.push({ event, body, resolve }));
    last = done;
    next();
    if (Date.now() < slowUntil) return {};
    return await within(done, WAIT_MS);
  } catch {
    return {};
  }
}

/** Until all that was handed over has arrived, or for so many milliseconds. */
async function settled(ms) {
  await within(last, ms);
}

/** Is this a session that hivemind itself started? */
function off() {
  const mark = process.env.HIVEMIND_INTERNAL;
  return mark !== undefined && !["", "0", "false", "no", "off"].includes(mark);
}

function noop() {}

async function next() {
  if (busy || !queue.length) return;
  busy = true;
  const one = queue.shift();
  one.resolve(await run(one.event, one.body));
  busy = false;
  next();
}

function atExit() {
  try {
    const until = Date.now() + EXIT_MS;
    if (off() || Date.now() < slowUntil) return;
    const told = farewells.flatMap((farewell) => farewell());
    const left = told.map(([event, payload]) => ({ event, body: JSON.stringify(bounded(payload, 0)) }));
    for (const one of [...queue.splice(0), ...left]) {
      const timeout = until - Date.now();
      if (timeout < 1) return;
      const stdio = ["pipe", "ignore", "ignore"];
      spawnSync("/bin/sh", ["-c", `${HOOK} ${one.event}`], { input: one.body, stdio, timeout });
    }
  } catch {
    // too late for it
  }
}

const EXIT = Symbol.for("hivemind-loop.exit");
if (process[EXIT]) process.off("exit", process[EXIT]); // a host may load this file many times
process[EXIT] = atExit;
process.once("exit", atExit);

function within(done, ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      slowUntil = Date.now() + SLOW_MS;
      resolve({});
    }, ms);
    const end = (answer) => {
      clearTimeout(timer);
      resolve(answer || {});
    };
    done.then(end, () => end({}));
  });
}

function run(event, body) {
  return new Promise((resolve) => {
    let out = "";
    let child;
    const timer = setTimeout(() => {
      if (child) child.kill("SIGKILL");
      resolve({});
    }, CHILD_MS);
    if (timer.unref) timer.unref();
    const end = (answer) => {
      clearTimeout(timer);
      resolve(answer);
    };
    try {
      // A session of its own: Ctrl-C in the agent's terminal is not meant for it.
      child = spawn("/bin/sh", ["-c", `${HOOK} ${event}`], { stdio: ["pipe", "pipe", "ignore"], detached: true });
      child.on("error", () => end({}));
      child.stdin.on("error", noop);
      child.stdout.on("error", noop);
      child.stdout.setEncoding("utf8");
      child.stdout.on("data", (piece) => {
        if (out.length <= STDOUT_MAX) out += piece;
      });
      child.on("close", () => end(answerIn(out)));
      child.stdin.end(body);
      child.unref();
    } catch {
      end({});
    }
  });
}

function answerIn(out) {
  const answer = {};
  try {
    const said = JSON.parse(out.length > STDOUT_MAX ? "" : out);
    for (const name of ["context", "deny", "notice"]) {
      if (typeof said[name] === "string" && said[name]) answer[name] = said[name];
    }
  } catch {
    // no answer, or none of ours
  }
  return answer;
}

/** A copy without what is too long, too deep or no JSON. */
function bounded(value, depth) {
  if (typeof value === "string") return value.length > TEXT_MAX ? value.slice(0, TEXT_MAX + 1) : value;
  if (value === null || typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value !== "object" || depth > DEPTH_MAX) return undefined;
  if (Array.isArray(value)) return value.slice(0, 10000).map((one) => bounded(one, depth + 1) ?? null);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, bounded(one, depth + 1)]));
}

/** The last of many, by name. */
class Few {
  constructor(most) {
    this.most = most;
    this.held = new Map();
  }
  put(name, value) {
    this.held.delete(name);
    this.held.set(name, value);
    if (this.held.size > this.most) this.held.delete(this.held.keys().next().value);
    return value;
  }
  get(name) {
    return this.held.get(name);
  }
  names() {
    return [...this.held.keys()];
  }
  take(name) {
    const value = this.held.get(name);
    this.held.delete(name);
    return value;
  }
}
