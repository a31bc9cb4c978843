/** What the journeys look at from inside a page: what was shown when, and what the media connections say. */
(() => {
  const shown = [];
  const clicks = [];
  const progress = [];
  let shift = 0;
  const moved = []; // what the shift was made of, to be told when it is too much
  let path = location.pathname;
  let opened = 0; // what moved before was the page before
  window.__journey = { shown, clicks, progress, shift: () => shift, moved: () => moved.join("; "), calm: () => (shift = 0), measure, mark, watchFrames, longestGap };

  // Layout shift without a click or key just before, as browsers count it for a page.
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput || entry.startTime < opened) continue;
      shift += entry.value;
      moved.push(...entry.sources.map(describe));
    }
  }).observe({ type: "layout-shift", buffered: true });

  navigation.addEventListener("currententrychange", () => {
    if (path === location.pathname) return;
    [path, opened, shift] = [location.pathname, performance.now(), 0];
    moved.length = 0;
  });

  /** What moved, from where to where. */
  function describe({ node, previousRect: from, currentRect: to }) {
    const element = node?.nodeType === Node.TEXT_NODE ? node.parentElement : node;
    const name = element ? `${element.tagName.toLowerCase()}.${element.className}` : "something gone";
    return `${name} ${[from, to].map((r) => `${r.x},${r.y} ${r.width}x${r.height}`).join(" to ")}`;
  }

  addEventListener("click", (event) => clicks.push({ at: Date.now(), text: event.target.closest("a, button")?.textContent.trim() ?? "" }), true);
  let isHeldBack = false;
  const look = () => {
    if (!isHeldBack && document.querySelector("[data-notice=blocked]")) {
      isHeldBack = true;
      console.debug("journey: sound is held back");
    }
    for (const toast of document.querySelectorAll(".toast")) {
      const text = toast.textContent;
      if (!toast.journeySeen) shown.push({ at: Date.now(), text });
      toast.journeySeen = true;
    }
    for (const bar of document.querySelectorAll("progress[aria-label^='Upload of']"))
      if (bar.hasAttribute("value") && progress.at(-1) !== bar.value) progress.push(bar.value);
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["value"] });

  /** The connections of this moment become old ones: `measure().isNew` says whether others took their place. */
  function mark() {
    window.__journey.old = { ...window.__lectern.pcs() };
  }

  /** From now on, when pictures of others were decoded; looked at ten times a second. (Whether a tab in the back is
   *  painted is the browser's choice, and none of ours.) */
  let decoded = [];
  async function watchFrames() {
    const { subscribe } = window.__lectern.pcs();
    let before = -1;
    decoded = [performance.now()];
    setInterval(async () => {
      let frames = 0;
      for (const one of (await subscribe.getStats()).values()) frames += one.type === "inbound-rtp" ? (one.framesDecoded ?? 0) : 0;
      if (frames !== before) decoded.push(performance.now());
      before = frames;
    }, 100);
  }

  /** Milliseconds. */
  function longestGap() {
    const times = [...decoded, performance.now()];
    return Math.max(...times.slice(1).map((at, index) => at - times[index]));
  }

  async function measure() {
    const pcs = window.__lectern?.pcs() ?? {};
    const { old = {} } = window.__journey;
    const out = { at: performance.now(), video: {}, audio: {}, ports: {}, isNew: pcs.subscribe !== old.subscribe, sent: 0 };
    for (const side of ["publish", "subscribe"]) {
      if (!pcs[side]) continue;
      const stats = await pcs[side].getStats();
      for (const one of stats.values()) {
        if (one.type === "inbound-rtp" && one.kind === "video")
          out.video[one.mid] = { frames: one.framesDecoded ?? 0, freezes: one.freezeCount ?? 0, frozen: one.totalFreezesDuration ?? 0, lost: one.packetsLost };
        if (one.type === "inbound-rtp" && one.kind === "audio")
          out.audio[one.mid] = { energy: one.totalAudioEnergy ?? 0, concealed: one.concealedSamples ?? 0, samples: one.totalSamplesReceived ?? 0 };
        if (one.type === "outbound-rtp" && one.kind === "video") out.sent = Math.max(out.sent, one.framesSent ?? 0); // of the layers, the one that has most
        if (one.type === "transport" && one.selectedCandidatePairId) {
          const pair = stats.get(one.selectedCandidatePairId);
          const remote = stats.get(pair?.remoteCandidateId);
          if (remote) out.ports[side] = remote.port;
        }
      }
    }
    return out;
  }
})();
