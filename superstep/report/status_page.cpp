// The status as a page: facts, curves, workers as a timeline, filters as they form.
#include <fmt/format.h>

#include <algorithm>

#include "superstep/report/chart.h"
#include "superstep/report/curves.h"
#include "superstep/report/over_training_html.h"
#include "superstep/report/page.h"
#include "superstep/report/status.h"
#include "superstep/report/text.h"

namespace superstep::report {
namespace {

// The timeline, in units of its own: it is as wide as the page.
constexpr int kWidth = 920, kLabel = 150, kRow = 18, kGap = 4;
constexpr size_t kRows = 40;

// When it was told: a page that a process left behind as it died shows that nothing comes any more.
constexpr const char* kAgeScript = R"(<script>
(() => {
  const told = document.getElementById("told"), seconds = Number(told.dataset.updated);
  if (document.getElementById("state").textContent !== "running") {
    told.textContent = new Date(1000 * seconds).toLocaleString();
    return;
  }
  const tell = () => {
    const age = Math.max(0, Math.round(Date.now() / 1000 - seconds));
    told.textContent = age + " s ago" + (age > 60 ? ": nothing since; is the run still there?" : "");
    told.classList.toggle("wrong", age > 60);
  };
  tell();
  setInterval(tell, 1000);
})();
</script>
)";

class TimelineSvg {
 public:
  TimelineSvg(const Status& status, size_t bins) : status_(status), bins_(bins) {}

  void row(const WorkerStatus& worker) {
    label(fmt::format("worker {}{}", worker.worker, worker.here ? "" : " (lost)"), worker.host);
    for (size_t b = 0; b < worker.busy.size(); ++b) {
      if (worker.busy[b] < 0) continue;
      const double height = kRow * static_cast<double>(worker.busy[b]) / 100;
      out_ += fmt::format("<g><title>{}: {}% computing</title>",
                          since(static_cast<double>(b) * status_.bin_seconds), worker.busy[b]);
      bar("there", b, kRow);
      bar("busy", b, height);
      out_ += "</g>\n";
    }
    for (const StatusEvent& event : status_.events)
      if (event.worker == worker.worker && event.what == "lost") mark(event, "lost");
    y_ += kRow + kGap;
  }
  /// What happened to leases: of no one worker.
  void leases() {
    label("leases", "given back to others, backups of slow ones");
    for (const StatusEvent& event : status_.events)
      if (event.worker < 0) mark(event, event.what);
    y_ += kRow + kGap;
  }
  std::string take() {
    const double end = static_cast<double>(bins_) * status_.bin_seconds;
    for (const double part : {0.0, 0.5, 1.0})
      out_ +=
          fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n",
                      kLabel + part * (kWidth - kLabel), y_ + 14,
                      part == 0   ? "start"
                      : part == 1 ? "end"
                                  : "middle",
                      since(part * end));
    return fmt::format(
        "<svg class=\"timeline\" viewBox=\"0 0 {} {}\" role=\"img\" "
        "aria-label=\"who computed when\">\n{}</svg>\n",
        kWidth, y_ + 20, out_);
  }

 private:
  static std::string since(double seconds) { return human_seconds(seconds); }
  [[nodiscard]] double bin_width() const {
    return static_cast<double>(kWidth - kLabel) / static_cast<double>(bins_);
  }
  [[nodiscard]] double x(size_t bin) const {
    return kLabel + static_cast<double>(bin) * bin_width();
  }
  void bar(const char* kind, size_t bin, double height) {
    out_ += fmt::format(
        "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>", kind,
        x(bin), y_ + kRow - height, bin_width(), height);
  }
  void label(const std::string& text, const std::string& more) {
    out_ += fmt::format("<text x=\"0\" y=\"{}\">{}<title>{}</title></text>\n", y_ + 13,
                        escape(text), escape(more));
  }
  void mark(const StatusEvent& event, const std::string& kind) {
    const double bin = (event.time - status_.started) / status_.bin_seconds;
    const double at =
        kLabel + std::clamp(bin / static_cast<double>(bins_), 0.0, 1.0) * (kWidth - kLabel);
    out_ += fmt::format(
        "<text class=\"mark {}\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}"
        "<title>{} {} after {}</title></text>\n",
        escape(kind), at, y_ + 14, kind == "backup" ? "\u25b2" : "\u2715", event.count,
        escape(event.what), since(event.time - status_.started));
  }

  const Status& status_;
  size_t bins_;
  int y_ = 0;
  std::string out_;
};

std::string timeline(const Status& s) {
  size_t bins = 0;
  for (const WorkerStatus& worker : s.workers) bins = std::max(bins, worker.busy.size());
  if (bins == 0) return "";
  TimelineSvg svg(s, bins);
  for (size_t i = 0; i < std::min(s.workers.size(), kRows); ++i) svg.row(s.workers[i]);
  svg.leases();
  std::string body = fmt::format(
      "<p>The higher the bar, the more of its threads' time a worker computed; the rest is "
      "waiting. "
      "A column is {}. \u2715: a worker was lost, its units went to others. \u25b2: a unit was "
      "given to "
      "a second worker because the first was slow.</p>\n",
      human_seconds(s.bin_seconds));
  if (s.workers.size() > kRows)
    body += fmt::format("<p>The first {} of {} workers.</p>\n", kRows, s.workers.size());
  return body + svg.take();
}

std::string opening(const Status& s) {
  std::string out = fmt::format(
      "<header>\n<h1>{}</h1>\n<p class=\"answer\"><strong id=\"state\">{}</strong> <span "
      "id=\"told\" "
      "data-updated=\"{:.0f}\"></span></p>\n<dl class=\"facts\">\n",
      escape(s.job), escape(s.state), s.updated);
  for (const auto& [label, value] : status_facts(s, s.updated))
    if (label != "run")
      out += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(label), escape(value));
  out += "</dl>\n<p>";
  if (s.state == "finished") out += "<a href=\"report.html\">report</a> \u00b7 ";
  return out +
         "<a href=\"metrics.jsonl\">metrics.jsonl</a> \u00b7 <a "
         "href=\"status.json\">status.json</a>"
         "</p>\n</header>\n";
}

std::string charts(std::span<const MetricLine> metrics) {
  std::string body;
  for (const Chart& chart : curves(metrics)) body += chart_html(chart);
  return body.empty() ? "" : "<div class=\"charts\">\n" + body + "</div>\n";
}

}  // namespace

std::string status_page(const Status& status, std::span<const MetricLine> metrics,
                        const OverTraining& drawn) {
  Page page{.title = fmt::format("{}: {}", status.job, status.state)};
  if (status.running())
    page.head = fmt::format("<meta http-equiv=\"refresh\" content=\"{}\">\n", kReloadSeconds);
  page.body = opening(status) + section("Curves", charts(metrics));
  if (!status.workers.empty())
    page.body +=
        section("Workers", timeline(status) + table_html(workers_table(status, status.updated)));
  page.body += section("First-layer filters", filters_html(drawn));
  page.body += "<footer>" + colophon() + "</footer>\n" + kAgeScript;
  return page_html(page);
}

}  // namespace superstep::report
