#include "superstep/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace superstep::report {
namespace {

constexpr int kBarWidth = 10;
constexpr double kRedrawSeconds = 0.1, kLineSeconds = 10;

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The first `columns` characters of UTF-8 text: a character is not cut in two.
std::string_view cut_to(std::string_view text, size_t columns) {
  size_t seen = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<uint8_t>(text[i]) & 0xC0) != 0x80;
    if (begins && seen++ == columns) return text.substr(0, i);
  }
  return text;
}

}  // namespace

std::string with_commas(int64_t number) {
  const std::string digits = fmt::format("{}", number);
  const size_t sign = number < 0 ? 1 : 0;
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > sign && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string human_bytes(int64_t bytes) {
  const auto b = static_cast<double>(bytes);
  if (bytes < 1000) return fmt::format("{} B", bytes);
  // A tenth of a megabyte is small enough to be read as one.
  if (bytes < 100'000) return fmt::format("{:.1f} kB", b / 1e3);
  if (b < 999.95e6) return fmt::format("{:.1f} MB", b / 1e6);
  if (b < 999.95e9) return fmt::format("{:.1f} GB", b / 1e9);
  return fmt::format("{:.1f} TB", b / 1e12);
}

std::string human_seconds(double seconds) {
  // The borders are where the shorter form would round up to the next unit.
  if (seconds < 0.095) return fmt::format("{:.2f} s", seconds);
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = std::llround(seconds);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  const auto minutes = std::llround(seconds / 60);
  return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

ProgressPrinter::ProgressPrinter(std::ostream& out, ProgressStyle style)
    : out_(out), style_(std::move(style)) {
  if (!style_.now) style_.now = steady_seconds;
}

void ProgressPrinter::line(std::string_view label, std::string_view text) {
  out_ << fmt::format("{:<10}{}\n", label, text) << std::flush;
}

void ProgressPrinter::begin(std::string_view label, std::string_view part, int64_t total) {
  if (open_) end(text_);
  label_ = label;
  part_ = part;
  text_.clear();
  done_ = 0;
  total_ = total;
  open_ = true;
  begun_ = drawn_ = style_.now();
  if (style_.terminal) draw(false);
}

void ProgressPrinter::update(int64_t done, std::string_view text) {
  if (!open_) return;
  done_ = done;
  text_ = text;
  const double wait = style_.terminal ? kRedrawSeconds : kLineSeconds;
  const double now = style_.now();
  if (now - drawn_ < wait) return;
  drawn_ = now;
  draw(false);
}

void ProgressPrinter::end(std::string_view text) {
  if (!open_) return;
  text_ = text;
  draw(true);
  open_ = false;
}

std::string ProgressPrinter::phase_line() const {
  const double share = total_ > 0 ? static_cast<double>(done_) / static_cast<double>(total_) : 1.0;
  const int full = std::clamp(static_cast<int>(share * kBarWidth), 0, kBarWidth);
  std::string bar(kBarWidth, '.');
  std::fill_n(bar.begin(), full, '#');
  const std::string steps = fmt::format("{}/{}", with_commas(done_), with_commas(total_));
  const std::string time = human_seconds(std::max(0.0, style_.now() - begun_));
  // A long text pushes the time to the right; two blanks always stand between them.
  return fmt::format("{:<10}{:<8}{} {:<7} {:<26}  {:>8}", label_, part_, bar, steps, text_, time);
}

void ProgressPrinter::draw(bool last) {
  const std::string text = phase_line();
  if (!style_.terminal) {
    out_ << text << '\n' << std::flush;
    return;
  }
  // The last line may wrap: nothing is drawn over it. "\x1b[K" clears what an earlier, longer line
  // left.
  const auto room = static_cast<size_t>(std::max(1, style_.width - 1));
  out_ << '\r' << (last ? std::string_view(text) : cut_to(text, room)) << "\x1b[K";
  if (last) out_ << '\n';
  out_ << std::flush;
}

}  // namespace superstep::report
