// The names of this machine: its own, and the one that it has in a cluster.
//
//   work({.host = host_name()});             // "node-3.rack-1.example", as its NodeManager says
//   if (same_host(block.host, host_name()))  // the block lies here
#pragma once

#include <string>
#include <string_view>

namespace superstep {

/// What the machine calls itself (gethostname), "localhost" where it cannot say.
std::string machine_name();

/// What a cluster knows this machine by: the name given to set_host_name(), else $NM_HOST (YARN
/// sets it in every container), else machine_name(). Safe from many threads.
std::string host_name();

/// "": as if none had been given.
void set_host_name(std::string name);

/// Whether two names may be of one machine: in any case of letters, and with or without a domain
/// where one of them has none ("node-3" and "node-3.example"). Addresses are the same as text only.
bool same_host(std::string_view a, std::string_view b);

}  // namespace superstep
