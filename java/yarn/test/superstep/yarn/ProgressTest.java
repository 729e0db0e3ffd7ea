package superstep.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ProgressTest {
  private final Progress progress = new Progress();

  private float after(String event) {
    progress.hear(Json.object(event));
    return progress.share();
  }

  @Test
  void phasesCountAlikeAndEpochsInThem() {
    assertEquals(0, after("{\"event\":\"model\",\"model\":{\"phases\":[\"pretrain.0\",\"finetune\"]}}"));
    assertEquals(0, after("{\"event\":\"phase\",\"phase\":\"pretrain.0\",\"epochs\":4}"));
    assertEquals(0.125f, after("{\"event\":\"round\",\"closes\":\"epoch\",\"epoch\":0}"));
    assertEquals(0.125f, after("{\"event\":\"round\",\"closes\":\"superstep\",\"epoch\":1}"));
    assertEquals(0.5f, after("{\"event\":\"phase\",\"phase\":\"finetune\",\"epochs\":10}"));
    assertEquals(0.99f, after("{\"event\":\"round\",\"closes\":\"phase\",\"epoch\":9}"));
  }

  @Test
  void itNeverGoesBack() {
    after("{\"event\":\"model\",\"model\":{\"phases\":[\"finetune\"]}}");
    after("{\"event\":\"phase\",\"phase\":\"finetune\",\"epochs\":10}");
    assertEquals(0.5f, after("{\"event\":\"round\",\"closes\":\"epoch\",\"epoch\":4}"));
    after("{\"event\":\"phase\",\"phase\":\"finetune\",\"epochs\":10}");
    assertEquals(0.5f, after("{\"event\":\"round\",\"closes\":\"epoch\",\"epoch\":1}"));
  }
}
