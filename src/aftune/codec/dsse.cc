// SPDX-License-Identifier: Apache-2.0
#include "aftune/codec/dsse.h"
