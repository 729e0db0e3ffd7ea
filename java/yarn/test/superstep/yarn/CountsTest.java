package superstep.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class CountsTest {
  @Test
  void whatThereWasNoneOfIsLeftOut() {
    Counts counts = new Counts("");
    assertEquals("0 granted", counts.text());
    counts.granted();
    counts.granted();
    counts.ended(End.Kind.PREEMPTED);
    counts.ended(End.Kind.RELEASED);
    assertEquals("2 granted, 1 preempted, 1 given back", counts.text());
  }

  @Test
  void aLaterAttemptCountsOn() {
    Counts first = new Counts("");
    first.granted();
    first.ended(End.Kind.NODE_LOST);
    Counts second = new Counts(first.json());
    second.granted();
    second.ended(End.Kind.NODE_LOST);
    assertEquals("2 granted, 2 lost with their nodes", second.text());
    assertEquals(
        "{\"granted\":2,\"done\":0,\"failed\":0,\"killed\":0,\"memory\":0,\"preempted\":0,\"node_lost\":2,\"disk\":0,\"released\":0}",
        second.json());
  }

  @Test
  void whatWasCutShortCountsAsNothing() {
    assertEquals("0 granted", new Counts("{\"granted\":3,\"do").text());
  }
}
