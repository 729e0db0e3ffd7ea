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

}  // namespace superstep::reduce
