// SPDX-License-Identifier: Apache-2.0
// The chat templates of aftune/text under the names that receipts use.
#pragma once

#include "aftune/text/chat_template.h"

namespace aftune::receipt {

using text::ChatMessage;
using text::ChatTemplate;
using text::check_messages;
using text::kMaxMessages;
using text::parse_template;
using text::render_chat;
using text::template_name;
using text::template_of;

}  // namespace aftune::receipt
