// Draws the charts of the report: each figure holds its data as JSON (chart.cpp writes it).
(() => {
  "use strict";
  const kHeight = 240;
  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const font = (pixels) => pixels + "px system-ui, sans-serif";
  const round = (v) => (v === 0 ? "0" : String(Number(v.toPrecision(4))));
  const text = (chart) => (chart.percent ? (v) => round(100 * v) + "%" : round);
  // The legend names the curves, and says their values below the pointer.
  const legend = (v, show) => (v == null ? "" : show(v));

  function axis(label, values) {
    return {
      label, values, stroke: colour("--soft"), font: font(12), labelFont: font(12), labelSize: 20,
      grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 },
    };
  }

  // An upright line with its words, at the x that the chart points out.
  function drawMark(plot, chart) {
    const x = Math.round(plot.valToPos(chart.mark, "x", true));
    const { ctx, bbox } = plot;
    const ratio = window.devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour("--soft");
    ctx.setLineDash([4 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.font = font(12 * ratio);
    const right = x > bbox.left + 0.7 * bbox.width;
    ctx.textAlign = right ? "right" : "left";
    ctx.textBaseline = "top";
    ctx.fillText(chart.mark_label, x + (right ? -6 : 6) * ratio, bbox.top + 4 * ratio);
    ctx.restore();
  }

  function options(chart, width) {
    const show = text(chart);
    const series = chart.series.map((s, i) => {
      const line = {
        label: s.name, stroke: colour("--series-" + (i % 6)), width: 2, value: (_, v) => legend(v, show),
        dash: i < 6 ? undefined : [6, 4], points: { show: chart.x.length < 2 },
      };
      if (!chart.points) return line;
      if (i > 0) return { ...line, stroke: colour("--ink"), width: 1.5 };
      const fill = line.stroke;
      return { ...line, paths: () => null, points: { show: true, size: 4, width: 0, fill } };
    });
    const epochs = axis(chart.x_label, (_, ticks) => ticks.map(round));
    if (!chart.points) epochs.incrs = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];
    const range = (_, low, high) => {
      if (low == null) return [0, 1];
      if (chart.from_zero && low >= 0) return [0, high > 0 ? high * 1.05 : 1];
      return uPlot.rangeNum(low, high, 0.05, true);
    };
    const xRange = (_, low, high) => {
      if (low === high) return [low - 1, high + 1];
      return chart.points ? uPlot.rangeNum(low, high, 0.05, true) : [low, high];
    };
    return {
      width, height: kHeight,
      series: [{ label: chart.x_label, value: (_, v) => legend(v, round) }, ...series],
      scales: { x: { time: false, range: xRange }, y: { range } },
      axes: [epochs, { ...axis(chart.y_label, (_, ticks) => ticks.map(show)), size: 56 }],
      cursor: { drag: { x: !chart.points, y: false } },
      hooks: { draw: chart.mark == null ? [] : [(plot) => drawMark(plot, chart)] },
    };
  }

  const draws = [];
  for (const figure of document.querySelectorAll(".chart")) {
    const chart = JSON.parse(figure.querySelector("script").textContent);
    const host = figure.querySelector(".plot");
    const data = [chart.x, ...chart.series.map((s) => s.y)];
    let plot = null;
    const draw = () => {
      if (plot) plot.destroy();
      plot = new uPlot(options(chart, host.clientWidth), data, host);
    };
    draw();
    draws.push(draw);
    new ResizeObserver(() => {
      if (host.clientWidth !== plot.width) plot.setSize({ width: host.clientWidth, height: kHeight });
    }).observe(host);
  }
  // Canvases do not follow the colours of the page by themselves.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    draws.forEach((draw) => draw()));
})();
