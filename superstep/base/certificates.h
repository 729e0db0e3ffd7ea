// The secret and the certificates of a job: made by whoever submits it, handed on to coordinator
// and workers by environment or file, never by argument.
//
//   const Authority authority = make_authority("job 17");
//   const Tls coordinator = issue(authority, {"10.0.0.7", "node-7.example"});
//   const Tls worker = issue(authority, {});
//
// Keys are ECDSA over P-256. A certificate is valid from a day ago (clocks differ) for `days`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "superstep/base/bytes.h"

namespace superstep {

/// What one end of a connection shows and trusts; each a text in PEM.
struct Tls {
  std::string authority;    ///< The certificate that the other end's must be signed by.
  std::string certificate;  ///< Its own.
  std::string key;          ///< The private key of its own.
  /// The name in the server's certificate, where that is not the host that is dialled: a job whose
  /// coordinator may run anywhere. "": the host.
  std::string name = {};
};

/// A certificate authority of one job.
struct Authority {
  std::string certificate, key;  ///< PEM.
};

/// Throws Error where OpenSSL cannot.
Authority make_authority(std::string_view name, int days = 365);
/// A certificate for a server at these hosts (IPv4 and IPv6 addresses or names; the subject's name
/// counts for nothing) and for a client anywhere. Throws ConfigError where the authority is none.
Tls issue(const Authority& authority, const std::vector<std::string>& hosts, int days = 365);

/// 32 bytes from the system's source of randomness.
Bytes make_secret();
/// Compares in a time that depends on the lengths alone.
bool same_secret(std::string_view a, std::string_view b);

}  // namespace superstep
