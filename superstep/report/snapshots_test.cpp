#include "superstep/report/snapshots.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "superstep/base/error.h"
#include "superstep/io/file.h"
#include "superstep/io/test_folder.h"
#include "superstep/report/over_training.h"
#include "superstep/report/report.h"

namespace superstep::report {
namespace {

namespace fs = std::filesystem;

// A machine of 2 x 2 pixels and 3 units, seen for two rows.
struct Machine {
  std::vector<float> weight = {0.5F, -0.25F, 0.0F, 1.0F, 0.0F, 0.0F,
                               0.0F, 0.5F,   0.0F, 0.0F, 0.0F, -1.0F};
  std::vector<float> bias = {0.0F, -1.0F, 2.0F}, visible_bias = {0.1F, 0.2F, 0.3F, 0.4F};
  std::vector<float> rows = {0.0F, 1.0F, 1.0F, 0.0F, 1.0F, 1.0F, 0.0F, 0.0F};
  std::vector<float> again = {0.2F, 0.8F, 0.8F, 0.2F, 0.8F, 0.8F, 0.2F, 0.2F};
  std::vector<float> hidden = {0.0F, 1.0F, 0.5F, 0.0F, 1.0F, 0.25F};

  [[nodiscard]] EpochView view(int64_t epoch, bool last) const {
    return {.phase = "pretrain.0",
            .epoch = epoch,
            .last = last,
            .image = {2, 2},
            .originals = {rows.data(), 2, 4},
            .reconstructions = {again.data(), 2, 4},
            .layers = {{.weight = {weight.data(), 4, 3},
                        .bias = bias,
                        .visible_bias = visible_bias,
                        .hidden = {hidden.data(), 2, 3},
                        .sees_image = true}}};
  }
};

std::map<std::string, std::string> files_of(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(folder))
    files[entry.path().filename().string()] = io::read_file(entry.path().string());
  return files;
}

class SnapshotFiles : public io::TestFolder {};
class OverTrainingFiles : public io::TestFolder {};
class ReportPictures : public io::TestFolder {};

std::vector<int64_t> drawn_epochs(int64_t epochs) {
  std::vector<int64_t> drawn;
  for (int64_t e = 1; e <= epochs; ++e)
    if (Snapshots::wanted(e, e == epochs)) drawn.push_back(e);
  return drawn;
}

TEST(Snapshots, DrawsTheFirstEpochsThenFewerAndTheLast) {
  EXPECT_EQ(drawn_epochs(1), (std::vector<int64_t>{1}));
  EXPECT_EQ(drawn_epochs(30), (std::vector<int64_t>{1, 2, 3, 5, 10, 20, 30}));
  EXPECT_EQ(drawn_epochs(1000),
            (std::vector<int64_t>{1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000}));
}

TEST_F(SnapshotFiles, NamesFilesByKindPhaseAndEpoch) {
  const Machine machine;
  Snapshots(path("pictures")).draw(machine.view(5, false));
  std::vector<std::string> names;
  for (const auto& [name, bytes] : files_of(path("pictures"))) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{
                       "filters.pretrain.0.epoch-0005.png", "hidden.pretrain.0.epoch-0005.png",
                       "hinton.pretrain.0.epoch-0005.png", "originals.pretrain.0.png",
                       "pretrain.0.epoch-0005.json", "reconstructions.pretrain.0.epoch-0005.png"}));
}

TEST_F(SnapshotFiles, WritesNothingForAnEpochThatIsNotWanted) {
  Snapshots(path("pictures")).draw(Machine().view(4, false));
  EXPECT_FALSE(fs::exists(path("pictures")));
}

// A run that was killed draws its epochs again, over the files that are there.
TEST_F(SnapshotFiles, WritesTheSameBytesAgain) {
  const Machine machine;
  for (const char* run : {"once", "twice", "twice"}) {
    const Snapshots snapshots(path(run));
    for (const int64_t epoch : {1, 2, 3}) snapshots.draw(machine.view(epoch, epoch == 3));
  }
  const auto once = files_of(path("once"));
  EXPECT_EQ(once.size(), 16U);  // the originals, and five files an epoch
  EXPECT_EQ(files_of(path("twice")), once);
}

TEST_F(SnapshotFiles, DrawsTablesWithoutPicturesOfRows) {
  Machine machine;
  EpochView view = machine.view(1, true);
  view.phase = "finetune";
  view.image = {};
  view.layers[0].name = "layer 1";
  Snapshots(path("pictures")).draw(view);
  std::vector<std::string> names;
  for (const auto& [name, bytes] : files_of(path("pictures"))) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"finetune.epoch-0001.json",
                                             "hidden.finetune.layer-1.epoch-0001.png",
                                             "hinton.finetune.layer-1.epoch-0001.png"}));
}

TEST_F(SnapshotFiles, RefusesSizesThatDoNotGoTogether) {
  const Machine machine;
  const Snapshots snapshots(path("pictures"));
  EpochView view = machine.view(1, false);
  view.layers[0].bias = std::span(machine.bias).first(2);
  EXPECT_THROW(snapshots.draw(view), DataError);
  view = machine.view(1, false);
  view.image = {3, 2};
  EXPECT_THROW(snapshots.draw(view), DataError);
  view = machine.view(1, false);
  view.phase = "../elsewhere";
  EXPECT_THROW(snapshots.draw(view), DataError);
}

// The weights: magnitudes 0.5, 0.25, 1, 0.5, 1 of 12, so the mean is 3.25 / 12. Unit 0 is never on
// in the two rows, unit 1 always.
TEST_F(OverTrainingFiles, ReadsBackWhatWasDrawn) {
  const Machine machine;
  const Snapshots snapshots(path("pictures"));
  for (const int64_t epoch : {10, 1}) snapshots.draw(machine.view(epoch, epoch == 10));
  const OverTraining drawn = read_over_training(path("pictures"));
  ASSERT_EQ(drawn.epochs.size(), 2U);
  EXPECT_EQ(drawn.epochs[0].epoch, 1);
  EXPECT_FALSE(drawn.epochs[0].last);
  EXPECT_TRUE(drawn.epochs[1].last);
  ASSERT_EQ(drawn.epochs[1].layers.size(), 1U);
  const DrawnLayer& layer = drawn.epochs[1].layers[0];
  EXPECT_EQ(layer.inputs, 4);
  EXPECT_EQ(layer.units, 3);
  EXPECT_EQ(layer.idle.never_on, 1);
  EXPECT_EQ(layer.idle.always_on, 1);
  EXPECT_EQ(layer.weights, histogram_of(machine.weight));
  EXPECT_EQ(layer.weights.mean_magnitude, 3.25 / 12);
  EXPECT_EQ(layer.visible_biases, histogram_of(machine.visible_bias));
  EXPECT_EQ(*layer.hidden, activation_map({machine.hidden.data(), 2, 3}));
  EXPECT_EQ(*layer.hinton, hinton_diagram({machine.weight.data(), 4, 3}));
}

TEST_F(OverTrainingFiles, OrdersPretrainingBeforeFinetuning) {
  const Snapshots snapshots(path("pictures"));
  for (const char* phase : {"finetune", "pretrain.10", "pretrain.2"})
    snapshots.draw({.phase = phase, .epoch = 1});
  const OverTraining drawn = read_over_training(path("pictures"));
  ASSERT_EQ(drawn.epochs.size(), 3U);
  EXPECT_EQ(drawn.epochs[0].phase, "pretrain.2");
  EXPECT_EQ(drawn.epochs[1].phase, "pretrain.10");
  EXPECT_EQ(drawn.epochs[2].phase, "finetune");
}

// Three filters of 2 x 2 with gaps are 10 x 4 an epoch; the original row comes above the others.
TEST_F(OverTrainingFiles, MakesStripsOfItsEpochs) {
  const Machine machine;
  const Snapshots snapshots(path("pictures"));
  for (const int64_t epoch : {1, 2}) snapshots.draw(machine.view(epoch, false));
  std::map<std::string, Picture> all;
  for (auto& [name, picture] : strips(read_over_training(path("pictures")))) all[name] = picture;
  ASSERT_EQ(all.size(), 5U);
  const Picture& filters = all.at("filters.pretrain.0.strip.png");
  EXPECT_EQ(filters.width, 10);
  EXPECT_EQ(filters.height, 2 * 4);
  EXPECT_EQ(all.at("reconstructions.pretrain.0.strip.png").height, 3 * 4);
  EXPECT_EQ(all.at("weights.pretrain.0.strip.png").height, 2 + 2 * (64 + 2));
  EXPECT_EQ(all.count("biases.pretrain.0.strip.png"), 1U);
  EXPECT_EQ(all.count("visible-biases.pretrain.0.strip.png"), 1U);
}

TEST_F(OverTrainingFiles, OfAFolderThatIsNotThereIsEmpty) {
  const OverTraining drawn = read_over_training(path("pictures"));
  EXPECT_TRUE(drawn.epochs.empty());
  EXPECT_FALSE(drawn.samples.has_value());
}

TEST_F(OverTrainingFiles, NamesAFileThatIsNotOurs) {
  io::make_folder(path("pictures"));
  for (const char* text : {"{", "[]", R"({"phase": "finetune", "epoch": "one"})"}) {
    io::write_file(path("pictures/finetune.epoch-0001.json"), text);
    try {
      (void)read_over_training(path("pictures"));
      FAIL() << text;
    } catch (const DataError& e) {
      EXPECT_NE(std::string(e.what()).find("finetune.epoch-0001.json: not what Snapshots writes"),
                std::string::npos)
          << e.what();
    }
  }
}

TEST_F(OverTrainingFiles, RefusesADamagedPicture) {
  Snapshots(path("pictures")).draw(Machine().view(1, true));
  const std::string hidden = path("pictures/hidden.pretrain.0.epoch-0001.png");
  io::write_file(hidden, "no picture");
  EXPECT_THROW((void)read_over_training(path("pictures")), DataError);
}

TEST_F(ReportPictures, ShowsWhatWasDrawnOverTraining) {
  const Machine machine;
  const Snapshots snapshots(path("pictures"));
  for (const int64_t epoch : {1, 2, 3, 7}) snapshots.draw(machine.view(epoch, epoch == 7));
  snapshots.draw_samples(
      {.image = {2, 2}, .rows = {machine.rows.data(), 2, 4}, .classes = {"<a>", "b"}});
  ReportInput input{.title = "digits"};
  input.over_training = read_over_training(path("pictures"));
  const std::string page = render_html(input);
  const auto has = [&page](const std::string& text) { return page.find(text) != page.npos; };
  for (const char* title : {"Samples", "Over training", "Weights", "Hidden units"})
    EXPECT_TRUE(has("<h2>" + std::string(title) + "</h2>")) << title;
  EXPECT_TRUE(has("<h3>Filters: pretrain layer 1</h3>"));
  EXPECT_TRUE(has("<h3>Hinton diagrams</h3>"));
  EXPECT_TRUE(has("Mean magnitude of weights: pretrain"));
  EXPECT_TRUE(has("epoch 7: 1 never on, 1 always on"));
  EXPECT_TRUE(has("<h4>Weights, from -1 to 1</h4>"));
  EXPECT_TRUE(has("<figcaption>&lt;a&gt;</figcaption>"));
  EXPECT_EQ(render_html(input), page);
}

// 13 pictures of 250,000 bytes that do not pack, and base64 makes 4 bytes of 3: 4.3 MB.
TEST(ReportPictureSize, NamesThePicturesThatWouldMakeThePageTooLarge) {
  OverTraining drawn;
  Picture noise{500, 500, 1, {}};
  uint32_t state = 1;
  for (int i = 0; i < 500 * 500; ++i) {
    state = state * 1664525 + 1013904223;  // the numbers do not matter, only that they do not pack
    noise.pixels.push_back(static_cast<uint8_t>(state >> 24));
  }
  for (int64_t epoch = 1; epoch <= 12; ++epoch)
    drawn.epochs.push_back(
        {.phase = "finetune", .epoch = epoch, .originals = noise, .reconstructions = noise});
  ReportInput input{.title = "large"};
  input.over_training = drawn;
  const std::string page = render_html(input);
  EXPECT_LT(page.size(), 2'500'000U);
  EXPECT_NE(page.find("pictures/reconstructions.finetune.epoch-0012.png"), page.npos);
}

}  // namespace
}  // namespace superstep::report
