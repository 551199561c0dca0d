// Prints what a game would show, each time that it changes:  node show.mjs [FEED]

import { Feed } from "./feed.mjs"

const FRAME_MS = 50
const feed = new Feed(process.argv[2])
let last = ""

setInterval(() => {
  const { show, value, z, reasons } = feed.feedback()
  const seq = feed.latest.get("pred.fb")?.seq
  const line = JSON.stringify({ show, value, z, reasons, seq })
  if (line !== last) console.log(line)
  last = line
}, FRAME_MS)
