// A Program by name: what another process makes the same Program from. A job goes through several
// stages one after another: its data are counted and fitted, it is trained, it is evaluated.
#pragma once

#include <string>

#include "superstep/base/bytes.h"

namespace superstep::cluster {

struct Stage {
  std::string kind;  ///< "train"; whoever makes Programs has a table of these.
  Bytes args;        ///< All else: the job, what fit found.
  friend bool operator==(const Stage&, const Stage&) = default;
};

}  // namespace superstep::cluster
