// Charts that answer to a pointer: Chart.js over the still chart that the page has. The only module that knows Chart.js.
(() => {
  "use strict";
  const SERIES = ["--s1", "--s2", "--s3", "--s4", "--s5", "--s6", "--s7"];
  const charts = new Map();
  let calm = false;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const clear = (hex, share) => hex + Math.round(share * 255).toString(16).padStart(2, "0");
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  const format = (value) => {
    if (value === null || value === undefined) return "";
    return new Intl.NumberFormat("en", { maximumSignificantDigits: 4, useGrouping: true }).format(value).replaceAll(",", "\u202f");
  };

  const axes = (chart) => ({
    x: { stacked: chart.stacked, grid: { display: false }, ticks: { color: colour("--soft"), maxRotation: 0, autoSkipPadding: 16 }, border: { color: colour("--soft") } },
    y: { stacked: chart.stacked, beginAtZero: true, suggestedMax: chart.ranges ? highest(chart) : undefined, grid: { color: colour("--line") }, border: { display: false },
         ticks: { color: colour("--soft"), maxTicksLimit: 5, callback: (value) => `${format(value)} ${chart.unit}` } },
  });

  // `series`: {name, style, low, mid, high}; one colour, the style of the line tells them apart as well.
  const lines = (chart) => chart.series.flatMap((series) => {
    const main = colour(series.style === "before" ? "--before" : "--accent");
    const dash = { before: [4, 3], forecast: [2, 4] }[series.style] || [];
    const common = { pointRadius: 0, tension: 0, borderColor: main, spanGaps: false };
    // What is not over is no point of the line: it would fall.
    if (series.style === "unfinished") {
      return [{ type: "bar", label: series.name, data: series.mid, backgroundColor: series.mid.map(() => hatched(main)), barPercentage: 0.95, categoryPercentage: 1, role: "mid", series }];
    }
    const drawn = [{ ...common, label: series.name, data: series.mid, borderWidth: series.style === "before" ? 1.5 : 2, borderDash: dash, role: "mid", series }];
    if (series.low) {
      drawn.push({ ...common, data: series.low, borderWidth: 0, role: "end" });
      drawn.push({ ...common, data: series.high, borderWidth: 0, fill: "-1", backgroundColor: clear(main, 0.16), role: "end" });
    }
    return drawn;
  });

  const hatched = (hex) => {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const pen = tile.getContext("2d");
    pen.fillStyle = clear(hex, 0.35); pen.fillRect(0, 0, 8, 8);
    pen.strokeStyle = hex; pen.lineWidth = 1.5;
    pen.beginPath(); pen.moveTo(-2, 10); pen.lineTo(10, -2); pen.moveTo(-2, 2); pen.lineTo(2, -2); pen.moveTo(6, 10); pen.lineTo(10, 6); pen.stroke();
    return pen.createPattern(tile, "repeat");
  };

  // `series`: {name, values, other}; `hatched`: the bars whose time is not over; `ranges`: [low, high] of each whole stack.
  const bars = (chart) => chart.series.map((series, place) => {
    const main = colour(series.other ? "--other" : SERIES[place % SERIES.length]);
    const fills = series.values.map((_, at) => (chart.hatched?.includes(at) ? hatched(main) : main));
    return { label: series.name, data: series.values, backgroundColor: fills, borderColor: colour("--card"), borderWidth: chart.labels.length > 60 ? 0 : { top: 1 }, categoryPercentage: 0.86, barPercentage: 0.86, role: "mid", series };
  });

  const told = (chart) => ({
    footer: (items) => {
      const range = items.length && chart.ranges ? chart.ranges[items[0].dataIndex] : null;
      return range ? `All: ${format(range[0])}–${format(range[1])} ${chart.unit}` : "";
    },
    label: (item) => {
      const range = item.dataset.series.low ? ` (${format(item.dataset.series.low[item.dataIndex])}–${format(item.dataset.series.high[item.dataIndex])})` : "";
      return `${item.dataset.label}: ${format(item.raw)}${range} ${chart.unit}`;
    },
  });

  // The range of each whole stack, over its bar.
  const whiskers = {
    id: "whiskers",
    afterDatasetsDraw: (drawn, _, options) => {
      const ranges = options.ranges;
      if (!ranges) return;
      const pen = drawn.ctx, { x, y } = drawn.scales;
      const cap = Math.min(5, (x.width / ranges.length) * 0.18);
      pen.save();
      pen.strokeStyle = colour("--ink"); pen.globalAlpha = ranges.length > 60 ? 0.4 : 0.65; pen.lineWidth = 1.25;
      pen.beginPath();
      ranges.forEach((range, at) => {
        if (!range) return;
        const middle = x.getPixelForValue(at), [low, high] = range.map((end) => y.getPixelForValue(end));
        pen.moveTo(middle, low); pen.lineTo(middle, high);
        for (const end of [low, high]) { pen.moveTo(middle - cap, end); pen.lineTo(middle + cap, end); }
      });
      pen.stroke();
      pen.restore();
    },
  };
  const highest = (chart) => Math.max(0, ...(chart.ranges || []).map((range) => (range ? range[1] : 0)));

  const draw = (place) => {
    const chart = JSON.parse(place.dataset.figures);
    charts.get(place)?.destroy();
    let canvas = place.querySelector("canvas");
    if (!canvas) { canvas = document.createElement("canvas"); canvas.setAttribute("aria-hidden", "true"); place.append(canvas); }
    place.querySelector(".still").hidden = true;
    charts.set(place, new Chart(canvas, {
      type: chart.kind === "bars" ? "bar" : "line",
      data: { labels: chart.labels, datasets: chart.kind === "bars" ? bars(chart) : lines(chart) },
      plugins: [whiskers],
      options: {
        animation: still || calm ? false : { duration: 250 }, maintainAspectRatio: false, normalized: true,
        interaction: { mode: "index", intersect: false },
        scales: axes(chart),
        plugins: {
          whiskers: { ranges: chart.ranges },
          legend: { display: chart.kind === "bars" && chart.legend !== false && chart.series.length > 1, position: "bottom", labels: { color: colour("--soft"), boxWidth: 12, boxHeight: 12 } },
          tooltip: { filter: (item) => item.dataset.role === "mid" && item.raw !== null, callbacks: told(chart), itemSort: (a, b) => b.raw - a.raw },
        },
      },
    }));
  };

  const drawAll = () => {
    for (const [place, chart] of charts) if (!place.isConnected) { chart.destroy(); charts.delete(place); }
    document.querySelectorAll("[data-chart]").forEach(draw);
  };
  drawAll();
  // At once after the swap: the still chart is not seen in between, and what is drawn again does not move.
  document.addEventListener("htmx:afterSwap", () => { calm = true; drawAll(); });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  // On paper the still chart is sharper.
  window.addEventListener("beforeprint", () => document.querySelectorAll("[data-chart]").forEach((place) => {
    place.querySelector(".still").hidden = false;
    place.querySelector("canvas").hidden = true;
  }));
  window.addEventListener("afterprint", () => document.querySelectorAll("[data-chart]").forEach((place) => {
    place.querySelector(".still").hidden = true;
    place.querySelector("canvas").hidden = false;
  }));
})();
