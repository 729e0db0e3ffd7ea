package superstep.yarn;

import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** What containers find in their working folder, and what their environment tells. */
final class Containers {
  /** The package, unpacked: a folder of its own name lies in it. */
  static final String LINK = "runtime";

  /**
   * Each holds the cluster's whole configuration, as the client found it: Hadoop reads them one after
   * another, with its defaults between, and what it reads later wins.
   */
  static final List<String> CONF_FILES = Arrays.asList("core-site.xml", "hdfs-site.xml", "yarn-site.xml");
  static final String CREDENTIALS = "SUPERSTEP_CREDENTIALS";
  /** The name of the package's folder. */
  static final String PACKAGE = "SUPERSTEP_PACKAGE";
  /** The folder of this application in the staging folder. */
  static final String STAGING = "SUPERSTEP_STAGING";
  /** For workers, where tokens are renewed: "SECONDS PATH", where the newest are and how often to look. */
  static final String TOKENS = "SUPERSTEP_TOKENS";

  static final String ADDRESS_FILE = "coordinator";
  static final String LAST_WORD_FILE = "last.json";
  static final String KEYTAB_FILE = "keytab";
  static final String TOKENS_FILE = "tokens";
  static final String COUNTS_FILE = "containers.json";

  private Containers() {}

  static String program(Map<String, String> environment) {
    return "./" + LINK + "/" + environment.get(PACKAGE) + "/bin/superstep";
  }

  static String java(String packageName) {
    return LINK + "/" + packageName + "/java";
  }
}
