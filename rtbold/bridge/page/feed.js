// The feed of rtbold in a browser, by the rules for apps. One file, no packages.
//
//     import { Feed } from "http://127.0.0.1:5590/feed.js"
//     const feed = new Feed("ws://127.0.0.1:5590/feed")
//     const shown = feed.feedback()          // once per frame; it never waits
//     // shown.show is "value", "hold" or "neutral"

const SCHEMA_VERSION = 1
const DEAD_AFTER_S = 2 // no heartbeat for longer: the publisher is gone
const STALLED_AFTER_TRS = 1.5 // heartbeats but no prediction for longer
const NEUTRAL_AFTER_TRS = 2 // a usable value's own TR, and one of holding
const OFFSET_LEAK = 1e-3 // s per s: more than clocks drift
const SHORTEST_TR_S = 0.1
const SHOWING = ["train"] // run types that show feedback; any other one is neutral
const NEUTRAL = { show: "neutral", value: null, z: null, shown: null }
const RETRY_MS = 500

export class Feed {
  /**
   * @param {string|null} address of the bridge's WebSocket; null: `accept` is called
   * @param {() => number} nowS a clock that only goes forward, in seconds
   */
  constructor(address = null, nowS = () => performance.now() / 1000) {
    this.latest = new Map() // topic -> newest body of the current session
    this.session = null
    this.trS = 2.1 // until a message tells
    this.nGaps = 0 // messages missed
    this.nBad = 0 // no message of this version of rtbold
    this.onFeedback = null // called with each new pred.fb
    this._nowS = nowS
    this._lastSeq = new Map()
    this._ended = new Set()
    this._usable = null
    this._offsetS = Infinity
    this._offsetAtS = 0
    this._address = address
    this._connected = address === null
    if (address !== null) this._connect()
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
    const { value, z, shown: share = null } = usable // shown: 0 to 1, if it is made
    const shown = { value, z, shown: share }
    if (newest === usable && !stalled) return { show: "value", ...shown, reasons: [] }
    const reasons = stalled ? ["stalled"] : newest.reasons
    if (this._ageS(usable) > NEUTRAL_AFTER_TRS * this.trS) return { ...NEUTRAL, reasons }
    return { show: "hold", ...shown, reasons }
  }

  /** Whether the last heartbeat is at most 2 s old, and no "bye" came. */
  get alive() {
    const beat = this.latest.get("hb")
    if (!this._connected || beat === undefined || this.latest.has("bye")) return false
    return this._ageS(beat) <= DEAD_AFTER_S
  }

  /** Take one message as text; null if it is foreign, old, or was here before. */
  accept(text) {
    let body
    try {
      body = JSON.parse(text)
    } catch {
      body = null
    }
    const topic = body?.topic
    const good = body?.schema === `rtbold.${topic}/${SCHEMA_VERSION}` &&
      typeof body.session === "string" && Number.isInteger(body.seq) &&
      Number.isFinite(body.t_lsl) && numbersAreGood(body)
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

  close() {
    this._address = null
    this._connected = false
    this._socket?.close()
  }

  _connect() {
    const socket = this._socket = new WebSocket(this._address)
    socket.onmessage = (event) => {
      this._connected = true
      this.accept(event.data)
    }
    socket.onclose = () => {
      this._connected = false // neutral at once
      if (this._address !== null) setTimeout(() => this._connect(), RETRY_MS)
    }
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

  /** Forget the last session: nothing of it may be taken for the new one's. */
  _begin(body) {
    if (this.session !== null) this._ended.add(this.session)
    this.session = body.session
    this.latest.clear()
    this._lastSeq.clear()
    this._usable = null
    this._offsetS = Infinity
    this._offsetAtS = this._nowS()
  }

  _learn(topic, body) {
    if (topic === "hb") {
      // The smallest difference of the two clocks: a backlog makes no old message new.
      const nowS = this._nowS()
      const leakedS = this._offsetS + OFFSET_LEAK * (nowS - this._offsetAtS)
      this._offsetS = Math.min(nowS - body.t_lsl, leakedS)
      this._offsetAtS = nowS
    } else if (topic === "hello") {
      this.trS = Math.max(body.tr_s ?? this.trS, SHORTEST_TR_S)
    } else if (topic === "pred.fb") {
      if (body.next_due_lsl !== null && body.t_trigger !== null)
        this.trS = Math.max(body.next_due_lsl - body.t_trigger, SHORTEST_TR_S)
      const usable = body.status === "ok" || body.status === "degraded"
      if (usable && body.value !== null) this._usable = body
      this.onFeedback?.(body)
    }
  }

  _ageS(body) {
    return Math.abs(this._nowS() - body.t_lsl - this._offsetS)
  }
}

const NUMBERS = {
  hello: ["tr_s"],
  phase: ["shows_from"],
  "pred.fb": ["next_due_lsl", "t_trigger", "value", "z", "low", "high", "shown",
    "volume_index"],
}

/** Whether what is counted with is a number or null; one bad body spoils none. */
function numbersAreGood(body) {
  const names = NUMBERS[body.topic] ?? []
  return names.every((name) => (body[name] ?? null) === null || Number.isFinite(body[name]))
}
