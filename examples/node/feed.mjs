// The feed of rtbold in Node.js. One file; needs the package zeromq only.
//
//     import { Feed } from "./feed.mjs"
//     const feed = new Feed()                // tcp://127.0.0.1:5580
//     const shown = feed.feedback()          // once per frame; it never waits
//     // shown.show is "value", "hold" or "neutral"
//
// It keeps the rules for apps of docs/reference/feed.md.

import { performance } from "node:perf_hooks"
import { Request, Subscriber } from "zeromq"

const SCHEMA_VERSION = 1
const DEAD_AFTER_S = 2 // no heartbeat for longer: the publisher is gone
const STALLED_AFTER_TRS = 1.5 // heartbeats but no prediction for longer
const NEUTRAL_AFTER_TRS = 2 // a usable value's own TR, and one of holding
const OFFSET_LEAK = 1e-3 // s per s: more than clocks drift
const SHORTEST_TR_S = 0.1
const SHOWING = ["train"] // run types that show feedback; any other one is neutral
const NEUTRAL = { show: "neutral", value: null, z: null }

export class Feed {
  /**
   * @param {string} address of the feed
   * @param {string[]} topics prefixes; "hb" and "phase" are always added
   */
  constructor(address = "tcp://127.0.0.1:5580", topics = ["pred.fb"]) {
    this.latest = new Map() // topic -> newest body of the current session
    this.session = null
    this.trS = 2.1 // until a message tells
    this.nGaps = 0 // messages missed
    this.nBad = 0 // no message of this version of rtbold
    this.failure = null // what ended the reading, if anything did
    this._lastSeq = new Map()
    this._ended = new Set()
    this._usable = null
    // All options before connect, or they have no effect. Never conflate: it breaks
    // messages of two frames.
    this._socket = new Subscriber({
      linger: 0, heartbeatInterval: 1000, heartbeatTimeout: 3000, tcpKeepalive: 1,
      reconnectMaxInterval: 500,
    })
    this._socket.connect(address)
    this._socket.subscribe(...new Set([...topics, "hb", "phase"]))
    this._reading = this._read().catch((error) => (this.failure = error))
  }

  /** What to show now: the value, the last one held for a TR, or neutral. */
  feedback() {
    if (!this.alive) return { ...NEUTRAL, reasons: ["no_heartbeat"] }
    const whyNot = this._whyNot()
    if (whyNot) return { ...NEUTRAL, reasons: [whyNot] }
    const newest = this.latest.get("pred.fb")
    const usable = this._usable
    if (!newest || !usable)
      return { ...NEUTRAL, reasons: newest?.reasons ?? ["no_prediction"] }
    if (!this._isOfBlock(usable)) return { ...NEUTRAL, reasons: ["no_feedback_block"] }
    if (usable.shown === null) return { ...NEUTRAL, reasons: ["nothing_shown"] }
    const stalled = this._ageS(newest) > STALLED_AFTER_TRS * this.trS
    const shown = { value: usable.value, z: usable.z }
    if (newest === usable && !stalled) return { show: "value", ...shown, reasons: [] }
    const reasons = stalled ? ["stalled"] : newest.reasons
    if (this._ageS(usable) > NEUTRAL_AFTER_TRS * this.trS) return { ...NEUTRAL, reasons }
    return { show: "hold", ...shown, reasons }
  }

  /** Why this run shows no feedback; empty: it does. */
  _whyNot() {
    const phase = this.latest.get("phase")
    if (!phase) return "no_phase" // not told yet, or by a publisher that tells no kind
    if (phase.name === "end") return "no_feedback_run" // the run is over
    if (phase.stopped) return "participant_stop"
    if (SHOWING.includes(phase.run_type))
      return phase.feedback === "none" ? "no_feedback_block" : ""
    return phase.kind === "training" ? "no_feedback_block" : "no_feedback_run"
  }

  /** Whether a value is of the block that is shown, if there are blocks. */
  _isOfBlock(usable) {
    const first = this.latest.get("phase").shows_from ?? null
    return first === null || (usable.volume_index ?? -1) >= first
  }

  /** Whether the last heartbeat is at most 2 s old, and no "bye" came. */
  get alive() {
    const beat = this.latest.get("hb")
    return beat !== undefined && !this.latest.has("bye") && this._ageS(beat) <= DEAD_AFTER_S
  }

  async close() {
    this._socket.close()
    await this._reading
  }

  async _read() {
    for await (const [topic, payload] of this._socket)
      this.accept(topic.toString(), payload.toString())
  }

  /** Take one message; null if it is foreign, old, or was here before. */
  accept(topic, text) {
    let body
    try {
      body = JSON.parse(text)
    } catch {
      body = null
    }
    const good = body?.schema === `rtbold.${topic}/${SCHEMA_VERSION}` &&
      typeof body.session === "string" && Number.isInteger(body.seq) &&
      Number.isFinite(body.t_lsl)
    if (!good) {
      this.nBad += 1
      return null
    }
    if (body.session !== this.session && !this._ended.has(body.session)) this._begin(body)
    const last = this._lastSeq.get(topic) ?? body.seq - 1
    if (body.session !== this.session || body.seq <= last) return null // sent again
    this.nGaps += body.seq - last - 1
    this._lastSeq.set(topic, body.seq)
    this.latest.set(topic, body)
    this._learn(topic, body)
    return body
  }

  /** Forget the last session: nothing of it may be taken for the new one's. */
  _begin(body) {
    if (this.session !== null) this._ended.add(this.session)
    this.session = body.session
    this.latest.clear()
    this._lastSeq.clear()
    this._usable = null
    this._offsetS = Infinity
    this._offsetAtS = nowS()
  }

  _learn(topic, body) {
    if (topic === "hb") {
      // The smallest difference of the two clocks: a backlog makes no old message new.
      const leakedS = this._offsetS + OFFSET_LEAK * (nowS() - this._offsetAtS)
      this._offsetS = Math.min(nowS() - body.t_lsl, leakedS)
      this._offsetAtS = nowS()
    } else if (topic === "hello") {
      this.trS = Math.max(body.tr_s ?? this.trS, SHORTEST_TR_S)
    } else if (topic === "pred.fb") {
      if (body.next_due_lsl !== null && body.t_trigger !== null)
        this.trS = Math.max(body.next_due_lsl - body.t_trigger, SHORTEST_TR_S)
      const usable = body.status === "ok" || body.status === "degraded"
      if (usable && body.value !== null) this._usable = body
    }
  }

  _ageS(body) {
    return Math.abs(nowS() - body.t_lsl - this._offsetS)
  }
}

/** Send one command, such as request("MARK", { text: "eyes open" }); return the reply. */
export async function request(op, fields = {}, address = "tcp://127.0.0.1:5581") {
  const socket = new Request({ linger: 0, receiveTimeout: 2000 })
  socket.connect(address)
  try {
    await socket.send(JSON.stringify({ op, id: 1, ...fields }))
    const [reply] = await socket.receive()
    return JSON.parse(reply.toString())
  } finally {
    socket.close()
  }
}

function nowS() {
  return performance.now() / 1000
}
