package superstep.yarn;

import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * What `yarn jar superstep-yarn.jar ...` starts: the command `superstep` of the package that the jar
 * lies in, with --engine yarn. That in turn starts this class with one of our own words: submit, status,
 * kill, logs; and YARN with the word master.
 */
public final class Main {
  private Main() {}

  public static void main(String[] arguments) throws Exception {
    PrintStream out = System.out;
    System.setOut(System.err);  // what a library prints is no event
    String word = arguments.length == 0 ? "" : arguments[0];
    System.exit(run(word, arguments, out));
  }

  private static int run(String word, String[] arguments, PrintStream out) throws Exception {
    switch (word) {
      case "master":
        return Master.run();
      case "submit":
        return new Client(out)
            .submit(new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)));
      case "client-status":
      case "client-kill":
      case "client-logs":
        Client client = new Client(out);
        client.start();
        if (word.equals("client-status")) return client.status(arguments[1], arguments[2].equals("json"));
        if (word.equals("client-logs")) return client.logs(arguments[1], out);
        return client.kill(arguments[1], arguments[2].equals("now"));
      default:
        return command(arguments);
    }
  }

  /** Runs the command, which starts a Java of its own for what is to be done with the cluster. */
  private static int command(String[] arguments) throws Exception {
    File program = new File(packageFolder(), "bin/superstep");
    List<String> command = new ArrayList<>();
    command.add(program.getPath());
    // A job of 2014 stood alone: yarn jar iterativereduce.jar job.properties
    if (arguments.length > 0 && arguments[0].endsWith(".properties")) command.add("train");
    Collections.addAll(command, arguments);
    if (command.size() > 1 && command.get(1).equals("train")) Collections.addAll(command, "--engine", "yarn");
    ProcessBuilder builder = new ProcessBuilder(command).inheritIO();
    builder.environment().put("SUPERSTEP_HADOOP_CLASSPATH", System.getProperty("java.class.path"));
    Process process = builder.start();
    return process.waitFor();
  }

  /** `yarn jar` loads classes from the jar and from a copy that it unpacks: the jar is wanted. */
  private static File packageFolder() throws Exception {
    String name = Main.class.getName().replace('.', '/') + ".class";
    for (URL url : Collections.list(Main.class.getClassLoader().getResources(name))) {
      if (!url.getProtocol().equals("jar")) continue;
      String jar = url.getPath().substring(0, url.getPath().indexOf("!/"));
      return new File(new URL(jar).toURI()).getCanonicalFile().getParentFile().getParentFile();
    }
    throw new IllegalStateException("superstep-yarn.jar must lie in its package, in the folder java");
  }
}
