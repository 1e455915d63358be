// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/elementwise.h"
#include "aftune/numerics/internal/elementwise_probes.h"
#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/layer_norm.h"
#include "exact/digest_line.h"
#include "exact/digests.h"
#include "exact/painted.h"

namespace aftune::exact {
namespace {

using numerics::Engine;

void kernel_digests(const Engine& engine) {
  for (const bool wide : {false, true}) {
    const numerics::ProbeInputs inputs = numerics::probe_inputs(20000, wide);
    for (const auto& probe : numerics::all_elementwise_probes()) {
      std::string name = probe.name;
      for (char& c : name) c = c == ' ' ? '_' : c;
      DigestLine line("kernel." + name + (wide ? ".wide" : ".normal"));
      for (const std::size_t n : {0U, 1U, 15U, 16U, 63U, 64U, 65U, 191U, 577U, 20000U}) {
        line.take(probe.run(engine.kernels().elementwise, inputs, n));
      }
    }
  }
}

void element_digests(const Engine& engine) {
  const std::size_t n = 30011;
  const Values a = painted(n, 1, -20, 6), b = painted(n, 2), d = painted(n, 3);
  Values out(n), second(n);
  numerics::add(engine, a, b, out);
  DigestLine("add").take(out);
  numerics::swiglu(engine, a, b, out);
  DigestLine("swiglu").take(out);
  numerics::swiglu_grad(engine, a, b, d, out, second);
  DigestLine gradient("swiglu_grad");
  gradient.take(out);
  gradient.take(second);
}

void norm_digests(const Engine& engine) {
  DigestLine forward("rms_norm"), backward("rms_norm_grad");
  for (const auto& [rows, cols] :
       {std::pair<std::size_t, std::size_t>{1, 1}, {131, 65}, {5, 577}}) {
    const Values x = painted(rows * cols, 11), w = painted(cols, 12), dy = painted(rows * cols, 13);
    Values y(rows * cols), dx(rows * cols, 0.5F), dw(cols, 0.25F);
    numerics::rms_norm(engine, {x.data(), rows, cols}, w, 1e-5F, {y.data(), rows, cols});
    forward.take(y);
    for (const auto store : {numerics::Store::kAdd, numerics::Store::kWrite}) {
      numerics::rms_norm_grad(engine, {x.data(), rows, cols}, w, 1e-5F, {dy.data(), rows, cols},
                              {dx.data(), rows, cols}, store, dw);
      backward.take(dx);
      backward.take(dw);
    }
  }
}

void vision_digests(const Engine& engine) {
  const Values a = painted(30011, 1, -20, 4), d = painted(30011, 3);
  Values out(a.size());
  numerics::gelu(engine, a, out);
  DigestLine("gelu").take(out);
  numerics::gelu_grad(engine, a, d, out);
  DigestLine("gelu_grad").take(out);
  DigestLine forward("layer_norm"), backward("layer_norm_grad"), scaled("scale_columns");
  for (const auto& [rows, cols] :
       {std::pair<std::size_t, std::size_t>{1, 1}, {131, 65}, {5, 577}}) {
    const Values x = painted(rows * cols, 11), w = painted(cols, 12), dy = painted(rows * cols, 13),
                 b = painted(cols, 14);
    const numerics::ConstMatrix in(x.data(), rows, cols), d_out(dy.data(), rows, cols);
    Values y(rows * cols), dx(rows * cols, 0.5F), dw(cols, 0.25F), db(cols, 0.125F);
    numerics::layer_norm(engine, in, {w, b, 1e-5F}, {y.data(), rows, cols});
    forward.take(y);
    for (const auto store : {numerics::Store::kAdd, numerics::Store::kWrite}) {
      numerics::layer_norm_grad(engine, in, {w, b, 1e-5F}, d_out, {dx.data(), rows, cols}, store,
                                dw, db);
      backward.take(dx);
      backward.take(dw);
      backward.take(db);
    }
    numerics::scale_columns_grad(engine, in, w, d_out, {dx.data(), rows, cols}, dw);
    scaled.take(dx);
    scaled.take(dw);
    numerics::column_means(engine, in, dw);
    scaled.take(dw);
  }
}

void rotary_digests(const Engine& engine) {
  const std::size_t rows = 130, cols = 3 * 64, half = 32, positions = 65;
  Values inv_freq(half), cos(positions * half), sin(positions * half);
  for (std::size_t i = 0; i < half; ++i) inv_freq[i] = 1.0F / static_cast<float>(i * i + 1);
  numerics::rotary_table(inv_freq, 7000, {cos.data(), positions, half},
                         {sin.data(), positions, half});
  DigestLine table("rotary_table");
  table.take(cos);
  table.take(sin);
  Values x = painted(rows * cols, 21);
  DigestLine line("rotary");
  for (const int direction : {1, -1, -1}) {
    numerics::rotary(engine, {x.data(), rows, cols}, 64, {cos.data(), positions, half},
                     {sin.data(), positions, half}, direction);
    line.take(x);
  }
}

void embedding_digests(const Engine& engine) {
  const std::size_t rows = 150, cols = 67, words = 7;
  std::vector<std::int32_t> ids(rows);
  for (std::size_t t = 0; t < rows; ++t) ids[t] = static_cast<std::int32_t>(t * t % words);
  const Values table = painted(words * cols, 31), d_out = painted(rows * cols, 32);
  Values out(rows * cols), d_table(words * cols, 0.125F);
  numerics::embedding(engine, {table.data(), words, cols}, ids, {out.data(), rows, cols});
  DigestLine("embedding").take(out);
  numerics::embedding_grad(engine, ids, {d_out.data(), rows, cols}, {d_table.data(), words, cols});
  DigestLine("embedding_grad").take(d_table);
}

}  // namespace

void elementwise_digests(const Engine& engine) {
  kernel_digests(engine);
  element_digests(engine);
  norm_digests(engine);
  vision_digests(engine);
  rotary_digests(engine);
  embedding_digests(engine);
}

}  // namespace aftune::exact
