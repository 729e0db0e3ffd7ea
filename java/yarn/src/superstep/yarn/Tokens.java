package superstep.yarn;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.PrivilegedExceptionAction;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.io.DataOutputBuffer;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.security.Credentials;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.yarn.security.AMRMTokenIdentifier;

/**
 * The tokens by which the containers of a job reach its file systems. The client takes the first ones,
 * and the ResourceManager renews those for as long as they may live (seven days). With a keytab the
 * application master takes new ones before they run out, again and again.
 */
final class Tokens {
  /** Of the new tokens' life, in ms, what is left when the next are taken: a quarter. */
  private static final int PARTS = 4;

  private final Configuration conf;
  private final List<org.apache.hadoop.fs.Path> places;
  private final UserGroupInformation login;

  /** `places`: something on each file system. Throws IOException where the keytab is not taken. */
  Tokens(Configuration conf, List<org.apache.hadoop.fs.Path> places, String principal) throws IOException {
    this.conf = conf;
    this.places = places;
    login = UserGroupInformation.loginUserFromKeytabAndReturnUGI(principal, new File(Containers.KEYTAB_FILE).getPath());
  }

  /** Gives the current user new ones; returns for how many ms they are good. */
  long take() throws IOException, InterruptedException {
    login.checkTGTAndReloginFromKeytab();
    Credentials fresh = new Credentials();
    long until =
        login.doAs(
            (PrivilegedExceptionAction<Long>)
                () -> {
                  // Renewed by ourselves, since only that tells when they run out.
                  addTo(fresh, conf, places, login.getUserName());
                  long first = Long.MAX_VALUE;
                  for (Token<?> token : fresh.getAllTokens()) first = Math.min(first, token.renew(conf));
                  return first;
                });
    UserGroupInformation.getCurrentUser().addCredentials(fresh);
    return until - System.currentTimeMillis();
  }

  /** When, in ms, the next are to be taken. */
  static long next(long life) {
    return life - life / PARTS;
  }

  /** Tokens of all file systems that give some. */
  static void addTo(Credentials credentials, Configuration conf, List<org.apache.hadoop.fs.Path> places, String renewer)
      throws IOException {
    for (org.apache.hadoop.fs.Path place : places) place.getFileSystem(conf).addDelegationTokens(renewer, credentials);
  }

  /** All that this application may show to others, but what makes it the application master. */
  static ByteBuffer shown() throws IOException {
    Credentials all = new Credentials(UserGroupInformation.getCurrentUser().getCredentials());
    Credentials passed = new Credentials();
    for (Text alias : all.getAllSecretKeys()) passed.addSecretKey(alias, all.getSecretKey(alias));
    for (Token<?> token : all.getAllTokens())
      if (!token.getKind().equals(AMRMTokenIdentifier.KIND_NAME)) passed.addToken(token.getService(), token);
    return bytes(passed);
  }

  static ByteBuffer bytes(Credentials credentials) throws IOException {
    DataOutputBuffer buffer = new DataOutputBuffer();
    credentials.writeTokenStorageToStream(buffer);
    return ByteBuffer.wrap(buffer.getData(), 0, buffer.getLength());
  }

  /** Into a file of this container, which the coordinator reads whenever it has changed. */
  static void write(ByteBuffer tokens, File file) throws IOException {
    Path next =
        Files.createTempFile(
            file.getAbsoluteFile().getParentFile().toPath(), "tokens", "",
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    try (OutputStream out = Files.newOutputStream(next)) {
      out.write(tokens.array(), 0, tokens.limit());
    }
    Files.move(next, file.toPath(), StandardCopyOption.ATOMIC_MOVE);
  }
}
