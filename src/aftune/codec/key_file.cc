// SPDX-License-Identifier: Apache-2.0
#include "aftune/codec/key_file.h"
