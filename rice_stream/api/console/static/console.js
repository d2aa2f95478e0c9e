// What pages do by themselves: they look again when figures have changed, and say so when they cannot.
(() => {
  "use strict";
  const AT_MOST_EVERY_MS = 5000;
  const RETRY_MS = 5000;
  let lookedAt = Date.now();
  let waiting = 0;

  const figures = () => document.getElementById("figures");

  const lookAgain = () => {
    if (waiting) return;
    const inMs = Math.max(0, lookedAt + AT_MOST_EVERY_MS - Date.now());
    waiting = window.setTimeout(() => {
      waiting = 0;
      if (document.hidden) { pending = true; return; }
      lookedAt = Date.now();
      document.body.dispatchEvent(new CustomEvent("figures-changed"));
    }, inMs);
  };

  let pending = false;
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && pending) { pending = false; lookAgain(); }
  });

  const sayStale = (stale) => {
    const banner = document.getElementById("stale");
    if (!banner) return;
    if (stale && banner.hidden) {
      const since = new Date(figures().dataset.asOf);
      banner.querySelector("[data-as-of]").textContent = since.toISOString().slice(0, 16).replace("T", " ") + " UTC";
    }
    banner.hidden = !stale;
  };

  for (const failure of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(failure, (event) => {
      if (event.detail.elt !== figures()) return;
      sayStale(true);
      window.setTimeout(lookAgain, RETRY_MS);
    });
  }
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt === figures() && event.detail.successful) sayStale(false);
  });

  // The stream says that something has changed, and never a number: those come from the page, where there is one truth.
  const live = figures() && figures().dataset.live;
  if (live && window.EventSource) {
    const source = new EventSource(live);
    let seen = null;
    source.addEventListener("changed", (event) => {
      // What comes first is the state that the page was made from, or one that it may have missed.
      if (seen !== event.lastEventId) { seen = event.lastEventId; lookAgain(); }
    });
  }
})();
