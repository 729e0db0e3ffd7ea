import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.hdfs.server.datanode.DataNode;
import org.apache.hadoop.hdfs.server.namenode.NameNode;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.server.nodemanager.NodeManager;
import org.apache.hadoop.yarn.server.resourcemanager.ResourceManager;

/**
 * Runs one daemon of a Hadoop for tests until it is killed: {@code java MiniHadoop dn2}, one of nn,
 * dn1, dn2, rm, nm1, nm2, nm3. Number i of its kind is the host 127.0.0.(i+1).
 */
public class MiniHadoop {
  public static void main(String[] args) throws Exception {
    String kind = args[0].substring(0, 2);
    int number = args[0].length() > 2 ? Integer.parseInt(args[0].substring(2)) : 0;
    Configuration conf =
        kind.equals("nn") || kind.equals("dn") ? new HdfsConfiguration() : new YarnConfiguration();
    // The files name these as ${dn.id} and so on. Not as properties of the JVM: those would win.
    conf.set(kind + ".id", Integer.toString(number));
    conf.set(kind + ".host", "127.0.0." + (number + 1));

    if (args.length > 1 && args[1].equals("-format")) {
      NameNode.format(conf);
      System.exit(0);
    }
    switch (kind) {
      case "nn" -> NameNode.createNameNode(new String[] {}, conf);
      case "dn" -> DataNode.createDataNode(new String[] {}, conf);
      case "rm" -> start(new ResourceManager(), conf);
      case "nm" -> start(new NodeManager(), conf);
      default -> throw new IllegalArgumentException("no daemon '" + args[0] + "'");
    }
    System.err.println(args[0] + " is up");
    Thread.currentThread().join();
  }

  private static void start(org.apache.hadoop.service.AbstractService service, Configuration conf) {
    service.init(conf);
    service.start();
  }
}
