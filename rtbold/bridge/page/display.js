// A thermometer and a trace. Grey and without a level whenever nothing may be shown.
//
// In the address: ?show=thermometer or ?show=trace alone; ?range=2, the z at the upper
// end; ?participant hides the operator's line. F or a double click: full screen.

import { Feed } from "./feed.js"

const given = new URLSearchParams(location.search)
const RANGE = Math.max(Number(given.get("range")) || 2, 0.1)
const KEPT = 60 // volumes of the trace
// Neutral comes at once; a value comes back no sooner than this after it, and a level
// needs this long from end to end: nothing flashes more than three times a second.
const CALM_S = 0.4

/** From -1 to 1; null: neutral. `shown`, 0 to 1, counts where the session makes it. */
function levelOf({ show, z, shown }) {
  if (show === "neutral") return null
  if (shown !== null) return Math.max(-1, Math.min(1, 2 * shown - 1))
  return Number.isFinite(z) ? Math.max(-1, Math.min(1, z / RANGE)) : null
}

/** What is drawn: never more than three changes to neutral and back in a second. */
export class Calm {
  constructor() {
    this.show = "neutral"
    this.level = 0 // -1 to 1
    this._sinceS = -Infinity // of the last change to neutral
    this._atS = 0
  }

  /** Move on towards what may be shown. */
  step(shown, nowS) {
    const goal = levelOf(shown)
    const usable = goal !== null
    const dtS = Math.max(nowS - this._atS, 0)
    this._atS = nowS
    if (!usable) {
      if (this.show !== "neutral") this._sinceS = nowS
      this.show = "neutral"
      return
    }
    if (this.show === "neutral") {
      if (nowS - this._sinceS < CALM_S) return
      this.level = goal
    }
    this.show = shown.show
    const most = (2 / CALM_S) * dtS
    this.level += Math.max(-most, Math.min(most, goal - this.level))
  }
}

const trace = [] // levels, or null where nothing could be shown
const calm = new Calm()
const parts = Object.fromEntries(
  ["fill", "tube", "trace", "said"].map((id) => [id, document.getElementById(id)]))

function start() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:"
  const feed = new Feed(`${scheme}//${location.host}/feed`)
  feed.onFeedback = () => {
    const shown = feed.feedback()
    trace.push(shown.show === "value" ? levelOf(shown) : null)
    if (trace.length > KEPT) trace.shift()
  }
  const form = given.get("show")
  if (form === "thermometer") parts.trace.remove()
  if (form === "trace") parts.tube.remove()
  if (given.has("participant")) parts.said.remove()
  addEventListener("keydown", (event) => event.key.toLowerCase() === "f" && fullScreen())
  addEventListener("dblclick", fullScreen)
  let session = null
  const frame = () => {
    if (feed.session !== session) {
      session = feed.session
      trace.length = 0
    }
    const shown = feed.feedback()
    calm.step(shown, performance.now() / 1000)
    draw(feed, shown)
    requestAnimationFrame(frame)
  }
  frame()
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen()
  else document.documentElement.requestFullscreen?.().catch(() => {})
}

function draw(feed, shown) {
  const { show, level } = calm
  const data = document.body.dataset // what a test reads, and the style
  data.show = show
  data.level = show === "neutral" ? "" : level.toFixed(4)
  data.reasons = shown.reasons.join(" ")
  data.session = feed.session ?? ""
  parts.fill.style.height = show === "neutral" ? "0" : `${Math.abs(level) * 50}%`
  parts.fill.style.bottom = level >= 0 ? "50%" : `${50 - Math.abs(level) * 50}%`
  const fb = feed.latest.get("pred.fb")
  const words = shown.reasons.join(", ").replaceAll("_", " ")
  parts.said.textContent = `${show}${words ? `: ${words}` : ""}` +
    (fb?.volume_index != null ? ` · volume ${fb.volume_index}` : "")
  if (parts.trace.isConnected) drawTrace(show)
}

function drawTrace(show) {
  const canvas = parts.trace
  const scale = devicePixelRatio || 1
  const width = canvas.clientWidth * scale
  const height = canvas.clientHeight * scale
  if (canvas.width !== width || canvas.height !== height)
    Object.assign(canvas, { width, height })
  const to = canvas.getContext("2d")
  to.clearRect(0, 0, width, height)
  to.strokeStyle = "#555"
  to.lineWidth = scale
  to.strokeRect(0.5, 0.5, width - 1, height - 1)
  if (show === "neutral") return // no old numbers beside a neutral screen
  to.beginPath()
  to.strokeStyle = "#e8e8e8"
  to.lineWidth = 3 * scale
  let drawing = false
  trace.forEach((level, n) => {
    if (level === null) return void (drawing = false)
    const x = (width * (n + KEPT - trace.length)) / (KEPT - 1)
    const y = (height / 2) * (1 - level)
    if (drawing) to.lineTo(x, y)
    else to.moveTo(x, y)
    drawing = true
  })
  to.stroke()
}

start()
