package superstep.yarn;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.BlockLocation;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;

/** On which hosts the data lie, so that containers can be asked for there first. */
final class Locality {
  private Locality() {}

  /**
   * The hosts that hold blocks of these files, folders or patterns, those with the most bytes first. A
   * wish only: what cannot be looked up is passed over, and fails where it is read.
   */
  static List<String> hosts(Configuration conf, List<String> places) {
    Map<String, Long> bytes = new HashMap<>();
    for (String place : places) {
      try {
        add(conf, new Path(place), bytes);
      } catch (IOException | IllegalArgumentException error) {
        System.err.println("where " + place + " lies is not known: " + error.getMessage());
      }
    }
    return ranked(bytes);
  }

  static List<String> ranked(Map<String, Long> bytes) {
    List<String> hosts = new ArrayList<>(bytes.keySet());
    Collections.sort(hosts);
    hosts.sort((a, b) -> Long.compare(bytes.get(b), bytes.get(a)));
    return hosts;
  }

  private static void add(Configuration conf, Path place, Map<String, Long> bytes) throws IOException {
    FileSystem files = place.getFileSystem(conf);
    FileStatus[] found = files.globStatus(place);
    if (found == null) return;
    for (FileStatus status : found) {
      RemoteIterator<LocatedFileStatus> each = files.listFiles(status.getPath(), /*recursive=*/ true);
      while (each.hasNext())
        for (BlockLocation block : each.next().getBlockLocations())
          for (String host : block.getHosts()) bytes.merge(host, block.getLength(), Long::sum);
    }
  }
}
