// What coordinator and workers of one job know, and nobody else: the secret, and off this machine
// the certificates. Handed on as text by the environment or by a file that only its owner can read,
// never as an argument.
#pragma once

#include <optional>
#include <string>

#include "superstep/base/certificates.h"

namespace superstep {

struct Credentials {
  Bytes secret;
  std::optional<Tls> tls = {};  ///< None: connections are plain.

  /// JSON, on one line.
  [[nodiscard]] std::string to_text() const;
  /// The same in hexadecimal digits, which no shell takes for anything else.
  [[nodiscard]] std::string to_hex() const;
  /// Reads either. Throws ConfigError, naming `origin`, where the text is none.
  static Credentials from_text(const std::string& text, const std::string& origin);
  /// Throws ConfigError where the file is none, or others may read it.
  static Credentials read(const std::string& path);
  /// A new file that only its owner can read. Throws FileError where one is there already.
  void write(const std::string& path) const;
};

/// The environment variable that holds them as text.
inline constexpr const char* kCredentialsVariable = "SUPERSTEP_CREDENTIALS";

/// New ones for a coordinator that listens at host:port: plain where only this machine can connect,
/// else (with `tls`) with certificates for that host, or where it is 0.0.0.0 or [::] for all names
/// and addresses of this machine.
Credentials make_credentials(const std::string& listen, bool tls);
/// New ones for a coordinator of which nobody knows yet on which host it will run.
Credentials make_credentials_for_any_host(bool tls);

}  // namespace superstep
