#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/chats.json: what Hugging Face transformers makes of conversations.

    make_chat_golden.py

For each chat template: the member of tokenizer_config.json where it is known by its text, or as much
of it as we have; and for each conversation the text of `apply_chat_template` with and without the opening of an answer, and the
ids of the latter by the small tokenizer tests/golden/tokenizer/smollm.tokenizer.json where every
content begins with a letter (else a token may span the line between a header and a content, which
we never let happen) and the tokenizer has the template's marks. Needs PyPI's `transformers` and `jinja2` (written with 5.23 and 3.1).
"""

import json
import pathlib

from transformers import PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).resolve().parent

CHATML = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
          "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}"
          "{{ '<|im_start|>assistant\n' }}{% endif %}")


def with_system(text):
    return CHATML.replace(
        "{% for message in messages %}",
        "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ "
        "'<|im_start|>system\n" + text + "<|im_end|>\n' }}{% endif %}", 1)


TEMPLATES = {
    "chatml": CHATML,
    "smollm2": with_system("You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
    "qwen2": with_system("You are a helpful assistant."),
    "llama3":
        "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = "
        "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | "
        "trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}"
        "{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>"
        "assistant<|end_header_id|>\n\n' }}{% endif %}",
}

# What the templates of Llama 3.1 and Qwen3 do with messages alone, written down anew: without tools.
PARTS = {
    "llama3.1":
        "{% set given = messages[0]['role'] == 'system' %}"
        "{{ bos_token + '<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: "
        "December 2023\nToday Date: 26 Jul 2024\n\n' }}"
        "{% if given %}{{ messages[0]['content'] | trim }}{% endif %}{{ '<|eot_id|>' }}"
        "{% for message in messages[(1 if given else 0):] %}{{ '<|start_header_id|>' + "
        "message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}"
        "{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
    "qwen3":
        "{% set at = namespace(question=messages | length - 1) %}"
        "{% for message in messages %}{% set said = message['content'] %}"
        "{% if message['role'] == 'user' and not (said.startswith('<tool_response>') and "
        "said.endswith('</tool_response>')) %}{% set at.question = loop.index0 %}{% endif %}"
        "{% endfor %}"
        "{% for message in messages %}{% set said = message['content'] %}"
        "{{ '<|im_start|>' + message['role'] + '\n' }}"
        "{% if message['role'] == 'assistant' %}{% set thoughts = '' %}"
        "{% if '</think>' in said %}"
        "{% set thoughts = said.split('</think>')[0].rstrip('\n').split('<think>')[-1]"
        ".lstrip('\n') %}{% set said = said.split('</think>')[-1].lstrip('\n') %}{% endif %}"
        "{% if loop.index0 > at.question and (loop.last or thoughts) %}"
        "{{ '<think>\n' + thoughts.strip('\n') + '\n</think>\n\n' + said.lstrip('\n') }}"
        "{% else %}{{ said }}{% endif %}{% else %}{{ said }}{% endif %}{{ '<|im_end|>\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
}


def chat(*contents):
    """Messages whose roles alternate, after a system message where one begins with "system:"."""
    messages = []
    if contents[0].startswith("system:"):
        messages.append({"role": "system", "content": contents[0][len("system:"):]})
        contents = contents[1:]
    for i, content in enumerate(contents):
        messages.append({"role": "assistant" if i % 2 else "user", "content": content})
    return messages


CHATS = [
    chat("Hi"),
    chat("Hi", "Hello! How can I help?"),
    chat("system:Be brief.", "What is 2 + 2?", "4.", "And 3 + 3?", "6."),
    chat("system:", "a", ""),
    chat("Write code.", "def f(x):\n    return x + 1\n", "Thanks", "You're welcome.\n\n"),
    chat("\u00fcber Caf\u00e9, \u4eca\u65e5\u306f \U0001f642", "it\u2019s fine"),
    chat("spelt <|im_end|> inside", "and <|im_start|>user\n too"),
    chat(" leading", "\n\n two lines first"),
    chat("\u00a0\u2003 wide spaces \u3000\u2028", "\x1c\x1d control \x1e\x1f"),
    chat("\t\v\f\r tabs \x85", "\u1680\u205f\u202f ends \u2029\u2009"),
    chat("not a space \u200b\ufeff", "\u180e neither \u2060"),
    chat("Why?", "<think>\nIt is so.\n</think>\n\nBecause.", "And?",
         "<think>\n\nSo\n\n</think>\n\n\nThat is all."),
    chat("a", "one</think>two<think>three</think>\nfour", "<tool_response>b</tool_response>",
         "\n<think></think>five", "<tool_response>c", "\n\nsix"),
    chat("a", "x", "<tool_response>b</tool_response>", "<think>t</think>y",
         "<tool_response>c</tool_response>", "z"),
]


def main():
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(HERE / "tokenizer/smollm.tokenizer.json"),
                                        bos_token="<|begin_of_text|>")
    out = []
    for name, text in (TEMPLATES | PARTS).items():
        cases = []
        for messages in CHATS:
            def render(opens, tokenize=False):
                return tokenizer.apply_chat_template(messages, chat_template=text,
                                                     add_generation_prompt=opens, tokenize=tokenize)
            whole = render(False)
            case = {"messages": messages, "prompt": render(True), "whole": whole}
            if not name.startswith("llama3") and all(m["content"][:1].isalpha() for m in messages):
                case["ids"] = tokenizer(whole, add_special_tokens=False)["input_ids"]
            cases.append(case)
        out.append({"name": name, "is_whole": name in TEMPLATES, "chat_template": text,
                    "cases": cases})
    (HERE / "chats.json").write_text(
        json.dumps({"_comment": "made by make_chat_golden.py", "templates": out}, indent=1) + "\n")


if __name__ == "__main__":
    main()
