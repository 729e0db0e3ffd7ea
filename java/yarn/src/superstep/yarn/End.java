package superstep.yarn;

import org.apache.hadoop.yarn.api.records.ContainerExitStatus;

/** How a container ended, told apart from what YARN reports of it, and in plain words. */
final class End {
  enum Kind {
    /** By itself, with code 0. */
    DONE("ended by themselves"),
    /** By itself, with another code. */
    FAILED("failed"),
    /** By a signal: a person, the system, or the node's administrator. */
    KILLED("killed from outside"),
    /** It used more memory than it had asked for. */
    MEMORY("over their memory"),
    /** The cluster gave its place to another application. */
    PREEMPTED("preempted"),
    /** Its node is lost, or was taken out of the cluster. */
    NODE_LOST("lost with their nodes"),
    /** The disks of its node are full or broken. */
    DISK("lost to bad disks"),
    /** We gave it back. */
    RELEASED("given back");

    /** What several are said to be. */
    final String word;

    Kind(String word) {
      this.word = word;
    }
  }

  /** What a process that a signal ended exits with, in a shell: this plus the signal's number. */
  private static final int BY_SIGNAL = 128;

  private static final int LAST_SIGNAL = 64;

  final Kind kind;
  final String text;

  private End(Kind kind, String text) {
    this.kind = kind;
    this.text = text;
  }

  /**
   * `status` and `diagnostics` are the container's; `memory` is what it had, in MB; `gone`
   * says that its node is known to be lost.
   */
  static End of(int status, String diagnostics, long memory, boolean gone) {
    // The node sends SIGTERM first, so that a worker may leave with any code: only the diagnostics
    // tell of the memory.
    boolean limit = diagnostics != null && diagnostics.contains("beyond the '");
    if (limit
        || status == ContainerExitStatus.KILLED_EXCEEDED_PMEM
        || status == ContainerExitStatus.KILLED_EXCEEDED_VMEM)
      return new End(
          Kind.MEMORY,
          "it was killed for using more than its " + memory + " MB of memory (engine.memory)");
    switch (status) {
      case ContainerExitStatus.SUCCESS:
        return new End(Kind.DONE, "it ended by itself");
      case ContainerExitStatus.PREEMPTED:
        return new End(Kind.PREEMPTED, "the cluster took it back for another application (preemption)");
      case ContainerExitStatus.DISKS_FAILED:
        return new End(Kind.DISK, "the disks of its node are full or broken");
      case ContainerExitStatus.ABORTED:
        return gone || (diagnostics != null && diagnostics.contains("*lost* node"))
            ? new End(Kind.NODE_LOST, "its node is lost")
            : new End(Kind.RELEASED, "it was given back");
      case ContainerExitStatus.KILLED_BY_APPMASTER:
        return new End(Kind.RELEASED, "it was stopped by its application master");
      case ContainerExitStatus.KILLED_BY_RESOURCEMANAGER:
      case ContainerExitStatus.KILLED_AFTER_APP_COMPLETION:
        return new End(Kind.KILLED, "the ResourceManager ended it");
      default:
    }
    if (status > BY_SIGNAL && status <= BY_SIGNAL + LAST_SIGNAL)
      return new End(
          Kind.KILLED, "it was killed from outside (signal " + (status - BY_SIGNAL) + ")");
    return new End(Kind.FAILED, "it failed with exit code " + status);
  }
}
