package superstep.yarn;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/** The coordinator as a child process, and the pipe to it. It ends when its standard input does. */
final class Coordinator {
  private static final int LAST_LINES = 20;

  private final Process process;
  private final OutputStream input;
  private final Deque<String> messages = new ArrayDeque<>();

  /**
   * `tokens`: the file of its tokens; null: that of this process. `line` hears what it says, on one
   * thread; `ended` its exit code, after its last line.
   */
  Coordinator(List<String> command, String credentials, File tokens, Consumer<String> line, IntConsumer ended)
      throws IOException {
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("SUPERSTEP_CREDENTIALS", credentials);
    if (tokens != null) builder.environment().put("HADOOP_TOKEN_FILE_LOCATION", tokens.getAbsolutePath());
    process = builder.start();
    input = process.getOutputStream();
    Thread errors = new Thread(this::passOnMessages, "coordinator's messages");
    errors.setDaemon(true);
    errors.start();
    Thread reader =
        new Thread(
            () -> {
              read(process.getInputStream(), line);
              try {
                int code = process.waitFor();
                errors.join(1000);
                ended.accept(code);
              } catch (InterruptedException error) {
                Thread.currentThread().interrupt();
              }
            },
            "coordinator");
    reader.setDaemon(true);
    reader.start();
  }

  /** Says nothing where it hears no more. */
  synchronized void say(String line) {
    try {
      input.write((line + "\n").getBytes(StandardCharsets.UTF_8));
      input.flush();
    } catch (IOException error) {
      // It has ended; whoever waits for its end hears of that.
    }
  }

  /** What it said to people last. */
  String lastMessages() {
    synchronized (messages) {
      return String.join("\n", messages);
    }
  }

  void kill() {
    process.destroyForcibly();
  }

  private void passOnMessages() {
    read(
        process.getErrorStream(),
        text -> {
          System.err.println(text);
          synchronized (messages) {
            messages.add(text);
            if (messages.size() > LAST_LINES) messages.remove();
          }
        });
  }

  private static void read(java.io.InputStream stream, Consumer<String> line) {
    try (BufferedReader reader =
        new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
      for (String text = reader.readLine(); text != null; text = reader.readLine()) line.accept(text);
    } catch (IOException error) {
      // The child is gone, and the stream with it.
    }
  }
}
