# What the program is made of, here and where it is built alone.
set(AFTUNE_EXACT_DIGESTS_SRCS
  attention_digests.cc digest_line.cc elementwise_digests.cc exact_digests.cc
  loss_and_update_digests.cc packed_digests.cc product_digests.cc scalar_digests.cc
  sweep_digests.cc training_digests.cc)
list(TRANSFORM AFTUNE_EXACT_DIGESTS_SRCS PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
