// Text and pictures as pieces of an HTML page.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "superstep/report/picture.h"

namespace superstep::report {

/// Text that stands for itself between tags and inside quoted attributes: & < > " ' are written as
/// entities; control characters, which HTML does not know, as U+FFFD.
std::string escape(std::string_view text);

/// A table for the report, such as figures that have no picture.
struct Table {
  std::string title{}, caption{};                ///< Either may be empty.
  std::vector<std::string> headers{};            ///< One a column; none: a table without a head.
  std::vector<std::vector<std::string>> rows{};  ///< The first cell of a row names it.
};

/// The <table>, its first column as row headers; columns of numbers stand to the right.
std::string table_html(const Table& table);

/// An <img> that holds its own bytes; each pixel is shown as zoom * zoom.
std::string picture_html(const Picture& picture, std::string_view alt, int zoom);

}  // namespace superstep::report
