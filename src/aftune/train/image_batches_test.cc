// SPDX-License-Identifier: Apache-2.0
#include "aftune/train/image_batches.h"

#include <gtest/gtest.h>

#include <functional>

#include "aftune/image/image_row.h"
#include "aftune/model/tiny_vision_testing.h"

namespace aftune::train {
namespace {

constexpr std::size_t kImages = 10;

model::LlamaConfig config() { return model::testing::tiny_vision_config(model::Family::kVit, 1); }

image::ImageRow row_of(std::size_t index) {
  image::ImageRow row{{2, 6, 6, ByteBuffer(72)}, static_cast<std::uint32_t>(index % 7)};
  for (std::size_t i = 0; i < 72; ++i)
    row.image.pixels[i] = static_cast<std::uint8_t>(index * 8 + i);
  return row;
}

text::Dataset data_with(std::size_t changed = kImages,
                        const std::function<void(image::ImageRow&)>& change = {}) {
  std::string text;
  for (std::size_t i = 0; i < kImages; ++i) {
    image::ImageRow row = row_of(i);
    if (i == changed) change(row);
    text += image::spell_row(row) + "\n";
  }
  return *text::Dataset::parse(text);
}

Digest seed() {
  Digest out;
  out.bytes.fill(3);
  return out;
}

TEST(ImageBatches, GiveAnyRowsInOneBatchThatCountsThem) {
  const text::Dataset data = data_with();
  const ImageBatches batches({4, 3}, {"none", false}, seed(), config(), data);
  EXPECT_EQ(batches.sample_count(), kImages);
  EXPECT_EQ(batches.at_a_time(), 3U);
  const std::uint64_t rows[] = {9, 2};
  const auto got = batches.batch_of(rows);
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(got->rows, 2U);
  EXPECT_EQ(got->counted, 2U);
  EXPECT_EQ(got->sequence, 5U);
  EXPECT_EQ(got->targets, (std::vector<std::int32_t>{2, 2}));
  EXPECT_EQ(got->pixels[0], row_of(9).image.pixels[0]);
  EXPECT_EQ(got->pixels[72], row_of(2).image.pixels[0]);
}

TEST(ImageBatches, HoldTheRowsOfTheOrderWithTheirClasses) {
  const text::Dataset data = data_with();
  const text::OrderRule order{"sha256", true};
  ImageBatches batches({4, 3}, order, seed(), config(), data);
  text::SampleOrder expected(order, seed(), kImages, 4);
  for (const std::uint64_t step : {0U, 1U, 2U, 7U}) {
    const auto rows = expected.rows_of(step);
    EXPECT_EQ(batches.rows(step), rows);
    const auto got = batches.micro_batches(step);
    ASSERT_TRUE(got) << got.error().what;
    ASSERT_EQ(got->size(), 2U);
    std::size_t at = 0;
    for (std::uint32_t m = 0; m < 2; ++m) {
      const model::MicroBatch& batch = (*got)[m];
      EXPECT_EQ(batch.rows, m == 0 ? 3U : 1U);
      EXPECT_EQ(batch.sequence, 5U);
      EXPECT_EQ(batch.counted, 4U);
      EXPECT_EQ(batch.step, step);
      EXPECT_EQ(batch.index, m);
      EXPECT_TRUE(batch.tokens.empty());
      for (std::size_t i = 0; i < batch.rows; ++i, ++at) {
        const image::ImageRow row = row_of(rows[at]);
        EXPECT_EQ(batch.targets[i], static_cast<std::int32_t>(row.label));
        EXPECT_TRUE(std::equal(row.image.pixels.begin(), row.image.pixels.end(),
                               batch.pixels.begin() + static_cast<std::ptrdiff_t>(i * 72)));
      }
    }
  }
}

TEST(ImageBatches, ARowThatDoesNotFitTheModelIsFoundBeforeTheRun) {
  const std::tuple<std::function<void(image::ImageRow&)>, const char*> lies[] = {
      {[](image::ImageRow& r) { r.label = 7; }, "row 9: class 7, the model has 7 classes"},
      {[](image::ImageRow& r) {
         r.image.channels = 1;
         r.image.pixels.resize(36);
       },
       "row 9: an image of 1 x 6 x 6, the model takes 2 x 6 x 6"},
      {[](image::ImageRow& r) {
         r.image.width = 3;
         r.image.pixels.resize(36);
       },
       "row 9: an image of 2 x 6 x 3, the model takes 2 x 6 x 6"},
      {[](image::ImageRow& r) { r.image.pixels.pop_back(); },
       "row 9: member \"pixels\" has 71 bytes, the image 72"},
  };
  for (const auto& [lie, what] : lies) {
    const text::Dataset data = data_with(9, lie);
    ImageBatches batches({5, 5}, {"none", true}, seed(), config(), data);
    EXPECT_TRUE(batches.check_steps(1)) << "row 9 is in the second step";
    const Status found = batches.check_steps(2);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().what, what);
    EXPECT_FALSE(batches.micro_batches(1));
  }
}

TEST(ImageBatches, TextRowsAreNoImages) {
  const text::Dataset data = *text::Dataset::parse("{\"text\":\"a\"}\n");
  ImageBatches batches({1, 1}, {"none", true}, seed(), config(), data);
  EXPECT_EQ(batches.check_steps(1).error().what, "row 0: member \"channels\" is missing");
}

}  // namespace
}  // namespace aftune::train
