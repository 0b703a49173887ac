#include "bench/plot.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace varve::bench {
namespace {

constexpr double kWidth = 1760;
constexpr double kMargin = 36;
constexpr double kHeadHeight = 146;
constexpr double kLeftWidth = 560;    // the bars with their names
constexpr double kLabelWidth = 118;   // workload names left of the bars
constexpr double kNumberWidth = 128;  // scores right of the bars
constexpr double kBarHeight = 13;
constexpr double kBarStep = 15;
constexpr double kGroupGap = 16;
constexpr double kChartGap = 64;
constexpr double kChartHeight = 190;
constexpr double kChartStep = 262;
constexpr int kChartColumns = 3;
constexpr double kDecades = 5;  // 0 %, 90 %, 99 %, ... 99.999 %

constexpr char kInk[] = "#1f2933";
constexpr char kFaint[] = "#66727f";
constexpr char kGrid[] = "#e3e7eb";

// Told apart by people who are colour-blind, too (the palette of Okabe and Ito).
std::string ColorOf(const std::string& engine) {
  if (engine == "varve") return "#d55e00";
  if (engine == "rocksdb") return "#0072b2";
  if (engine == "rocksdb-blob") return "#56b4e9";
  if (engine == "leveldb") return "#009e73";
  if (engine == "lmdb") return "#cc79a7";
  if (engine == "wiredtiger") return "#d4a400";
  return "#8a8f98";
}

class Svg {
 public:
  void Add(const char* format, ...) __attribute__((format(printf, 2, 3))) {
    char text[1024];
    va_list args;
    va_start(args, format);
    std::vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    text_ += text;
    text_ += '\n';
  }
  void Rect(double x, double y, double width, double height, const std::string& color) {
    Add("<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f' fill='%s'/>", x, y, width, height,
        color.c_str());
  }
  void Line(double x1, double y1, double x2, double y2, const char* color) {
    Add("<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='%s'/>", x1, y1, x2, y2, color);
  }
  // `anchor`: start, middle or end. `text` holds none of the characters that XML gives a meaning.
  void Text(double x, double y, const std::string& text, int size, const char* anchor,
            const char* color, bool bold = false) {
    Add("<text x='%.1f' y='%.1f' font-size='%d' text-anchor='%s' fill='%s'%s>", x, y, size, anchor,
        color, bold ? " font-weight='600'" : "");
    text_ += text + "</text>\n";
  }
  void Append(const std::string& text) { text_ += text; }
  const std::string& str() const { return text_; }

 private:
  std::string text_;
};

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

// Puts for workloads that put, reads for the others.
const Latency& Shown(const RunResult& result) {
  return result.put.count > 0 && result.workload != "seed-001" ? result.put : result.read;
}

bool HasCurve(const RunResult& result) { return result.ran() && Shown(result).count >= 100; }

double GroupBars(Svg* svg, const Comparison& c, size_t w, double top) {
  std::vector<const RunResult*> bars;
  double best = 0;
  for (const RunResult& result : c.results[w]) {
    if (!result.ran() || result.score <= 0) continue;
    bars.push_back(&result);
    best = std::max(best, result.score);
  }
  if (bars.empty()) return top;
  const double left = kMargin + kLabelWidth;
  const double room = kLeftWidth - kLabelWidth - kNumberWidth;
  const double middle = top + kBarStep * static_cast<double>(bars.size()) / 2;
  const RunResult& first = *bars.front();
  svg->Text(left - 10, middle, c.workloads[w]->name, 13, "end", kInk, true);
  svg->Text(left - 10, middle + 14, first.score_unit, 10, "end", kFaint);
  if (!first.higher_is_better) {
    svg->Text(left - 10, middle + 26, "less is better", 10, "end", kFaint);
  }
  const RunResult* best_peer = c.BestPeer(w);
  for (const RunResult* bar : bars) {
    const double width = std::max(1.0, room * bar->score / best);
    svg->Rect(left, top, width, kBarHeight, ColorOf(bar->engine));
    std::string number = FormatBareScore(*bar);
    if (best_peer != nullptr) number += " (" + FormatRatio(Ratio(*bar, *best_peer)) + ")";
    if (bar->failed()) number += " ERROR";
    svg->Text(left + width + 6, top + kBarHeight - 2.5, number, 11, "start",
              bar->failed() ? "#b00020" : kInk, bar->engine == "varve");
    top += kBarStep;
  }
  return std::max(top, middle + 26) + kGroupGap;
}

struct Frame {
  double x, y, width, height;
  double low, high;  // decades of nanoseconds
  double X(double decade) const { return x + width * decade / kDecades; }
  double Y(double nanos) const {
    const double at = (std::log10(std::max(nanos, 1.0)) - low) / (high - low);
    return y + height * (1 - std::clamp(at, 0.0, 1.0));
  }
};

void DrawGrid(Svg* svg, const Frame& frame, const std::string& title) {
  static const char* const kPercents[] = {"0", "90", "99", "99.9", "99.99", "99.999 %"};
  svg->Text(frame.x, frame.y - 10, title, 13, "start", kInk, true);
  for (int i = 0; i <= static_cast<int>(kDecades); ++i) {
    const double x = frame.X(i);
    svg->Line(x, frame.y, x, frame.y + frame.height, kGrid);
    svg->Text(x, frame.y + frame.height + 15, kPercents[i], 10, "middle", kFaint);
  }
  for (double decade = frame.low; decade <= frame.high + 1e-9; decade += 1) {
    const double nanos = std::pow(10, decade);
    svg->Line(frame.x, frame.Y(nanos), frame.x + frame.width, frame.Y(nanos), kGrid);
    static const char* const kUnits[] = {"ns", "us", "ms", "s"};
    const int power = static_cast<int>(std::lround(decade));
    char label[32];
    std::snprintf(label, sizeof(label), "%.0f %s", std::pow(10, power % 3),
                  kUnits[std::min(power / 3, 3)]);
    svg->Text(frame.x - 6, frame.Y(nanos) + 3.5, label, 10, "end", kFaint);
  }
}

void DrawCurve(Svg* svg, const Frame& frame, const RunResult& result) {
  const Latency& latency = Shown(result);
  std::string points;
  for (size_t i = 0; i < kCurvePoints; ++i) {
    // Beyond the rank of the last operation there is nothing but the maximum.
    const double decade = static_cast<double>(i) / 10;
    if (i > 0 && std::pow(10, decade) > latency.count) break;
    char point[48];
    std::snprintf(point, sizeof(point), "%.1f,%.1f ", frame.X(decade), frame.Y(latency.curve[i]));
    points += point;
  }
  const bool is_varve = result.engine == "varve";
  svg->Append("<polyline fill='none' stroke='" + ColorOf(result.engine) + "' stroke-width='" +
              (is_varve ? "3" : "1.8") + "' stroke-linejoin='round' points='" + points + "'/>\n");
}

// The chart of one workload. The curves of varve come last, on top.
void DrawChart(Svg* svg, const std::vector<RunResult>& results, const std::string& name, double x,
               double y, double width) {
  double lowest = 1e18;
  double highest = 1;
  const RunResult* titled = nullptr;
  for (const RunResult& result : results) {
    if (!HasCurve(result)) continue;
    titled = &result;
    lowest = std::min(lowest, std::max(Shown(result).curve[3], 1.0));
    highest = std::max(highest, Shown(result).curve[kCurvePoints - 1]);
  }
  Frame frame = {x, y, width, kChartHeight, 0, 0};
  frame.low = std::floor(std::log10(lowest));
  frame.high = std::max(std::ceil(std::log10(highest)), frame.low + 1);
  const bool is_put = &Shown(*titled) == &titled->put;
  DrawGrid(svg, frame, name + (is_put ? ": put" : ": read"));
  for (const RunResult& result : results) {
    if (HasCurve(result) && result.engine != "varve") DrawCurve(svg, frame, result);
  }
  for (const RunResult& result : results) {
    if (HasCurve(result) && result.engine == "varve") DrawCurve(svg, frame, result);
  }
}

// Returns the lower end of the panel.
double DrawCharts(Svg* svg, const Comparison& c) {
  const double left = kMargin + kLeftWidth + kChartGap + 30;
  const double width = (kWidth - kMargin - left - kChartGap * (kChartColumns - 1)) / kChartColumns;
  size_t count = 0;
  for (size_t w = 0; w < c.workloads.size(); ++w) {
    if (std::none_of(c.results[w].begin(), c.results[w].end(), HasCurve)) continue;
    const double x = left + static_cast<double>(count % kChartColumns) * (width + kChartGap);
    const double y = kHeadHeight + 44 + static_cast<double>(count / kChartColumns) * kChartStep;
    DrawChart(svg, c.results[w], c.workloads[w]->name, x, y, width);
    ++count;
  }
  return kHeadHeight + 44 + std::ceil(static_cast<double>(count) / kChartColumns) * kChartStep;
}

void DrawHead(Svg* svg, const Comparison& c) {
  svg->Text(kMargin, 40, "Ordered key-value stores: throughput and latency", 22, "start", kInk,
            true);
  svg->Text(kMargin, 63, Escaped(c.settings), 12, "start", kFaint);
  double x = kMargin;
  for (size_t e = 0; e < c.engines.size(); ++e) {
    const bool has_bars = std::any_of(c.results.begin(), c.results.end(), [&](const auto& row) {
      return row[e].ran() && row[e].score > 0;
    });
    if (!has_bars) continue;
    const std::string name =
        c.engines[e]->name + (c.engines[e]->version == "-" ? "" : " " + c.engines[e]->version);
    svg->Rect(x, 79, 14, 14, ColorOf(c.engines[e]->name));
    svg->Text(x + 20, 91, Escaped(name), 13, "start", kInk, c.engines[e]->name == "varve");
    x += 52 + 7.4 * static_cast<double>(name.size());
  }
  const double right = kMargin + kLeftWidth + kChartGap + 30;
  const double y = kHeadHeight - 14;
  svg->Text(kMargin, y, "Throughput", 16, "start", kInk, true);
  svg->Text(kMargin, y + 17, "each group to its own scale; (1.00x) is the best peer", 11, "start",
            kFaint);
  svg->Text(right, y, "Latency", 16, "start", kInk, true);
  svg->Text(right, y + 17,
            "the time that this share of operations does not exceed; both axes logarithmic", 11,
            "start", kFaint);
}

}  // namespace

std::string SvgPlot(const Comparison& c) {
  Svg body;
  DrawHead(&body, c);
  double bottom = kHeadHeight + 24;
  for (size_t w = 0; w < c.workloads.size(); ++w) bottom = GroupBars(&body, c, w, bottom);
  bottom = std::max(bottom, DrawCharts(&body, c)) + 12;
  Svg svg;
  svg.Add(
      "<svg xmlns='http://www.w3.org/2000/svg' width='%.0f' height='%.0f' "
      "viewBox='0 0 %.0f %.0f' font-family='Helvetica, Arial, DejaVu Sans, sans-serif'>",
      kWidth, bottom, kWidth, bottom);
  svg.Rect(0, 0, kWidth, bottom, "#ffffff");
  svg.Append(body.str());
  svg.Add("</svg>");
  return svg.str();
}

}  // namespace varve::bench
