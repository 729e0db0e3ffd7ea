#include "superstep/reduce/program.h"

namespace superstep::reduce {

Bytes to_bytes(const Round& round) {
  ByteWriter out;
  out.put_string(round.phase);
  out.put(round.epoch);
  out.put(round.superstep);
  out.put_string(round.args);
  out.put_array(std::span(round.units));
  return std::move(out).take();
}

Round round_from_bytes(std::string_view bytes) {
  ByteReader in(bytes, "a round");
  Round round;
  round.phase = in.get_string();
  round.epoch = in.get<int64_t>();
  round.superstep = in.get<int64_t>();
  round.args = in.get_string();
  round.units = in.get_all<std::vector<WorkUnit>>();
  in.finish();
  return round;
}

ParamSet LaneScratch::update(const std::shared_ptr<const ParamLayout>& layout) {
  if (left_over_.shared_layout() == layout) return std::exchange(left_over_, {});
  return ParamSet(layout);
}

void LaneScratch::keep(ParamSet used) {
  // An update of nothing (a round that only measures) must not throw away what training needs.
  if (!used.flat().empty()) left_over_ = std::move(used);
}

}  // namespace superstep::reduce
