// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/frozen_matrix.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "aftune/model/narrow_folder_testing.h"
#include "aftune/model/segment_call.h"
#include "aftune/model/tiny_llama_testing.h"
#include "aftune/numerics/elementwise.h"
#include "aftune/numerics/product.h"

namespace aftune::model {
namespace {

using numerics::Store;
using testing::same_bits;
using testing::TestEngine;

constexpr Dtype kTypes[] = {Dtype::kF32, Dtype::kBF16, Dtype::kF16};

Tensor random_tensor(std::size_t rows, std::size_t columns, std::uint32_t seed) {
  std::mt19937 random(seed);
  Tensor out = Tensor::zeros({rows, columns});
  for (float& value : out.f32()) value = testing::uniform(random);
  return out;
}

/// Some values in a type, and the same in fp32.
struct Twins {
  Twins(std::size_t rows, std::size_t columns, Dtype dtype)
      : wide(testing::values_of_all_types(random_tensor(rows, columns, 7).view())),
        narrow(testing::in_dtype(wide, dtype)) {}
  Tensor wide, narrow;
};

// Strips of 128 rows or columns, whole ones and a rest: 1 byte is less than one line.
TEST(FrozenMatrix, ProductsHaveTheBitsOfTheWidenedWeight) {
  const TestEngine engine(2);
  for (const auto& [rows, columns] :
       {std::pair<std::size_t, std::size_t>{1, 1}, {5, 300}, {300, 5}, {257, 129}, {384, 256}}) {
    const Tensor x = random_tensor(9, columns, 1), dy = random_tensor(9, rows, 2);
    for (const Dtype dtype : kTypes) {
      const Twins w(rows, columns, dtype);
      for (const Store store : {Store::kWrite, Store::kAdd}) {
        for (const std::size_t strip_bytes : {std::size_t{1}, kStripBytes}) {
          Tensor y = random_tensor(9, rows, 3), dx = random_tensor(9, columns, 4);
          Tensor expected_y = y.clone(), expected_dx = dx.clone();
          ASSERT_TRUE(linear(engine, matrix(x), w.narrow, matrix(y), store, strip_bytes));
          ASSERT_TRUE(
              linear_grad_input(engine, matrix(dy), w.narrow, matrix(dx), store, strip_bytes));
          ASSERT_TRUE(
              numerics::linear(engine, matrix(x), matrix(w.wide), matrix(expected_y), store));
          ASSERT_TRUE(numerics::linear_grad_input(engine, matrix(dy), matrix(w.wide),
                                                  matrix(expected_dx), store));
          EXPECT_TRUE(same_bits(y, expected_y)) << rows << " " << dtype_name(dtype);
          EXPECT_TRUE(same_bits(dx, expected_dx)) << rows << " " << dtype_name(dtype);
        }
      }
    }
  }
}

TEST(FrozenMatrix, AnInfinityInTheLastStripIsSeen) {
  const TestEngine engine;
  Tensor w = random_tensor(200, 200, 1);
  w.f32().back() = std::numeric_limits<float>::infinity();
  const Tensor narrow = round_to_bf16(w), x = random_tensor(3, 200, 2);
  Tensor out = Tensor::zeros({3, 200});
  for (const auto& done :
       {linear(engine, matrix(x), narrow, matrix(out), Store::kWrite, 1),
        linear_grad_input(engine, matrix(x), narrow, matrix(out), Store::kWrite, 1)}) {
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::kNonFinite);
  }
}

TEST(FrozenMatrix, EmbeddingTakesItsRows) {
  const TestEngine engine(2);
  const std::vector<std::int32_t> ids = {4, 0, 39, 4, 7};
  for (const Dtype dtype : kTypes) {
    const Twins table(40, 33, dtype);
    Tensor out = random_tensor(5, 33, 1), expected = random_tensor(5, 33, 2);
    embedding(engine, table.narrow, ids, matrix(out));
    numerics::embedding(engine, matrix(table.wide), ids, matrix(expected));
    EXPECT_TRUE(same_bits(out, expected)) << dtype_name(dtype);
  }
}

}  // namespace
}  // namespace aftune::model
