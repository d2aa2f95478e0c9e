// What pages do by themselves: they look again when figures have changed, and say so when they cannot.
(() => {
  "use strict";
  const AT_MOST_EVERY_MS = 5000;
  const RETRY_MS = 5000;
  const MINUTE_MS = 60000;
  // On a phone the navigation is wider than the screen: the page that this is stands in sight.
  document.querySelector(".top nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  // Until the browser is closed, parts of pages may come later: here runs who fetches them. What cannot be fetched stays a link.
  document.cookie = `rice-parts=1; path=/; samesite=lax${window.location.protocol === "https:" ? "; secure" : ""}`;
  for (const failure of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(failure, (event) => event.detail.elt.removeAttribute("aria-busy"));
  }

  const figures = () => document.getElementById("figures");
  if (!figures() || !figures().dataset.live || !window.EventSource) return;

  // What a reader has opened stays open when figures change: the server knows nothing of it.
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => name !== "open" || node.localName !== "details";

  let lookedAt = Date.now();
  let waiting = 0;
  let signedOut = false;
  let staleSince = 0;
  let staleWhy = "database";

  // Whether something is being filled in that the server does not know yet: to look again would take it away.
  const differs = (field) => {
    if (field.localName === "select") return field.selectedIndex !== Math.max(0, [...field.options].findIndex((each) => each.defaultSelected));
    return ["checkbox", "radio"].includes(field.type) ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
  };
  const isFilledIn = () => [...figures().querySelectorAll("form :is(input, select, textarea)")].some(differs);

  const lookAgain = () => {
    if (waiting || signedOut) return;
    waiting = window.setTimeout(() => {
      waiting = 0;
      if (document.hidden) return; // It is looked when the page is seen again.
      if (isFilledIn()) { window.setTimeout(lookAgain, RETRY_MS); return; }
      lookedAt = Date.now();
      document.body.dispatchEvent(new CustomEvent("figures-changed"));
    }, Math.max(0, lookedAt + AT_MOST_EVERY_MS - Date.now()));
  };

  const asOf = (banner) => { banner.querySelector("[data-as-of]").textContent = figures().dataset.asOfText; };

  const showStale = () => {
    const banner = document.getElementById("stale");
    banner.hidden = !staleSince || signedOut;
    if (banner.hidden) return;
    asOf(banner);
    for (const each of banner.querySelectorAll("[data-why]")) each.hidden = each.dataset.why !== staleWhy;
    const minutes = Math.floor((Date.now() - staleSince) / MINUTE_MS);
    banner.querySelector("[data-age]").textContent = minutes < 1 ? "" : `, and it has been so for ${minutes} min`;
  };
  const sayStale = (why) => { staleSince ||= Date.now(); staleWhy = why; showStale(); };
  const sayFresh = () => { staleSince = 0; showStale(); };
  const saySignedOut = () => {
    signedOut = true;
    close();
    const banner = document.getElementById("signed-out");
    asOf(banner);
    banner.hidden = false;
    showStale();
  };

  for (const failure of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(failure, (event) => {
      if (event.detail.elt !== figures()) return;
      if (event.detail.xhr.status === 401) { saySignedOut(); return; }
      sayStale(event.detail.xhr.status === 503 ? "database" : "server");
      window.setTimeout(lookAgain, RETRY_MS);
    });
  }
  // What the server says of the figures that it has given: that they are old, or that newer ones are being worked out.
  const readAge = () => {
    const { old, renewed } = figures().dataset;
    if (old === undefined) sayFresh(); else sayStale("database");
    if (old !== undefined || renewed !== undefined) window.setTimeout(lookAgain, RETRY_MS);
  };
  document.addEventListener("htmx:afterSettle", readAge);

  // The stream says that something has changed, and never a number: those come from the page, where there is one truth.
  // A browser has six connections to a server, so a page that nobody sees gives its own back.
  const address = new URL(figures().dataset.live, window.location.href);
  let source = null;
  const close = () => { if (source) source.close(); source = null; };
  const listen = () => {
    if (source || signedOut) return;
    source = new EventSource(address);
    source.addEventListener("changed", (event) => {
      address.searchParams.set("after", event.lastEventId);
      lookAgain();
    });
    source.addEventListener("stale", () => sayStale("database"));
    source.addEventListener("ended", () => { close(); lookAgain(); window.setTimeout(listen, RETRY_MS); });
    source.addEventListener("error", () => {
      // A lost connection is made again by the browser; a refusal is not.
      if (source && source.readyState === EventSource.CLOSED) { close(); lookAgain(); window.setTimeout(listen, RETRY_MS); }
      else if (!staleSince) sayStale("server");
    });
    source.addEventListener("open", () => { if (staleWhy === "server") lookAgain(); });
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : listen()));
  window.addEventListener("pagehide", close);
  window.setInterval(showStale, MINUTE_MS);
  readAge();
  if (!document.hidden) listen();
})();
