# SPDX-License-Identifier: Apache-2.0
"""Asks an endpoint with PyPI's unmodified openai client, whole and streamed.

    openai_client.py BASE_URL MODEL FOLDER

Leaves in FOLDER/whole and FOLDER/streamed the receipt's files and asked.json, the body that was sent.
"""
import json
import pathlib
import sys

import openai

FILES = {"receipt": "receipt.json", "proof": "receipt.tlog-proof", "answer": "answer.json",
         "request": "request.json"}


def keep(folder, receipt, body):
    folder.mkdir(parents=True)
    for name, file in FILES.items():
        (folder / file).write_text(receipt[name])
    (folder / "asked.json").write_text(json.dumps(body))


def main(url, model, folder):
    folder = pathlib.Path(folder)
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=20)
    assert [m.id for m in client.models.list()] == [model]
    assert client.models.retrieve(model).id == model
    body = {"model": model, "prompt": "Hello", "max_tokens": 9, "temperature": 0.7, "seed": 5}
    whole = client.completions.create(**body)
    assert whole.usage.completion_tokens == 9 and whole.choices[0].finish_reason == "length"
    keep(folder / "whole", whole.aftune_receipt, body)
    text, receipt, usage = "", None, None
    for chunk in client.completions.create(**body, stream=True,
                                           stream_options={"include_usage": True}):
        if chunk.choices:
            text += chunk.choices[0].text
        receipt = (chunk.model_extra or {}).get("aftune_receipt", receipt)
        usage = chunk.usage or usage
    assert text == whole.choices[0].text, (text, whole.choices[0].text)
    assert usage.completion_tokens == 9
    keep(folder / "streamed", receipt, body)
    for wrong in ({"model": "other"}, {"max_tokens": 0}, {"n": 2}):
        try:
            client.completions.create(**(body | wrong))
        except (openai.NotFoundError, openai.BadRequestError) as error:
            assert error.body["message"], error
        else:
            raise AssertionError(f"{wrong} was not refused")


if __name__ == "__main__":
    main(*sys.argv[1:])
