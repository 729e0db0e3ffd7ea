package superstep.yarn;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.yarn.api.records.LocalResource;
import org.apache.hadoop.yarn.api.records.LocalResourceType;
import org.apache.hadoop.yarn.api.records.LocalResourceVisibility;
import org.apache.hadoop.yarn.api.records.URL;

/**
 * The staging folder: packages, each named by the checksum of its contents and sent once, and a folder
 * for each application. Only its owner can read it.
 */
final class Staging {
  private static final FsPermission PRIVATE = new FsPermission((short) 0700);
  private static final String ARCHIVE = "SUPERSTEP_ARCHIVE";

  private final Configuration conf;
  private final FileSystem files;
  private final Path root;

  /** `given`: its URI; "": .superstep in the user's home of the default file system. */
  Staging(Configuration conf, String given) throws IOException {
    this.conf = conf;
    Path path = given.isEmpty() ? null : new Path(given);
    files = path == null ? FileSystem.get(conf) : path.getFileSystem(conf);
    root = files.makeQualified(path == null ? new Path(files.getHomeDirectory(), ".superstep") : path);
  }

  FileSystem files() {
    return files;
  }

  /** Sends the package if it is not there yet, and returns where it is. */
  Path putPackage(File folder) throws IOException, InterruptedException {
    byte[] contents = Files.readAllBytes(new File(folder, "CONTENTS").toPath());
    Path path =
        new Path(root, "runtime/" + folder.getName() + "-" + sha256(contents).substring(0, 32) + ".tar.gz");
    if (files.exists(path)) return path;
    makeFolder(path.getParent());
    // Complete or not there: a killed upload leaves a file that looks whole.
    Path sending = new Path(path.getParent(), "." + path.getName() + "." + System.nanoTime());
    try (OutputStream out = files.create(sending)) {
      pack(folder, out);
    } catch (IOException | InterruptedException error) {
      files.delete(sending, false);
      throw error;
    }
    // False where another client was faster: that one will do.
    if (!files.rename(sending, path)) files.delete(sending, false);
    return path;
  }

  /** As tools/package.sh does, but in less than half of the time: 2.9 s and 96 MB for 6.7 and 91. */
  private static void pack(File folder, OutputStream out) throws IOException, InterruptedException {
    ProcessBuilder tar =
        new ProcessBuilder(
            "tar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "-C",
            folder.getParent(), "--use-compress-program=gzip -1", "-cf", "-", folder.getName());
    Process process = tar.redirectError(ProcessBuilder.Redirect.INHERIT).start();
    byte[] buffer = new byte[1 << 16];
    for (int count = process.getInputStream().read(buffer); count >= 0;
        count = process.getInputStream().read(buffer)) out.write(buffer, 0, count);
    if (process.waitFor() != 0) throw new IOException(folder + " could not be packed (tar failed)");
  }

  Path application(Object id) {
    return new Path(root, "applications/" + id);
  }

  void makeFolder(Path path) throws IOException {
    if (files.exists(path)) return;
    files.mkdirs(path, PRIVATE);
  }

  void write(Path path, String text) throws IOException {
    write(path, text.getBytes(StandardCharsets.UTF_8));
  }

  void write(Path path, byte[] content) throws IOException {
    try (OutputStream out = files.create(path)) {
      out.write(content);
    }
  }

  /** The variables of a container by which resources() finds its files. */
  static Map<String, String> variables(File folder, Path archive, Path application) {
    Map<String, String> variables = new HashMap<>();
    variables.put(Containers.PACKAGE, folder.getName());
    variables.put(ARCHIVE, archive.toString());
    variables.put(Containers.STAGING, application.toString());
    return variables;
  }

  /** What every container of an application needs: the package and the cluster's configuration. */
  static Map<String, LocalResource> resources(Configuration conf, Map<String, String> variables)
      throws IOException {
    Map<String, LocalResource> resources = new HashMap<>();
    resources.put(
        Containers.LINK,
        resource(conf, new Path(variables.get(ARCHIVE)), LocalResourceType.ARCHIVE,
            LocalResourceVisibility.PRIVATE));
    for (String name : Containers.CONF_FILES)
      resources.put(
          name,
          resource(conf, new Path(variables.get(Containers.STAGING), name), LocalResourceType.FILE,
              LocalResourceVisibility.APPLICATION));
    return resources;
  }

  static LocalResource resource(
      Configuration conf, Path path, LocalResourceType type, LocalResourceVisibility who)
      throws IOException {
    FileStatus status = path.getFileSystem(conf).getFileStatus(path);
    return LocalResource.newInstance(
        URL.fromPath(status.getPath()), type, who, status.getLen(), status.getModificationTime());
  }

  static String sha256(byte[] bytes) {
    try {
      StringBuilder hex = new StringBuilder();
      for (byte b : MessageDigest.getInstance("SHA-256").digest(bytes)) hex.append(String.format("%02x", b));
      return hex.toString();
    } catch (NoSuchAlgorithmException error) {
      throw new IllegalStateException(error);
    }
  }
}
