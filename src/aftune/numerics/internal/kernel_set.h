// SPDX-License-Identifier: Apache-2.0
// The kernels of one instruction set: tables of plain functions, chosen at run time.
#pragma once

#include "aftune/base/result.h"

namespace aftune::numerics {

struct ProductKernels;      // internal/product_kernels.h
struct ElementwiseKernels;  // internal/elementwise_kernels.h
struct PackedKernels;       // internal/packed_kernels.h

/// Refers to static storage.
struct KernelSet {
  const ProductKernels& product;
  const ElementwiseKernels& elementwise;
  const PackedKernels& packed;
};

// One symbol each of the files of scalar/, avx2/, avx512bw/, avx512/ and amx/.
extern const ProductKernels kScalarProductKernels;
extern const ElementwiseKernels kScalarElementwiseKernels;
extern const PackedKernels kScalarPackedKernels;
#if defined(__x86_64__)
extern const ProductKernels kAvx2ProductKernels;
extern const ElementwiseKernels kAvx2ElementwiseKernels;
extern const PackedKernels kAvx2PackedKernels;
extern const ProductKernels kAvx512BwProductKernels;
extern const ElementwiseKernels kAvx512BwElementwiseKernels;  // of all sets with AVX-512
extern const PackedKernels kAvx512BwPackedKernels;
extern const ProductKernels kAvx512ProductKernels;
extern const PackedKernels kAvx512PackedKernels;  // amx's, too
extern const ProductKernels kAmxProductKernels;
#endif

/// Compares every kernel with the scalar one on a few thousand values.
/// Errors: kUnsupported, naming the first kernel whose bits differ ("product tile: ...").
Status self_test(const ProductKernels& kernels);
/// Errors: as above.
Status self_test(const ElementwiseKernels& kernels);
/// Errors: as above.
Status self_test(const PackedKernels& kernels);

}  // namespace aftune::numerics
